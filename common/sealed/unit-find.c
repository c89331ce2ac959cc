/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds units by binary search, and moved ones in tables of what units say about themselves. */
#include "common/sealed/unit-find.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/sealed/unit-confirm.h"
#include "common/util/array.h"
#include "common/util/lower-bound.h"
#include "common/util/order.h"
#include "common/volume/mirror.h"
#include "common/volume/tolerance.h"

/* Limits units with the same hint. In a real domain there are hardly any; in a hostile one all could be the same. */
#define HINT_TRIES 64u

enum hint_kind {
	HINT_ADDRESS,	/* the address where it was seen since it moved */
	HINT_CONTENT,	/* the first bytes of its ciphertext */
	HINT_LOCATOR,	/* a file that it belongs to */
	HINT_LENGTH,	/* the length of the extent */
	HINT_KINDS,
};

struct hint {
	uint64_t value;
	uint64_t place;		/* place of the extent's first unit */
};

struct hints {		/* ascending by value, then place */
	struct hint *at;
	size_t n, room;
};

struct unit_seeker {
	const struct domain *domain;
	enum effort effort;		/* effort of the current search, except for guesses */
	struct unit_map items;		/* only volume and domain are set */
	struct hints hints[HINT_KINDS];
	bool has_moved, has_guesses;	/* the first two kinds were read; the others were read */
	unsigned n_passes;
	struct error damage;		/* in skipped items, which may hold what is not found */
	/* The item found last has the units from `first` up to but not including `end`. */
	bool has_last;
	uint64_t last, last_first, last_end;
};

bool unit_seeker_new(const struct domain *domain, struct unit_seeker **seeker, struct error *err)
{
	*seeker = calloc(1, sizeof(**seeker));
	if (!*seeker)
		return error_memory(err);
	(*seeker)->domain = domain;
	(*seeker)->items.volume = domain->volume;
	(*seeker)->items.domain = domain->header.domain;
	return true;
}

void unit_seeker_free(struct unit_seeker *seeker)
{
	if (!seeker)
		return;
	for (unsigned i = 0; i < HINT_KINDS; i++)
		free(seeker->hints[i].at);
	free(seeker);
}

unsigned unit_seeker_passes(const struct unit_seeker *seeker)
{
	return seeker->n_passes;
}

/* --- by address ------------------------------------------------------------------------------------------------- */

static void note_damage(struct unit_seeker *seeker, const struct error *what)
{
	if (seeker->damage.kind == ERROR_NONE)
		seeker->damage = *what;
}

struct first {
	struct unit_seeker *seeker;
	uint64_t item, id;
};

static bool take_first(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct first *first = context;

	(void)err;
	first->item = place >> 16;
	first->id = unit->unit_id;
	*go = false;
	return true;
}

static bool pass_first(void *context, const struct error *what, struct error *err)
{
	(void)err;
	note_damage(((struct first *)context)->seeker, what);
	return true;
}

/* Finds the first readable unit from an item on: its unit_id and item. The item is UINT64_MAX if there is none. */
static bool first_from(struct unit_seeker *seeker, uint64_t index, struct first *first, struct error *err)
{
	*first = (struct first){ .seeker = seeker, .item = UINT64_MAX };
	return unit_map_visit_over(&seeker->items, UNIT_PLACE(index, 0), take_first, pass_first, first, err);
}

/* Finds the item that a unit with this address would be in. Sets *found to false if that is before the first item. */
static bool find_item(struct unit_seeker *seeker, uint64_t address, bool *found, struct error *err)
{
	uint64_t low = 0, high = seeker->domain->header.n_unit_items;
	uint64_t first = 0, end = UINT64_MAX;

	*found = seeker->has_last && address >= seeker->last_first && address < seeker->last_end;
	if (*found)
		return true;
	/* As far as known, the items before low begin at or before the address, those from high on behind it. */
	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;
		struct first at;

		if (!first_from(seeker, middle, &at, err))
			return false;
		/* No item between middle and the one found can be read. */
		if (at.item >= high) {
			high = middle;
		} else if (at.id > address) {
			high = middle;
			end = at.id;
		} else {
			low = at.item + 1;
			first = at.id;
		}
	}
	*found = low > 0;
	if (*found) {
		seeker->has_last = true;
		seeker->last = low - 1;
		seeker->last_first = first;
		seeker->last_end = end;
	}
	return true;
}

struct looking {
	struct unit_seeker *seeker;
	uint64_t address, length;
	struct unit_group group;
	bool found, was_moved;
};

static void take_group(struct unit_group *group, const struct crypt_unit *unit, uint64_t place)
{
	*group = (struct unit_group){ .unit_id = unit->unit_id, .extent_len = unit->extent_len, .place = place };
}

