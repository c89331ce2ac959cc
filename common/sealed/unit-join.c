/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Joins the units of a domain to the extents on disk: by address, by content, or by other things that the units say, confirmed by a tag. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/sealed/unit-confirm.h"
#include "common/util/lower-bound.h"
#include "common/util/order.h"
#include "common/volume/mirror.h"

/* Limits units with the same hint. In a real domain there are hardly any; in a hostile one all could be the same. */
#define HINT_TRIES 64u

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

static void guess(struct unit_map *map, size_t number, size_t extent)
{
	join(map, number, extent);
	map->group[number].guessed = 1;
	map->n_joined--;
	map->n_guessed++;
}

/* Joins the group and the extent if the units belong to the data that lie there now. */
static bool try_group(const struct joining *joining, size_t number, size_t extent, enum effort effort, struct error *err)
{
	struct unit_map *map = joining->map;
	const struct unit_trial trial = { joining->schedule, joining->boundary, effort };
	const struct unit_group group = unit_map_group(map, number);
	bool confirmed;

	if (map->group[number].joined || group.extent_len != map->scan->extent[extent].length)
		return true;
	if (!unit_group_confirm(map, &group, &trial, map->scan->extent[extent].logical, &confirmed, err))
		return false;
	if (confirmed)
		join(map, number, extent);
	return true;
}

/* --- by address ----------------------------------------------------------------------------------- */

/* May the extent be taken for what was sealed at its address, until something else contradicts that? */
static bool is_taken(const struct unit_map *map, size_t number, size_t extent)
{
	const struct scan_extent *at = &map->scan->extent[extent];

	return map->by_place && at->marked && !at->unmarked && !map->group[number].elsewhere && !map->group[number].joined &&
	       unit_map_group(map, number).extent_len == at->length;
}

/* Joins extents that are where they were sealed. */
static bool join_in_place(const struct joining *joining, struct error *err)
{
	const struct scan *scan = joining->map->scan;

	for (size_t i = 0; i < scan->n_extents; i++) {
		struct unit_group group;

		if (!unit_map_of(joining->map, scan->extent[i].logical, &group) || group.unit_id != scan->extent[i].logical)
			continue;
		if (is_taken(joining->map, group.number, i))
			join(joining->map, group.number, i);
		else if (!try_group(joining, group.number, i, EFFORT_FIRST, err))
			return false;
	}
	return true;
}

/* --- by what their units say ----------------------------------------------------------------------- */

/* How many units are searched for at once. With the sorting, that takes 64 MiB. */
#define HINTS_AT_ONCE (2u << 20)

struct hint {
	uint64_t value;
	uint32_t group;
	uint32_t next;		/* where to continue once the group is joined */
};

enum hint_kind {
	HINT_ADDRESS,	/* the address stored since the extent moved */
	HINT_CONTENT,	/* its first bytes */
	HINT_REFERENCE,	/* subvolume, inode and file offset of one reference */
	HINT_FILE,	/* inode and file offset: a snapshot may have the file although the subvolume is gone */
	HINT_LENGTH,	/* only the length */
};

struct hints {
	const struct unit_map *map;
	enum hint_kind kind;
	bool guess;		/* takes the first that fits, without a tag */
	struct hint *at;
	size_t n, room;
	size_t next;	/* the group to continue with */
	size_t near;	/* behind the last match: a balance moves neighbours together */
};

/* Different numbers give different values, except those made to collide, which the tags tell apart. */
static uint64_t mix(uint64_t value, uint64_t number)
{
	value = (value ^ number) * UINT64_C(0x9e3779b97f4a7c15);
	return value ^ value >> 29;
}

static uint64_t first_value(const uint8_t first[8], uint64_t length)
{
	return mix(unit_first_value(first), length);
}

static uint64_t file_value(uint64_t inode, uint64_t file_offset, uint64_t length)
{
	return mix(mix(mix(0, inode), file_offset), length);
}

static uint64_t unit_value(enum hint_kind kind, const struct crypt_unit *unit)
{
	switch (kind) {
	case HINT_ADDRESS:
		return mix(unit->address, unit->extent_len);
	case HINT_CONTENT:
		return first_value(unit->first, unit->extent_len);
	case HINT_REFERENCE:
		return mix(file_value(unit->inode, unit->file_offset, unit->extent_len), unit->root);
	case HINT_FILE:
		return file_value(unit->inode, unit->file_offset, unit->extent_len);
	case HINT_LENGTH:
		break;
	}
	return unit->extent_len;
}

/* The value for HINT_CONTENT depends on the mirror. */
static uint64_t extent_value(enum hint_kind kind, const struct scan *scan, const struct scan_extent *extent)
{
	const uint64_t length = extent->length;

	switch (kind) {
	case HINT_ADDRESS:
		return mix(extent->logical, length);
	case HINT_REFERENCE:
		return mix(file_value(extent->inode, extent->file_offset, length), scan->member[extent->member]);
	case HINT_FILE:
		return file_value(extent->inode, extent->file_offset, length);
	case HINT_CONTENT:
	case HINT_LENGTH:
		break;
	}
	return length;
}

