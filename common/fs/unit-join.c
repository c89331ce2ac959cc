/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Joining the units of a domain to the extents on disk: by address, else by content, confirmed by a tag. */
#include <assert.h>
#include <inttypes.h>
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
	/* What a boundary says is where the records have come to; one that was lost may have been further. */
	const bool unfinished = c->boundary != UNIT_PLACE_END;

	*go = false;	/* the first unit decides */
	if (!unit->sealed)
		return true;
	if (!unit_cipher_new(c->schedule, unit->cipher, "unit", &unit->u, sizeof(unit->u), &cipher, err))
		return false;
	for (uint32_t i = 0; i < unit->blocks && i < CONFIRM_BLOCKS && !c->confirmed; i++) {
		if (place < c->boundary || unfinished) {
			uint8_t plain[CRYPT_BLOCK];
			unsigned mirror, n_mirrors;

			if (!unit_block_read(c->volume, cipher, unit, address, i, plain, &mirror, &n_mirrors, err))
				return false;
			c->confirmed = mirror < n_mirrors;
			secret_wipe(plain, sizeof(plain));
		}
		if (!c->confirmed && (place >= c->boundary || unfinished) &&
		    !block_is_plain(c->volume, cipher, unit, address, i, &c->confirmed, err))
			return false;
	}
	return true;
}

struct joining {
	struct unit_map *map;
	const struct key_schedule *schedule;
	uint64_t boundary;
};

static void join(struct unit_map *map, size_t number, size_t extent)
{
	map->group[number].joined = 1;
	map->group[number].link = (uint32_t)extent;
	map->of_extent[extent] = (uint32_t)number;
	map->n_joined++;
}

/* Joins them where the units are those of what lies there now. */
static bool try_group(const struct joining *joining, size_t number, size_t extent, struct error *err)
{
	struct unit_map *map = joining->map;
	const struct unit_group group = unit_map_group(map, number);
	struct confirming c = { map->volume, joining->schedule, joining->boundary, map->scan->extent[extent].logical, false };

	if (map->group[number].joined || group.extent_len != map->scan->extent[extent].length)
		return true;
	if (!unit_map_visit(map, &group, confirm_unit, &c, err))
		return false;
	if (c.confirmed)
		join(map, number, extent);
	return true;
}

/* --- by address ----------------------------------------------------------------------------------- */

/* Extents that are where they were sealed. */
static bool join_in_place(const struct joining *joining, struct error *err)
{
	const struct scan *scan = joining->map->scan;

	for (size_t i = 0; i < scan->n_extents; i++) {
		struct unit_group group;

		if (unit_map_of(joining->map, scan->extent[i].logical, &group) && group.unit_id == scan->extent[i].logical &&
		    !try_group(joining, group.number, i, err))
			return false;
	}
	return true;
}

/* --- by what their units say ----------------------------------------------------------------------- */

/* How many units are looked for at once: with the sorting 64 MiB. */
#define HINTS_AT_ONCE (2u << 20)

struct hint {
	uint64_t value;
	uint32_t group;
};

enum hint_kind {
	HINT_ADDRESS,	/* stored since the extent moved */
	HINT_CONTENT,	/* its first bytes */
};

struct hints {
	const struct unit_map *map;
	enum hint_kind kind;
	struct hint *at;
	size_t n, room;
	size_t next;	/* group to go on with */
};

static uint64_t first_value(const uint8_t first[8])
{
	uint64_t value;

	memcpy(&value, first, sizeof(value));
	return value;
}

static bool gather_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct hints *hints = context;
	const struct unit_group group = unit_map_group(hints->map, hints->next);
	const struct unit_group_kept *kept = &hints->map->group[hints->next];

	(void)place, (void)err;
	if (unit->unit_id != group.unit_id)
		return true;	/* before the first one, or a further unit of the same extent */
	if (!kept->joined && (hints->kind == HINT_CONTENT || kept->elsewhere))
		hints->at[hints->n++] = (struct hint){ hints->kind == HINT_CONTENT ? first_value(unit->first) : unit->address,
						       (uint32_t)hints->next };
	hints->next++;
	*go = hints->n < hints->room && hints->next < hints->map->n_groups;
	return true;
}

static int compare_hints(const void *a, const void *b)
{
	const struct hint *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->group < y->group ? -1 : x->group > y->group;
}

