/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Joining the units of a domain to the extents on disk: by address, else by content, confirmed by a tag. */
#include <stdlib.h>

#include "common/fs/unit-map.h"

/* How many blocks of an extent may be damaged before it is no longer recognised. */
#define CONFIRM_BLOCKS 16u
/* Of units with one hint: the hints of a real domain hardly ever meet, those of a hostile one could all be the same. */
#define HINT_TRIES 64u

/* Is what lies at address the plain text of block i? */
static bool block_is_plain(struct volume *volume, struct unit_cipher *cipher, const struct crypt_unit *unit, uint64_t address,
			   uint32_t i, bool *is, struct error *err)
{
	const uint64_t at = address + (uint64_t)i * CRYPT_BLOCK;
	uint8_t bytes[CRYPT_BLOCK], tag[CRYPT_TAG_SIZE];
	const struct chunk *chunk;

	*is = false;
	if (!volume_chunk(volume, at, &chunk, err))
		return false;
	for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk) && !*is; mirror++) {
		if (!unit_mirror_read(volume, at, bytes, CRYPT_BLOCK, mirror))
			continue;
		if (!unit_cipher_seal(cipher, i, bytes, CRYPT_BLOCK, bytes, tag, err))
			return false;
		*is = secret_same(tag, unit->tags + (size_t)i * CRYPT_TAG_SIZE, sizeof(tag));
	}
	return true;
}

struct confirming {
	struct volume *volume;
	const struct key_schedule *schedule;
	uint64_t boundary;
	uint64_t address;	/* of the extent */
	bool confirmed;
};

static bool confirm_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct confirming *c = context;
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	const uint64_t address = c->address + unit->offset_in_extent;

	*go = false;	/* the first unit decides */
	if (!unit->sealed)
		return true;
	if (!unit_cipher_new(c->schedule, unit->cipher, "unit", &unit->u, sizeof(unit->u), &cipher, err))
		return false;
	for (uint32_t i = 0; i < unit->blocks && i < CONFIRM_BLOCKS && !c->confirmed; i++) {
		if (place < c->boundary) {
			uint8_t plain[CRYPT_BLOCK];
			unsigned mirror, n_mirrors;

			if (!unit_block_read(c->volume, cipher, unit, address, i, plain, &mirror, &n_mirrors, err))
				return false;
			c->confirmed = mirror < n_mirrors;
			secret_wipe(plain, sizeof(plain));
		} else if (!block_is_plain(c->volume, cipher, unit, address, i, &c->confirmed, err)) {
			return false;
		}
	}
	return true;
}

struct joining {
	struct unit_map *map;
	const struct scan *scan;
	const struct key_schedule *schedule;
	uint64_t boundary;
	uint64_t *found;	/* address of each group, 0: not yet */
};

static bool confirm(const struct joining *join, size_t g, uint64_t address, bool *confirmed, struct error *err)
{
	struct confirming c = { join->map->volume, join->schedule, join->boundary, address, false };

	if (!unit_map_visit(join->map, &join->map->group[g], confirm_unit, &c, err))
		return false;
	*confirmed = c.confirmed;
	return true;
}

static bool try_group(struct joining *join, size_t g, const struct scan_extent *extent, bool *joined, struct error *err)
{
	*joined = false;
	if (join->found[g] != 0 || join->map->group[g].extent_len != extent->length)
		return true;
	if (!confirm(join, g, extent->logical, joined, err))
		return false;
	if (*joined)
		join->found[g] = extent->logical;
	return true;
}

struct index_entry {
	uint64_t value;
	uint32_t group;
};

static int compare_entries(const void *a, const void *b)
{
	const struct index_entry *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->group < y->group ? -1 : x->group > y->group;
}

