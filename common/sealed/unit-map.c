/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the units of a domain and finds them by address. */
#include "common/sealed/unit-map.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/sealed/crypt-list.h"
#include "common/util/array.h"
#include "common/util/lower-bound.h"
#include "common/util/take.h"
#include "common/volume/mirror.h"
#include "common/volume/tolerance.h"
#include "common/volume/warn.h"

void unit_map_free(struct unit_map *map)
{
	if (!map)
		return;
	free(map->group);
	free(map->n_before);
	free(map->of_extent);
	free(map);
}

/* --- walking the items ---------------------------------------------------------------------- */

struct units_walk {
	uint64_t place;
	unit_visit *visit;
	tree_gap *gap;
	void *context;
};

/* The held leaf has the bytes that a unit borrows. */
static bool units_item(void *context, struct crypt_list_item *item, bool *go, struct error *err)
{
	const struct units_walk *walk = context;

	for (unsigned entry = 0; *go && entry < item->n; entry++) {
		const uint64_t here = UNIT_PLACE(item->index, entry);
		struct crypt_unit unit;

		if (!crypt_unit_next(&item->entries, item->whole.left, &unit, err) ||
		    (here >= walk->place && !walk->visit(walk->context, &unit, here, go, err)))
			return false;
	}
	return true;
}

static bool units_gap(void *context, const struct error *what, struct error *err)
{
	const struct units_walk *walk = context;

	return walk->gap(walk->context, what, err);
}

bool unit_map_visit_over(const struct unit_map *map, uint64_t place, unit_visit *visit, tree_gap *gap, void *context, struct error *err)
{
	struct units_walk walk = { place, visit, gap, context };
	const struct crypt_list_visitor visitor = { units_item, gap ? units_gap : NULL, &walk };

	return crypt_list_walk(map->volume, map->domain, CRYPT_UNITS, place >> 16, &visitor, err);
}

bool unit_map_visit_from(const struct unit_map *map, uint64_t place, unit_visit *visit, void *context, struct error *err)
{
	return unit_map_visit_over(map, place, visit, NULL, context, err);
}

bool unit_map_visit_all(const struct unit_map *map, unit_visit *visit, void *context, struct error *err)
{
	return unit_map_visit_from(map, 0, visit, context, err);
}

struct group_walk {
	const struct unit_group *group;
	bool is_met;		/* one of its units was met */
	unit_visit *visit;
	void *context;
};

static bool in_group(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct group_walk *walk = context;
	const uint64_t end = unit->offset_in_extent + (uint64_t)unit->blocks * CRYPT_BLOCK;

	const bool is_of_it = unit->unit_id - unit->offset_in_extent == walk->group->unit_id && unit->extent_len == walk->group->extent_len;

	/* The item holds other units before those of the group, maybe out of order. */
	if (!is_of_it && !walk->is_met && (unit->unit_id < walk->group->unit_id || place >> 16 == walk->group->place >> 16))
		return true;
	walk->is_met = true;
	if (!is_of_it)
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
	struct group_walk walk = { .group = group, .visit = visit, .context = context };

	return unit_map_visit_from(map, group->place, in_group, &walk, err);
}

/* --- reading -------------------------------------------------------------------------------------- */

struct unit_reading {
	struct unit_map *map;
	bool over;
	size_t group_room, item_room;
	uint64_t last_id, last_len;	/* of the last group; length 0: there is none yet */
	uint64_t expect_offset;		/* offset in its extent; equal to its length: complete */
};

static uint64_t unit_id_of(const struct unit_group_kept *group)
{
	return ((uint64_t)group->block_high << 32 | group->block_low) * CRYPT_BLOCK;
}

/* Returns the item that a group begins in: the last item before which no more groups begin. */
static uint64_t item_of(const struct unit_map *map, size_t number)
{
	const size_t behind = LOWER_BOUND(i, map->n_items, map->n_before[i] <= number);

	return behind > 0 ? behind - 1 : 0;
}

static bool too_many(struct error *err)
{
	return error_set(err, ERROR_MEMORY, "more than %u extents or items of units", UNIT_GROUP_NONE);
}

/* Notes every item up to this place, with the number of groups before it. */
static bool note_items(struct unit_reading *reading, uint64_t place, struct error *err)
{
	struct unit_map *map = reading->map;

	while (map->n_items <= place >> 16) {
		if (map->n_items >= UNIT_GROUP_NONE)
			return too_many(err);
		if (!ARRAY_ROOM(map->n_before, map->n_items, reading->item_room, err))
			return false;
		map->n_before[map->n_items++] = (uint32_t)map->n_groups;
	}
	return true;
}