static bool gather_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct hints *hints = context;
	const struct unit_group group = unit_map_group(hints->map, hints->next);
	const struct unit_group_kept *kept = &hints->map->group[hints->next];

	(void)place, (void)err;
	if (unit->unit_id != group.unit_id)
		return true;	/* before the first unit, or a later unit of the same extent */
	if (!kept->joined && (hints->kind != HINT_ADDRESS || kept->elsewhere))
		hints->at[hints->n++] = (struct hint){ .value = unit_value(hints->kind, unit), .group = (uint32_t)hints->next };
	hints->next++;
	*go = hints->n < hints->room && hints->next < hints->map->n_groups;
	return true;
}

ORDER_BY_2(compare_hints, struct hint, value, group);

/* Returns the first hint with this value or a larger one. */
static size_t find_hint(const struct hints *hints, uint64_t value)
{
	return LOWER_BOUND(i, hints->n, hints->at[i].value < value);
}

/* Returns the first hint from i on whose group has no extent yet. Hints that were passed once are not passed again. */
static size_t next_free(struct hints *hints, size_t i)
{
	size_t end = i;

	while (end < hints->n && hints->map->group[hints->at[end].group].joined)
		end = hints->at[end].next;
	while (i < end) {
		const size_t next = hints->at[i].next;

		hints->at[i].next = (uint32_t)end;
		i = next;
	}
	return end;
}

static const enum effort effort_of[] = {
	[HINT_ADDRESS] = EFFORT_FIRST,
	[HINT_CONTENT] = EFFORT_FIRST,
	[HINT_REFERENCE] = EFFORT_EVERY,
	[HINT_FILE] = EFFORT_EVERY,
	[HINT_LENGTH] = EFFORT_SPREAD,
};

/* Looks for the group of an extent among those with a value. */
struct trial {
	struct hints *hints;
	uint64_t value;
	size_t extent;
	unsigned left;		/* how many may still be tried */
};

/* Tries the groups from place i up to but not including end. */
static bool try_range(const struct joining *joining, struct trial *trial, size_t i, size_t end, struct error *err)
{
	struct hints *const hints = trial->hints;
	const size_t extent = trial->extent;

	for (i = next_free(hints, i); i < end && hints->at[i].value == trial->value && trial->left > 0; i = next_free(hints, i + 1)) {
		trial->left--;
		if (hints->guess)
			guess(joining->map, hints->at[i].group, extent);
		else if (!try_group(joining, hints->at[i].group, extent, effort_of[hints->kind], err))
			return false;
		if (joining->map->of_extent[extent] != UNIT_GROUP_NONE) {
			hints->near = i + 1;
			return true;
		}
	}
	return true;
}

static bool try_value(const struct joining *joining, struct hints *hints, uint64_t value, size_t extent, struct error *err)
{
	const size_t first = find_hint(hints, value);
	const bool has_near = hints->near > first && hints->near < hints->n && hints->at[hints->near].value == value;
	const size_t from = has_near ? hints->near : first;
	struct trial trial = { hints, value, extent, HINT_TRIES };

	return try_range(joining, &trial, from, hints->n, err) &&
	       (joining->map->of_extent[extent] != UNIT_GROUP_NONE ||
		try_range(joining, &trial, first, from, err));
}

static bool try_content(const struct joining *joining, struct hints *hints, size_t extent, struct error *err)
{
	struct volume *volume = joining->map->volume;
	const struct scan_extent *at = &joining->map->scan->extent[extent];
	unsigned n_mirrors;
	uint8_t first[8];

	if (!volume_n_mirrors(volume, at->logical, &n_mirrors, err))
		return false;
	for (unsigned mirror = 0; mirror < n_mirrors && joining->map->of_extent[extent] == UNIT_GROUP_NONE; mirror++) {
		if (unit_mirror_read(volume, at->logical, first, sizeof(first), mirror) &&
		    !try_value(joining, hints, first_value(first, at->length), extent, err))
			return false;
	}
	return true;
}

/* While a conversion is unfinished, marks do not tell what is sealed. */
static bool is_wanted(const struct joining *joining, enum hint_kind kind, size_t extent)
{
	return joining->map->of_extent[extent] == UNIT_GROUP_NONE &&
	       (kind == HINT_ADDRESS || kind == HINT_CONTENT || joining->boundary != UNIT_PLACE_END || joining->map->scan->extent[extent].marked);
}

static bool is_any_wanted(const struct joining *joining, enum hint_kind kind)
{
	for (size_t i = 0; i < joining->map->scan->n_extents; i++) {
		if (is_wanted(joining, kind, i))
			return true;
	}
	return false;
}

