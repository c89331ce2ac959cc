/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which unit is where in which item. */
#include <inttypes.h>
#include <stdio.h>

#include "common/tree/leaf.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "format/crypt.h"
#include "tests/image/attack/attack.h"

static bool print_units(const struct key *key, struct cursor item, struct error *err)
{
	const size_t size = item.left;
	unsigned n;

	if (!crypt_head_read(&item, CRYPT_UNITS, &n, err))
		return false;
	for (unsigned i = 0; i < n; i++) {
		struct crypt_unit unit;

		if (!crypt_unit_next(&item, size, &unit, err))
			return false;
		printf("item=%" PRIu64 " at=%zu inode=%" PRIu64 " offset=%" PRIu64 " unit=%" PRIu64 " address=%" PRIu64 " blocks=%" PRIu32
		       " in=%" PRIu64 " extent=%" PRIu64 " place=%" PRIu64 " sealed=%d\n", (uint64_t)(key->offset & CRYPT_INDEX_LAST), unit.at, unit.inode,
		       unit.file_offset, unit.unit_id, unit.address, unit.blocks, unit.offset_in_extent, unit.extent_len,
		       (uint64_t)(key->offset & CRYPT_INDEX_LAST) << 16 | i, unit.sealed);
	}
	return true;
}

static bool print_inlines(const struct key *key, struct cursor item, struct error *err)
{
	const size_t size = item.left;
	unsigned n;

	if (!crypt_head_read(&item, CRYPT_INLINE_UNITS, &n, err))
		return false;
	while (n-- > 0) {
		const size_t at = size - item.left;
		struct crypt_inline_unit unit;

		if (!crypt_inline_unit_next(&item, &unit, err))
			return false;
		printf("item=%" PRIu64 " at=%zu inode=%" PRIu64 " kind=%d length=%" PRIu32 "\n", (uint64_t)(key->offset & CRYPT_INDEX_LAST), at, unit.inode,
		       unit.kind, unit.length);
	}
	return true;
}

typedef bool print_item(const struct key *key, struct cursor item, struct error *err);

static bool print_items(struct attack *attack, enum crypt_kind kind, print_item *print,
			struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct crypt_place place;
	struct tree tree;
	uint64_t domain;

	if (!number(attack->argv[0], &domain, err))
		return false;

	const struct key first = crypt_key((uint16_t)domain, kind, 0);

	if (!tree_open(attack->volume, ROOT_TREE_ID, &tree, err) || !tree_seek(&tree, &first, &iter, err))
		return false;
	while (iter.valid && crypt_place_of_key(&iter.key, &place) && place.domain == domain && place.kind == kind && !place.second_header) {
		if (!print(&iter.key, iter.item, err) || !tree_next(&iter, err))
			return false;
	}
	return true;
}

bool attack_units(struct attack *attack, struct error *err)
{
	return print_items(attack, CRYPT_UNITS, print_units, err);
}

bool attack_inlines(struct attack *attack, struct error *err)
{
	return print_items(attack, CRYPT_INLINE_UNITS, print_inlines, err);
}

/* What units say of where they are and of what, from one of the hints on: zeros. */
bool attack_no_hints(struct attack *attack, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	uint64_t domain, from;
	struct tree tree;

	if (!number(attack->argv[0], &domain, err) || !number(attack->argv[1], &from, err))
		return false;
	if (from < sizeof(struct disk_crypt_u) || from >= sizeof(struct disk_crypt_unit))
		return error_set(err, ERROR_USAGE, "the hints are bytes %zu to %zu", sizeof(struct disk_crypt_u), sizeof(struct disk_crypt_unit) - 1);

	const struct key first = crypt_key((uint16_t)domain, CRYPT_UNITS, 0);
	struct crypt_place place;

	if (!tree_open(attack->volume, ROOT_TREE_ID, &tree, err) || !tree_seek(&tree, &first, &iter, err))
		return false;
	while (iter.valid && crypt_place_of_key(&iter.key, &place) && place.domain == domain && place.kind == CRYPT_UNITS) {
		struct block *leaf = iter.path[0];
		uint8_t *payload = leaf->bytes + leaf_item_at(&leaf->node, iter.slot[0]);
		struct cursor item = iter.item;
		const size_t size = item.left;
		struct crypt_unit unit;
		unsigned n;

		if (!crypt_head_read(&item, CRYPT_UNITS, &n, err))
			return false;
		while (n-- > 0) {
			if (!crypt_unit_next(&item, size, &unit, err))
				return false;
			memset(payload + unit.at + from, 0, sizeof(struct disk_crypt_unit) - from);
		}
		csum_block_update(attack->volume->super.csum_type, leaf->bytes, leaf->node.size);
		if (!volume_write(attack->volume, leaf->logical, leaf->bytes, leaf->node.size, err) || !tree_next(&iter, err))
			return false;
	}
	return true;
}
