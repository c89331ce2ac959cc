/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing set of 64-bit numbers: addresses already seen, inodes already named. */
#ifndef COMMON_UTIL_SET64_H
#define COMMON_UTIL_SET64_H

#include <stddef.h>
#include <stdint.h>

#include "format/error.h"

/* Initialise with { 0 }. */
struct set64 {
	uint64_t *slot;		/* 0: empty */
	size_t n_slots;		/* a power of two */
	size_t n_used;
	uint64_t seed;		/* so that nobody can choose colliding numbers */
	bool has_zero;
};

/* *added: it was not there before. added may be NULL. */
bool set64_add(struct set64 *set, uint64_t number, bool *added, struct error *err) must_use;
bool set64_has(const struct set64 *set, uint64_t number);
size_t set64_count(const struct set64 *set);
void set64_free(struct set64 *set);	/* empties it; it may be used again */
#define cleanup_set64 __attribute__((cleanup(set64_free)))

#endif /* COMMON_UTIL_SET64_H */