/* The first hint with this value or a larger one. */
static size_t find_hint(const struct hints *hints, uint64_t value)
{
	size_t low = 0, high = hints->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (hints->at[middle].value < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Tries the groups with this hint. */
static bool try_value(const struct joining *joining, const struct hints *hints, uint64_t value, size_t extent, struct error *err)
{
	const size_t first = find_hint(hints, value);

	for (size_t i = first; i < hints->n && i - first < HINT_TRIES && hints->at[i].value == value; i++) {
		if (joining->map->of_extent[extent] != UNIT_GROUP_NONE)
			break;
		if (!try_group(joining, hints->at[i].group, extent, err))
			return false;
	}
	return true;
}

static bool try_content(const struct joining *joining, const struct hints *hints, size_t extent, struct error *err)
{
	struct volume *volume = joining->map->volume;
	const uint64_t address = joining->map->scan->extent[extent].logical;
	const struct chunk *chunk;
	uint8_t first[8];

	if (!volume_chunk(volume, address, &chunk, err))
		return false;
	for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk) && joining->map->of_extent[extent] == UNIT_GROUP_NONE; mirror++) {
		if (unit_mirror_read(volume, address, first, sizeof(first), mirror) &&
		    !try_value(joining, hints, first_value(first), extent, err))
			return false;
	}
	return true;
}

static bool try_hints(const struct joining *joining, const struct hints *hints, struct error *err)
{
	const struct scan *scan = joining->map->scan;

	for (size_t i = 0; i < scan->n_extents; i++) {
		if (joining->map->of_extent[i] == UNIT_GROUP_NONE &&
		    !(hints->kind == HINT_ADDRESS ? try_value(joining, hints, scan->extent[i].logical, i, err) :
						    try_content(joining, hints, i, err)))
			return false;
	}
	return true;
}

/* Piece by piece, so that it takes no more memory however many there are. */
static bool join_by(const struct joining *joining, enum hint_kind kind, struct error *err)
{
	const struct unit_map *map = joining->map;
	const size_t wanted = kind == HINT_CONTENT ? map->n_groups - map->n_joined : map->n_elsewhere;
	struct hints hints = { .map = map, .kind = kind, .room = wanted < HINTS_AT_ONCE ? wanted : HINTS_AT_ONCE };
	bool ok = true;

	if (wanted == 0 || map->n_joined == map->scan->n_extents)
		return true;
	hints.at = reallocarray(NULL, hints.room, sizeof(*hints.at));
	if (!hints.at)
		return error_memory(err);
	while (ok && hints.next < map->n_groups) {
		const size_t from = hints.next;

		hints.n = 0;
		ok = unit_map_visit_from(map, unit_map_group(map, from).place, gather_unit, &hints, err) &&
		     (hints.next > from || error_set(err, ERROR_CORRUPT, "the units of domain %u changed while they were read", map->domain));
		if (ok && hints.n > 0) {
			qsort(hints.at, hints.n, sizeof(*hints.at), compare_hints);
			ok = try_hints(joining, &hints, err);
		}
	}
	free(hints.at);
	return ok;
}

/* --- all of them --------------------------------------------------------------------------------------- */

static bool begin(struct unit_map *map, const struct scan *scan, struct error *err)
{
	assert(!map->scan);
	if (scan->n_extents >= UNIT_GROUP_NONE)
		return error_set(err, ERROR_MEMORY, "more than %u extents", UNIT_GROUP_NONE);
	map->of_extent = reallocarray(NULL, scan->n_extents ? scan->n_extents : 1, sizeof(*map->of_extent));
	if (!map->of_extent)
		return error_memory(err);
	for (size_t i = 0; i < scan->n_extents; i++)
		map->of_extent[i] = UNIT_GROUP_NONE;
	map->scan = scan;
	return true;
}

bool unit_map_join(struct unit_map *map, const struct scan *scan, const struct key_schedule *schedule, uint64_t boundary,
		   struct error *err)
{
	const struct joining joining = { map, schedule, boundary };

	return begin(map, scan, err) && join_in_place(&joining, err) && join_by(&joining, HINT_ADDRESS, err) &&
	       join_by(&joining, HINT_CONTENT, err);
}

bool unit_map_join_placed(struct unit_map *map, const struct scan *scan, struct error *err)
{
	if (map->n_groups != scan->n_extents)
		return error_set(err, ERROR_CORRUPT, "there are units for %zu extents, the members have %zu", map->n_groups, scan->n_extents);
	if (!begin(map, scan, err))
		return false;
	for (size_t i = 0; i < scan->n_extents; i++) {
		const struct unit_group group = unit_map_group(map, i);

		if (group.unit_id != scan->extent[i].logical || group.extent_len != scan->extent[i].length)
			return error_set(err, ERROR_CORRUPT, "the units at %#" PRIx64 " do not fit the extent %#" PRIx64, group.unit_id,
					 scan->extent[i].logical);
		join(map, i, i);
	}
	return true;
}