/* The first entry with this value or a larger one. */
static size_t index_find(const struct index_entry *index, size_t n, uint64_t value)
{
	size_t low = 0, high = n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (index[middle].value < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Tries the groups that the index has under value. */
static bool try_index(struct joining *join, const struct index_entry *index, size_t n, uint64_t value,
		      const struct scan_extent *extent, bool *joined, struct error *err)
{
	const size_t first = index_find(index, n, value);

	*joined = false;
	for (size_t i = first; i < n && i - first < HINT_TRIES && index[i].value == value && !*joined; i++) {
		if (!try_group(join, index[i].group, extent, joined, err))
			return false;
	}
	return true;
}

static uint64_t first_value(const uint8_t first[8])
{
	uint64_t value;

	memcpy(&value, first, sizeof(value));
	return value;
}

/* Extents that are where the addresses say, marked in done[]. */
static bool join_by_address(struct joining *join, uint8_t *done, struct error *err)
{
	struct unit_map *map = join->map;
	struct index_entry *hints = reallocarray(NULL, map->n_groups ? map->n_groups : 1, sizeof(*hints));
	bool ok = false;

	if (!hints)
		return error_memory(err);
	for (size_t g = 0; g < map->n_groups; g++)
		hints[g] = (struct index_entry){ map->group[g].address, (uint32_t)g };
	qsort(hints, map->n_groups, sizeof(*hints), compare_entries);
	for (size_t i = 0; i < join->scan->n_extents; i++) {
		const struct scan_extent *extent = &join->scan->extent[i];
		const struct unit_group *same = unit_map_of(map, extent->logical);
		bool joined = false;

		if (!try_index(join, hints, map->n_groups, extent->logical, extent, &joined, err) ||
		    (!joined && same && same->unit_id == extent->logical && same->address != extent->logical &&
		     !try_group(join, (size_t)(same - map->group), extent, &joined, err)))
			goto out;
		done[i] = joined;
	}
	ok = true;
out:
	free(hints);
	return ok;
}

/* The others, by their first bytes. */
static bool join_by_content(struct joining *join, uint8_t *done, struct error *err)
{
	struct unit_map *map = join->map;
	struct index_entry *index = reallocarray(NULL, map->n_groups ? map->n_groups : 1, sizeof(*index));
	size_t n = 0;
	bool ok = false;

	if (!index)
		return error_memory(err);
	for (size_t g = 0; g < map->n_groups; g++) {
		if (join->found[g] == 0)
			index[n++] = (struct index_entry){ first_value(map->group[g].first), (uint32_t)g };
	}
	qsort(index, n, sizeof(*index), compare_entries);
	for (size_t i = 0; i < join->scan->n_extents && n; i++) {
		const struct scan_extent *extent = &join->scan->extent[i];
		const struct chunk *chunk;
		uint8_t first[8];
		bool joined = false;

		if (done[i])
			continue;
		if (!volume_chunk(map->volume, extent->logical, &chunk, err))
			goto out;
		for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk) && !joined; mirror++) {
			if (!unit_mirror_read(map->volume, extent->logical, first, sizeof(first), mirror))
				continue;
			if (!try_index(join, index, n, first_value(first), extent, &joined, err))
				goto out;
		}
		done[i] = joined;
	}
	ok = true;
out:
	free(index);
	return ok;
}

static int compare_addresses(const void *a, const void *b, void *context)
{
	const struct unit_map *map = context;
	const uint64_t x = map->group[*(const uint32_t *)a].address, y = map->group[*(const uint32_t *)b].address;

	return x < y ? -1 : x > y;
}

bool unit_map_join(struct unit_map *map, const struct scan *scan, const struct key_schedule *schedule, uint64_t boundary,
		   struct error *err)
{
	struct joining join = { map, scan, schedule, boundary, NULL };
	uint8_t *done = calloc(scan->n_extents ? scan->n_extents : 1, 1);
	bool ok = false;

	join.found = calloc(map->n_groups ? map->n_groups : 1, sizeof(*join.found));
	free(map->by_address);
	map->by_address = calloc(map->n_groups ? map->n_groups : 1, sizeof(*map->by_address));
	if (!done || !join.found || !map->by_address) {
		error_memory(err);
		goto out;
	}
	if (!join_by_address(&join, done, err) || !join_by_content(&join, done, err))
		goto out;
	map->n_joined = 0;
	for (size_t g = 0; g < map->n_groups; g++) {
		map->group[g].address = join.found[g];
		if (join.found[g] != 0)
			map->by_address[map->n_joined++] = (uint32_t)g;
	}
	qsort_r(map->by_address, map->n_joined, sizeof(*map->by_address), compare_addresses, map);
	ok = true;
out:
	free(done);
	free(join.found);
	return ok;
}