static bool look_at(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct looking *looking = context;

	(void)err;
	*go = unit->unit_id < looking->address;
	if (unit->unit_id != looking->address || unit->offset_in_extent != 0 || unit->extent_len != looking->length)
		return true;
	take_group(&looking->group, unit, place);
	looking->found = true;
	looking->was_moved = unit->address != unit->unit_id;
	return true;
}

static bool pass_looking(void *context, const struct error *what, struct error *err)
{
	(void)err;
	note_damage(((struct looking *)context)->seeker, what);
	return true;
}

/* Finds what was sealed at this address with this length. */
static bool find_in_place(struct unit_seeker *seeker, struct looking *looking, struct error *err)
{
	bool found;

	return find_item(seeker, looking->address, &found, err) &&
	       (!found || unit_map_visit_over(&seeker->items, UNIT_PLACE(seeker->last, 0), look_at, pass_looking, looking, err));
}

/* --- by what units say ------------------------------------------------------------------------------------------- */

static bool add_hint(struct hints *hints, uint64_t value, uint64_t place, struct error *err)
{
	if (!ARRAY_ROOM(hints->at, hints->n, hints->room, err))
		return false;
	hints->at[hints->n++] = (struct hint){ value, place };
	return true;
}

/* Different files may have the same value. A tag tells them apart. */
static uint64_t locator_value(uint64_t inode, uint64_t file_offset)
{
	return inode * UINT64_C(0x9e3779b97f4a7c15) ^ file_offset;
}

static bool gather_moved(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct unit_seeker *seeker = context;

	(void)go;
	return unit->offset_in_extent != 0 ||
	       (add_hint(&seeker->hints[HINT_CONTENT], unit_first_value(unit->first), place, err) &&
		(unit->address == unit->unit_id || add_hint(&seeker->hints[HINT_ADDRESS], unit->address, place, err)));
}

static bool gather_guesses(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct unit_seeker *seeker = context;

	(void)go;
	return unit->offset_in_extent != 0 ||
	       (add_hint(&seeker->hints[HINT_LOCATOR], locator_value(unit->inode, unit->file_offset), place, err) &&
		add_hint(&seeker->hints[HINT_LENGTH], unit->extent_len, place, err));
}

ORDER_BY_2(compare_hints, struct hint, value, place);

static bool pass_gathering(void *context, const struct error *what, struct error *err)
{
	(void)err;
	note_damage(context, what);
	return true;
}

/* Reads the hints in one pass over the unit items, when they are first needed. */
static bool gather(struct unit_seeker *seeker, bool *is_done, unit_visit *visit, struct error *err)
{
	if (*is_done)
		return true;
	for (unsigned i = 0; i < HINT_KINDS; i++) {
		if (visit == gather_moved ? i <= HINT_CONTENT : i > HINT_CONTENT)
			seeker->hints[i].n = 0;		/* drop the hints of a failed pass */
	}
	seeker->n_passes++;
	if (!unit_map_visit_over(&seeker->items, 0, visit, pass_gathering, seeker, err))
		return false;
	for (unsigned i = 0; i < HINT_KINDS; i++) {
		if (seeker->hints[i].n > 0)
			qsort(seeker->hints[i].at, seeker->hints[i].n, sizeof(struct hint), compare_hints);
	}
	*is_done = true;
	return true;
}

/* Returns the first hint with this value or a larger one. */
static size_t first_hint(const struct hints *hints, uint64_t value)
{
	return LOWER_BOUND(i, hints->n, hints->at[i].value < value);
}

static bool take_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct unit_group *group = context;

	(void)err;
	take_group(group, unit, place);
	*go = false;
	return true;
}

/* Like unit_group_confirm(), but confirms nothing if units cannot be read. */
static bool confirm(struct unit_seeker *seeker, const struct unit_group *group, uint64_t address, enum effort effort, bool *confirmed, struct error *err)
{
	const struct unit_trial trial = { seeker->domain->schedule, UNIT_PLACE_END, effort };

	if (unit_group_confirm(&seeker->items, group, &trial, address, confirmed, err))
		return true;
	*confirmed = false;
	note_damage(seeker, err);
	return error_is_damage(err);
}

/* Are the data at the address sealed with the group whose first unit is at this place? */
static bool try_place(struct unit_seeker *seeker, uint64_t place, const struct unit_wanted *wanted, struct unit_group *group, bool *found,
		      struct error *err)
{
	*group = (struct unit_group){ 0 };
	*found = false;
	if (!unit_map_visit_from(&seeker->items, place, take_unit, group, err))
		return false;
	return group->extent_len != wanted->length || confirm(seeker, group, wanted->address, seeker->effort, found, err);
}

