/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase STRUCTURE, forward: the crypt items get their places. */
#ifndef COMMON_CONVERT_STRUCTURE_H
#define COMMON_CONVERT_STRUCTURE_H

#include "common/convert/conversion.h"

/* Computes how many items of each kind there will be, into c->header. */
bool structure_count(struct conversion *c, struct error *err) must_use;
/* The most tree blocks that inserting one item may change: the root tree path with its splits, and what settling adds. */
#define CRYPT_INSERT_BLOCKS 24u
bool structure_build(struct conversion *c, const struct disk_crypt_slot *slots, size_t n_slots, struct error *err) must_use;	/* the first record */
bool structure_continue(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_STRUCTURE_H */