static bool add_group(struct unit_reading *reading, const struct crypt_unit *unit, struct error *err)
{
	struct unit_map *map = reading->map;
	const uint64_t block = unit->unit_id / CRYPT_BLOCK, n_blocks = unit->extent_len / CRYPT_BLOCK;

	if (n_blocks > UINT32_MAX)
		return error_set(err, ERROR_CORRUPT, "unit %#" PRIx64 ": extent_len is %" PRIu64, unit->unit_id, unit->extent_len);
	if (map->n_groups >= UNIT_GROUP_NONE)
		return too_many(err);
	if (!ARRAY_ROOM(map->group, map->n_groups, reading->group_room, err))
		return false;
	map->group[map->n_groups++] = (struct unit_group_kept){
		.block_low = (uint32_t)block,
		.block_high = (uint32_t)(block >> 32),
		.elsewhere = unit->address != unit->unit_id,
		.link = (uint32_t)n_blocks,
	};
	map->n_elsewhere += unit->address != unit->unit_id;
	reading->last_id = unit->unit_id;
	reading->last_len = unit->extent_len;
	return true;
}

/* Survives damage if that is wanted. */
static bool survive(const struct unit_reading *reading, const struct error *err)
{
	if (!reading->over || !error_is_damage(err))
		return false;
	if (reading->map->damage.kind == ERROR_NONE)
		reading->map->damage = *err;
	return true;
}

/* Drops the last group as if it had never been there. */
static void drop_group(struct unit_reading *reading)
{
	struct unit_map *map = reading->map;
	const size_t number = --map->n_groups;

	map->n_elsewhere -= map->group[number].elsewhere;
	for (uint64_t item = item_of(map, number) + 1; item < map->n_items; item++)
		map->n_before[item]--;
	reading->last_id = number > 0 ? unit_id_of(&map->group[number - 1]) : 0;
	reading->last_len = number > 0 ? (uint64_t)map->group[number - 1].link * CRYPT_BLOCK : 0;
	reading->expect_offset = reading->last_len;
}

static bool is_open(const struct unit_reading *reading)
{
	return reading->expect_offset < reading->last_len;
}

static bool goes_on(const struct unit_reading *reading, const struct crypt_unit *unit)
{
	return unit->unit_id == reading->last_id + reading->expect_offset && unit->offset_in_extent == reading->expect_offset &&
	       unit->extent_len == reading->last_len;
}

static bool is_behind(const struct unit_reading *reading, const struct crypt_unit *unit)
{
	return reading->map->n_groups == 0 || unit->unit_id >= reading->last_id + reading->last_len;
}

/*
 * Begins with the first unit of an extent. If two are out of order, the wrong one is the one that is not where it
 * says it was sealed; otherwise it is the first.
 */
static bool begin_group(struct unit_reading *reading, const struct crypt_unit *unit, struct error *err)
{
	struct unit_map *map = reading->map;

	if (unit->offset_in_extent != 0)
		return error_set(err, ERROR_CORRUPT, "unit %#" PRIx64 ": the units before offset %" PRIu64 " of its extent are missing",
				 unit->unit_id, unit->offset_in_extent) || survive(reading, err);
	if (!is_behind(reading, unit)) {
		error_set(err, ERROR_CORRUPT, "unit %#" PRIx64 " is not after the extent %#" PRIx64 "+%" PRIu64, unit->unit_id,
			  reading->last_id, reading->last_len);
		if (!survive(reading, err))
			return false;
		if (unit->address != unit->unit_id && !map->group[map->n_groups - 1].elsewhere)
			return true;
		drop_group(reading);
		if (!is_behind(reading, unit))
			return true;
	}
	reading->expect_offset = (uint64_t)unit->blocks * CRYPT_BLOCK;
	return add_group(reading, unit, err);
}

static bool read_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct unit_reading *reading = context;
	struct unit_map *map = reading->map;

	(void)go;
	if (!note_items(reading, place, err))
		return false;
	map->n_units++;
	map->cipher = unit->cipher;
	if (is_open(reading) && goes_on(reading, unit)) {
		reading->expect_offset += (uint64_t)unit->blocks * CRYPT_BLOCK;
		return true;
	}
	if (is_open(reading)) {
		error_set(err, ERROR_CORRUPT, "unit %#" PRIx64 ": the extent at %#" PRIx64 " goes on at offset %" PRIu64 ", a unit is missing",
			  unit->unit_id, reading->last_id, reading->expect_offset);
		if (!survive(reading, err))
			return false;
		drop_group(reading);
	}
	return begin_group(reading, unit, err);
}