static bool try_value(struct unit_seeker *seeker, enum hint_kind kind, uint64_t value, const struct unit_wanted *wanted,
		      struct unit_group *group, bool *found, struct error *err)
{
	const struct hints *hints = &seeker->hints[kind];
	const size_t first = first_hint(hints, value);

	*found = false;
	for (size_t i = first; !*found && i < hints->n && i - first < HINT_TRIES && hints->at[i].value == value; i++) {
		if (!try_place(seeker, hints->at[i].place, wanted, group, found, err))
			return false;
	}
	return true;
}

static bool find_moved(struct unit_seeker *seeker, const struct unit_wanted *wanted, struct unit_group *group, bool *found, struct error *err)
{
	struct volume *volume = seeker->domain->volume;
	unsigned n_mirrors;
	uint8_t first[8];

	*found = false;
	if (!gather(seeker, &seeker->has_moved, gather_moved, err) ||
	    !try_value(seeker, HINT_ADDRESS, wanted->address, wanted, group, found, err) ||
	    (!*found && !volume_n_mirrors(volume, wanted->address, &n_mirrors, err)))
		return false;
	for (unsigned mirror = 0; !*found && mirror < n_mirrors; mirror++) {
		if (unit_mirror_read(volume, wanted->address, first, sizeof(first), mirror) &&
		    !try_value(seeker, HINT_CONTENT, unit_first_value(first), wanted, group, found, err))
			return false;
	}
	return true;
}

/* --- the search --------------------------------------------------------------------------------------------------- */

bool unit_guess(struct unit_seeker *seeker, const struct unit_wanted *wanted, struct unit_group guesses[UNIT_GUESSES_MAX], size_t *n,
		size_t *n_located, struct error *err)
{
	static const enum hint_kind kinds[] = { HINT_LOCATOR, HINT_LENGTH };
	const uint64_t values[] = { locator_value(wanted->inode, wanted->file_offset), wanted->length };

	*n = *n_located = 0;
	if (!gather(seeker, &seeker->has_guesses, gather_guesses, err))
		return false;
	for (size_t k = 0; k < 2; k++) {
		const struct hints *hints = &seeker->hints[kinds[k]];

		for (size_t i = first_hint(hints, values[k]); *n < UNIT_GUESSES_MAX && i < hints->n && hints->at[i].value == values[k]; i++) {
			struct unit_group *group = &guesses[*n];

			*group = (struct unit_group){ 0 };
			if (!unit_map_visit_from(&seeker->items, hints->at[i].place, take_unit, group, err))
				return false;
			*n += group->extent_len == wanted->length;
		}
		if (kinds[k] == HINT_LOCATOR)
			*n_located = *n;
	}
	return true;
}

/* Last step, for an extent too damaged to be recognised by its first bytes. Units that only have the same length are tried only if it is marked. */
static bool find_guessed(struct unit_seeker *seeker, const struct unit_wanted *wanted, struct unit_group *group, bool *found, struct error *err)
{
	struct unit_group guesses[UNIT_GUESSES_MAX];
	size_t n, n_located;

	*found = false;
	if (!unit_guess(seeker, wanted, guesses, &n, &n_located, err))
		return false;
	for (size_t i = 0; i < (wanted->marked ? n : n_located) && !*found; i++) {
		if (!confirm(seeker, &guesses[i], wanted->address, i < n_located ? EFFORT_EVERY : EFFORT_SPREAD, found, err))
			return false;
		*group = guesses[i];
	}
	return true;
}

bool unit_find(struct unit_seeker *seeker, const struct unit_wanted *wanted, enum unit_trust trust, struct unit_group *group, bool *found,
	       bool *confirmed, struct error *err)
{
	struct looking looking = { .seeker = seeker, .address = wanted->address, .length = wanted->length };

	*found = *confirmed = false;
	seeker->effort = trust == UNIT_BY_ANY_TAG ? EFFORT_EVERY : EFFORT_FIRST;
	if (!find_in_place(seeker, &looking, err))
		return false;
	*group = looking.group;
	*found = looking.found && wanted->marked && !looking.was_moved && trust == UNIT_BY_PLACE;
	if (!*found && looking.found && !confirm(seeker, group, wanted->address, seeker->effort, confirmed, err))
		return false;
	if (!*found && !*confirmed && !find_moved(seeker, wanted, group, confirmed, err))
		return false;
	if (!*found && !*confirmed && (wanted->marked || trust == UNIT_BY_ANY_TAG) && !find_guessed(seeker, wanted, group, confirmed, err))
		return false;
	if (!*confirmed)
		*group = looking.group;
	*found = *confirmed || (looking.found && wanted->marked);
	group->address = *found ? wanted->address : 0;
	if (*found || seeker->damage.kind == ERROR_NONE)
		return true;
	*err = seeker->damage;	/* better than the error that it was never sealed */
	return false;
}
