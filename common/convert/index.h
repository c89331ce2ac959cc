/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase INDEX. */
#ifndef COMMON_CONVERT_INDEX_H
#define COMMON_CONVERT_INDEX_H

#include "common/convert/conversion.h"

unsigned index_entries_per_item(uint32_t node_size);
bool index_fill(struct conversion *c, struct error *err) must_use;	/* also finds where the units are now */

#endif /* COMMON_CONVERT_INDEX_H */