static bool try_hints(const struct joining *joining, struct hints *hints, struct error *err)
{
	const struct scan *scan = joining->map->scan;

	for (size_t i = 0; i < scan->n_extents; i++) {
		if (is_wanted(joining, hints->kind, i) &&
		    !(hints->kind == HINT_CONTENT ? try_content(joining, hints, i, err) :
						    try_value(joining, hints, extent_value(hints->kind, scan, &scan->extent[i]), i, err)))
			return false;
	}
	return true;
}

/* Works piece by piece, so that memory does not depend on the number of units. */
static bool join_by(const struct joining *joining, enum hint_kind kind, bool guess, struct error *err)
{
	const struct unit_map *map = joining->map;
	const size_t wanted = kind == HINT_ADDRESS ? map->n_elsewhere : map->n_groups - map->n_joined - map->n_guessed;
	struct hints hints = { .map = map, .kind = kind, .guess = guess, .room = wanted < HINTS_AT_ONCE ? wanted : HINTS_AT_ONCE };
	bool ok = true;

	if (wanted == 0 || !is_any_wanted(joining, kind))
		return true;
	hints.at = reallocarray(NULL, hints.room, sizeof(*hints.at));
	if (!hints.at)
		return error_memory(err);
	while (ok && hints.next < map->n_groups) {
		const size_t from = hints.next;

		hints.n = hints.near = 0;
		ok = unit_map_visit_from(map, unit_map_group(map, from).place, gather_unit, &hints, err) &&
		     (hints.next > from || error_set(err, ERROR_CORRUPT, "the tags of sealing %u changed while they were read", map->domain));
		if (ok && hints.n > 0) {
			qsort(hints.at, hints.n, sizeof(*hints.at), compare_hints);
			for (size_t i = 0; i < hints.n; i++)
				hints.at[i].next = (uint32_t)i + 1;
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

	return begin(map, scan, err) && join_in_place(&joining, err) && join_by(&joining, HINT_ADDRESS, false, err) &&
	       join_by(&joining, HINT_CONTENT, false, err) && join_by(&joining, HINT_REFERENCE, false, err) &&
	       join_by(&joining, HINT_FILE, false, err) && join_by(&joining, HINT_LENGTH, false, err);
}

/* Joins marked extents that have no block as it was sealed. */
bool unit_map_guess(struct unit_map *map, struct error *err)
{
	const struct joining joining = { .map = map, .boundary = UNIT_PLACE_END };

	if (!join_by(&joining, HINT_REFERENCE, true, err))
		return false;
	for (size_t i = 0; i < map->scan->n_extents; i++) {
		const struct scan_extent *extent = &map->scan->extent[i];
		struct unit_group group;

		if (is_wanted(&joining, HINT_REFERENCE, i) && unit_map_of(map, extent->logical, &group) && group.unit_id == extent->logical &&
		    group.extent_len == extent->length && !map->group[group.number].joined)
			guess(map, group.number, i);
	}
	return join_by(&joining, HINT_FILE, true, err);
}

bool unit_map_join_placed(struct unit_map *map, const struct scan *scan, struct error *err)
{
	if (map->n_groups != scan->n_extents)
		return error_set(err, ERROR_CORRUPT, "there are tags for %zu extents, but the subvolumes have %zu", map->n_groups,
			scan->n_extents);
	if (!begin(map, scan, err))
		return false;
	for (size_t i = 0; i < scan->n_extents; i++) {
		const struct unit_group group = unit_map_group(map, i);

		if (group.unit_id != scan->extent[i].logical || group.extent_len != scan->extent[i].length)
			return error_set(err, ERROR_CORRUPT, "the tags at %#" PRIx64 " do not fit the extent %#" PRIx64, group.unit_id,
					 scan->extent[i].logical);
		join(map, i, i);
	}
	return true;
}

static bool join_stored(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct unit_map *map = context;
	const struct scan_extent *extent = unit->offset_in_extent == 0 ? scan_extent_at(map->scan, unit->address) : NULL;
	struct unit_group group;

	(void)place, (void)go, (void)err;
	if (extent && extent->length == unit->extent_len && unit_map_of(map, unit->unit_id, &group) &&
	    map->of_extent[extent - map->scan->extent] == UNIT_GROUP_NONE)
		join(map, group.number, (size_t)(extent - map->scan->extent));
	return true;
}

bool unit_map_join_stored(struct unit_map *map, const struct scan *scan, struct error *err)
{
	return begin(map, scan, err) && unit_map_visit_all(map, join_stored, map, err);
}

void unit_map_join_expected(struct unit_map *map)
{
	for (size_t i = 0; i < map->scan->n_extents; i++) {
		const struct scan_extent *extent = &map->scan->extent[i];
		struct unit_group group;

		if (!unit_map_of(map, extent->logical, &group) || group.unit_id != extent->logical || group.extent_len != extent->length)
			continue;
		if (map->of_extent[i] == group.number && group.guessed) {
			map->group[group.number].guessed = 0;
			map->n_guessed--;
			map->n_joined++;
		} else if (map->of_extent[i] == UNIT_GROUP_NONE && !map->group[group.number].joined) {
			join(map, group.number, i);
		}
	}
}
