/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The copies of header and key slots outside the trees. */
#ifndef COMMON_CONVERT_KEYS_AREA_H
#define COMMON_CONVERT_KEYS_AREA_H

#include "common/convert/conversion.h"

/* Writes header and slots to their place outside the trees, where an unfinished conversion finds them. */
bool keys_area_write(struct conversion *c, const struct crypt_range *keys, const struct disk_crypt_slot *slots, size_t n_slots,
		     struct error *err) must_use;

#endif /* COMMON_CONVERT_KEYS_AREA_H */