static bool pass_by(void *context, const struct error *what, struct error *err)
{
	(void)err;
	return survive(context, what);
}

/* Gives back unused room. If that fails, it is kept. */
static void shrink(void *array, size_t n, size_t size)
{
	void **at = array;
	void *shrunk = n ? reallocarray(*at, n, size) : NULL;

	if (shrunk)
		*at = shrunk;
}

static bool read_map(struct volume *volume, uint16_t domain, bool over, struct unit_map **result, struct error *err)
{
	cleanup_unit_map struct unit_map *map = calloc(1, sizeof(*map));
	struct unit_reading reading = { .map = map, .over = over };

	if (!map)
		return error_memory(err);
	map->volume = volume;
	map->domain = domain;
	if (!(over ? unit_map_visit_over(map, 0, read_unit, pass_by, &reading, err) : unit_map_visit_all(map, read_unit, &reading, err)))
		return false;
	if (is_open(&reading)) {
		error_set(err, ERROR_CORRUPT, "the last units of the extent %#" PRIx64 " are missing", reading.last_id);
		if (!survive(&reading, err))
			return false;
		drop_group(&reading);
	}
	shrink(&map->group, map->n_groups, sizeof(*map->group));
	shrink(&map->n_before, map->n_items, sizeof(*map->n_before));
	*result = TAKE(map);
	return true;
}

bool unit_map_read(struct volume *volume, uint16_t domain, struct unit_map **map, struct error *err)
{
	return read_map(volume, domain, false, map, err);
}

bool unit_map_read_over(struct volume *volume, uint16_t domain, struct unit_map **map, struct error *err)
{
	return read_map(volume, domain, true, map, err);
}

/* --- finding groups --------------------------------------------------------------------------------- */

static uint64_t extent_len_of(const struct unit_map *map, const struct unit_group_kept *group)
{
	return group->joined ? map->scan->extent[group->link].length : (uint64_t)group->link * CRYPT_BLOCK;
}

struct unit_group unit_map_group(const struct unit_map *map, size_t number)
{
	const struct unit_group_kept *kept = &map->group[number];

	return (struct unit_group){
		.number = number,
		.unit_id = unit_id_of(kept),
		.extent_len = extent_len_of(map, kept),
		.place = UNIT_PLACE(item_of(map, number), 0),
		.address = kept->joined ? map->scan->extent[kept->link].logical : 0,
		.guessed = kept->guessed,
	};
}

bool unit_map_of(const struct unit_map *map, uint64_t unit_id, struct unit_group *group)
{
	/* The group behind the one that begins at or before unit_id. */
	const size_t i = LOWER_BOUND(at, map->n_groups, unit_id_of(&map->group[at]) <= unit_id);

	if (i == 0 || unit_id - unit_id_of(&map->group[i - 1]) >= extent_len_of(map, &map->group[i - 1]))
		return false;
	*group = unit_map_group(map, i - 1);
	return true;
}

bool unit_map_at(const struct unit_map *map, uint64_t address, struct unit_group *group)
{
	const struct scan_extent *extent = map->scan ? scan_extent_at(map->scan, address) : NULL;
	const uint32_t number = extent ? map->of_extent[extent - map->scan->extent] : UNIT_GROUP_NONE;

	if (number == UNIT_GROUP_NONE)
		return false;
	*group = unit_map_group(map, number);
	return true;
}

uint64_t unit_map_joined_bytes(const struct unit_map *map)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < map->n_groups; i++)
		bytes += map->group[i].joined && !map->group[i].guessed ? extent_len_of(map, &map->group[i]) : 0;
	return bytes;
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

bool unit_block_read(struct volume *volume, unit_cipher_read *read, const struct unit_here *here, uint32_t i, uint8_t out[CRYPT_BLOCK],
		     unsigned *mirror, struct error *err)
{
	const uint64_t at = here->address + (uint64_t)i * CRYPT_BLOCK;
	unsigned n_mirrors;

	*mirror = BLOCK_NOWHERE;
	if (!volume_n_mirrors(volume, at, &n_mirrors, err))
		return false;
	for (unsigned n = 0; n < n_mirrors && *mirror == BLOCK_NOWHERE; n++) {
		bool right;

		if (!unit_mirror_read(volume, at, out, CRYPT_BLOCK, n))
			continue;
		if (!read(here->cipher, i, out, CRYPT_BLOCK, out, here->unit->tags + (size_t)i * CRYPT_TAG_SIZE, &right, err))
			return false;
		if (right)
			*mirror = n;
	}
	return true;
}
