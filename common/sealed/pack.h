/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How units and inline units are packed into items. */
#ifndef COMMON_SEALED_PACK_H
#define COMMON_SEALED_PACK_H

#include "common/sealed/scan.h"
#include "format/crypt.h"

struct unit_packer {		/* over the extents of a scan; deterministic */
	const struct scan *scan;
	uint32_t item_max;	/* bytes of an item */
	size_t extent;		/* the next extent */
	uint64_t offset;	/* the offset in it */
};
uint32_t crypt_item_max(uint32_t node_size);
unsigned inline_units_per_item(uint32_t node_size);
/* Writes the next item to out (item_max bytes; NULL: only count). Returns false at the end. */
bool unit_pack_next(struct unit_packer *packer, enum crypt_cipher cipher, uint8_t *out, uint32_t *len, unsigned *n_units);

/* Writes one unit that is not sealed yet, and its tags, all zeros. Returns what is behind it. */
uint8_t *unit_pack_put(uint8_t *out, const struct scan *scan, const struct scan_extent *extent, uint64_t offset, uint32_t blocks,
		       enum crypt_cipher cipher);

#endif /* COMMON_SEALED_PACK_H */
