/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the units of a domain, and finding them by address. */
#include "common/fs/unit-map.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/volume/warn.h"

void unit_map_free(struct unit_map *map)
{
	if (!map)
		return;
	free(map->group);
	free(map->by_address);
	free(map);
}

/* --- walking the items ---------------------------------------------------------------------- */

/* Calls visit for the units from place on.  The iterator's leaf holds the bytes that a unit borrows. */
static bool visit_from(const struct unit_map *map, uint64_t place, unit_visit *visit, void *context, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key first = crypt_key(map->domain, CRYPT_UNITS, place >> 16);
	uint64_t expected = place >> 16;
	struct tree tree;

	if (!tree_open(map->volume, ROOT_TREE_ID, &tree, err))
		return false;
	for (bool ok = tree_seek(&tree, &first, &iter, err);; ok = tree_next(&iter, err)) {
		struct crypt_place at;
		unsigned n_entries;

		if (!ok)
			return false;
		if (!iter.valid || !crypt_place_of_key(&iter.key, &at) || at.domain != map->domain || at.kind != CRYPT_UNITS)
			return true;
		if (at.index != expected)
			return error_set(err, ERROR_CORRUPT, "crypt units item %" PRIu64 " of domain %u is missing", expected,
					 map->domain);
		expected++;

		struct cursor item = iter.item;
		const size_t size = item.left;

		if (!crypt_head_read(&item, CRYPT_UNITS, &n_entries, err))
			return false;
		for (unsigned entry = 0; entry < n_entries; entry++) {
			const uint64_t here = UNIT_PLACE(at.index, entry);
			struct crypt_unit unit;
			bool go = true;

			if (!crypt_unit_next(&item, size, &unit, err))
				return false;
			if (here < place)
				continue;
			if (!visit(context, &unit, here, &go, err))
				return false;
			if (!go)
				return true;
		}
		if (item.left != 0)
			return error_set(err, ERROR_CORRUPT, "crypt units item at %#" PRIx64 ": %zu bytes left after the last unit",
					 iter.item.offset, item.left);
	}
}

bool unit_map_visit_all(const struct unit_map *map, unit_visit *visit, void *context, struct error *err)
{
	return visit_from(map, 0, visit, context, err);
}

struct group_walk {
	const struct unit_group *group;
	unit_visit *visit;
	void *context;
};

static bool in_group(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct group_walk *walk = context;
	const uint64_t end = unit->offset_in_extent + (uint64_t)unit->blocks * CRYPT_BLOCK;

	if (unit->unit_id - unit->offset_in_extent != walk->group->unit_id || unit->extent_len != walk->group->extent_len)
		return error_set(err, ERROR_CORRUPT, "unit %#" PRIx64 " is not of the extent %#" PRIx64, unit->unit_id,
				 walk->group->unit_id);
	if (!walk->visit(walk->context, unit, place, go, err))
		return false;
	if (end >= walk->group->extent_len)
		*go = false;
	return true;
}

bool unit_map_visit(const struct unit_map *map, const struct unit_group *group, unit_visit *visit, void *context, struct error *err)
{
	struct group_walk walk = { group, visit, context };

	return visit_from(map, group->place, in_group, &walk, err);
}

/* --- reading -------------------------------------------------------------------------------------- */

struct reading {
	struct unit_map *map;
	size_t room;
	uint64_t expect_offset;	/* in the extent of the last group; its length: complete */
};

static bool read_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct reading *reading = context;
	struct unit_map *map = reading->map;
	struct unit_group *last = map->n_groups ? &map->group[map->n_groups - 1] : NULL;

	(void)go;
	map->n_units++;
	map->n_items = (place >> 16) + 1;
	map->cipher = unit->cipher;
	if (last && reading->expect_offset < last->extent_len) {
		if (unit->unit_id != last->unit_id + reading->expect_offset || unit->offset_in_extent != reading->expect_offset ||
		    unit->extent_len != last->extent_len)
			return error_set(err, ERROR_CORRUPT,
					 "unit %#" PRIx64 ": the extent at %#" PRIx64 " goes on at offset %" PRIu64 ", a unit is missing",
					 unit->unit_id, last->unit_id, reading->expect_offset);
		reading->expect_offset += (uint64_t)unit->blocks * CRYPT_BLOCK;
		return true;
	}
	if (unit->offset_in_extent != 0)
		return error_set(err, ERROR_CORRUPT, "unit %#" PRIx64 ": the units before offset %" PRIu64 " of its extent are missing",
				 unit->unit_id, unit->offset_in_extent);
	if (last && unit->unit_id < last->unit_id + last->extent_len)
		return error_set(err, ERROR_CORRUPT, "unit %#" PRIx64 " is not after the extent %#" PRIx64 "+%" PRIu64, unit->unit_id,
				 last->unit_id, last->extent_len);
	if (map->n_groups == reading->room) {
		const size_t room = reading->room ? reading->room + reading->room / 2 : 64;
		struct unit_group *grown = reallocarray(map->group, room, sizeof(*grown));

		if (!grown)
			return error_memory(err);
		map->group = grown;
		reading->room = room;
	}
	last = &map->group[map->n_groups++];
	*last = (struct unit_group){
		.unit_id = unit->unit_id,
		.extent_len = unit->extent_len,
		.place = place,
		.address = unit->address,
	};
	memcpy(last->first, unit->first, sizeof(last->first));
	reading->expect_offset = (uint64_t)unit->blocks * CRYPT_BLOCK;
	return true;
}

bool unit_map_read(struct volume *volume, uint16_t domain, struct unit_map **result, struct error *err)
{
	cleanup_unit_map struct unit_map *map = calloc(1, sizeof(*map));
	struct reading reading = { .map = map };

	if (!map)
		return error_memory(err);
	map->volume = volume;
	map->domain = domain;
	if (!unit_map_visit_all(map, read_unit, &reading, err))
		return false;
	if (map->n_groups && reading.expect_offset < map->group[map->n_groups - 1].extent_len)
		return error_set(err, ERROR_CORRUPT, "the last units of the extent %#" PRIx64 " are missing",
				 map->group[map->n_groups - 1].unit_id);
	*result = map;
	map = NULL;
	return true;
}

/* --- blocks ---------------------------------------------------------------------------------------- */

bool unit_mirror_read(struct volume *volume, uint64_t logical, void *bytes, size_t len, unsigned mirror)
{
	struct error unread = { 0 };

	if (volume_read(volume, logical, bytes, len, mirror, &unread))
		return true;
	if (volume_has_mirror(volume, logical, len, mirror))
		volume_warn(volume, "%s", unread.text);
	return false;
}

bool unit_block_read(struct volume *volume, struct unit_cipher *cipher, const struct crypt_unit *unit, uint64_t address, uint32_t i,
		     uint8_t plain[CRYPT_BLOCK], unsigned *mirror, unsigned *n_mirrors, struct error *err)
{
	const uint64_t at = address + (uint64_t)i * CRYPT_BLOCK;
	const struct chunk *chunk;

	if (!volume_chunk(volume, at, &chunk, err))
		return false;
	*n_mirrors = chunk_n_mirrors(chunk);
	for (*mirror = 0; *mirror < *n_mirrors; (*mirror)++) {
		bool authentic;

		if (!unit_mirror_read(volume, at, plain, CRYPT_BLOCK, *mirror))
			continue;
		if (!unit_cipher_open(cipher, i, plain, CRYPT_BLOCK, plain, unit->tags + (size_t)i * CRYPT_TAG_SIZE, &authentic, err))
			return false;
		if (authentic)
			return true;
	}
	return true;
}

const struct unit_group *unit_map_at(const struct unit_map *map, uint64_t address)
{
	size_t low = 0, high = map->n_joined;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct unit_group *group = &map->group[map->by_address[middle]];

		if (group->address == address)
			return group;
		if (group->address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct unit_group *unit_map_of(const struct unit_map *map, uint64_t unit_id)
{
	size_t low = 0, high = map->n_groups;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct unit_group *group = &map->group[middle];

		if (unit_id < group->unit_id)
			high = middle;
		else if (unit_id >= group->unit_id + group->extent_len)
			low = middle + 1;
		else
			return group;
	}
	return NULL;
}

const struct unit_group *unit_map_expected(const struct unit_map *map, uint64_t address, uint64_t length)
{
	const struct unit_group *group = unit_map_of(map, address);

	return group && group->unit_id == address && group->extent_len == length && group->address == 0 ? group : NULL;
}
