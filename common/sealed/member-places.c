/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the member items of all domains and compares them with the list of subvolumes. */
#include "common/sealed/member-places.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs/path.h"
#include "common/fs/paths-above.h"
#include "common/fs/subvolume-label.h"
#include "common/fs/subvolume-place.h"
#include "common/sealed/domain-nested.h"
#include "common/sealed/domain.h"
#include "common/util/array.h"
#include "common/util/escape.h"
#include "common/util/lower-bound.h"
#include "common/util/order.h"

/* --- the items --------------------------------------------------------------------------------------------------- */

struct member_reading {
	struct member_places *places;
	uint16_t domain;
	bool ok;
};

static void take_member(void *context, const struct crypt_member *member)
{
	struct member_reading *reading = context;
	struct member_places *places = reading->places;
	struct member_place *place;
	struct error no_memory;

	reading->ok = reading->ok && ARRAY_ROOM(places->at, places->n, places->n_room, &no_memory);
	if (!reading->ok)
		return;
	place = &places->at[places->n];
	*place = (struct member_place){
		.domain = reading->domain, .id = member->id, .path = malloc(member->path_len + 1u), .path_len = member->path_len,
		.path_cut = member->path_cut,
	};
	reading->ok = reading->ok && place->path;
	if (!place->path)
		return;
	memcpy(place->path, member->path, member->path_len);
	memcpy(place->uuid, member->uuid, sizeof(place->uuid));
	places->n++;
}

ORDER_BY_2(compare_ids, struct member_place, id, domain);

static int compare_bytes(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	const int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : a_len < b_len ? -1 : a_len > b_len;
}

static int compare_paths(const void *a, const void *b, void *context)
{
	const struct member_places *places = context;
	const struct member_place *x = &places->at[*(const uint32_t *)a], *y = &places->at[*(const uint32_t *)b];

	const int order = compare_bytes(x->path, x->path_len, y->path, y->path_len);

	return order ? order : x->domain < y->domain ? -1 : x->domain > y->domain;
}

static bool sort(struct member_places *places, struct error *err)
{
	if (places->n == 0)
		return true;
	if (places->n > UINT32_MAX)
		return error_memory(err);
	qsort(places->at, places->n, sizeof(*places->at), compare_ids);
	places->by_path = reallocarray(NULL, places->n + 1, sizeof(*places->by_path));
	if (!places->by_path)
		return error_memory(err);
	for (size_t i = 0; i < places->n; i++)
		places->by_path[i] = (uint32_t)i;
	qsort_r(places->by_path, places->n, sizeof(*places->by_path), compare_paths, places);
	return true;
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

static bool is_before_path(const struct member_place *at, const uint8_t *path, size_t len, uint16_t domain)
{
	const int order = compare_bytes(at->path, at->path_len, path, len);

	return order < 0 || (order == 0 && at->domain < domain);
}

/*
 * Returns the index in by_path of the first entry with this path, in this domain or one with a higher
 * number, or of the entry that would follow it.
 */
static size_t first_of_path(const struct member_places *places, const uint8_t *path, size_t len, uint16_t domain)
{
	return LOWER_BOUND(i, places->n, is_before_path(&places->at[places->by_path[i]], path, len, domain));
}

/* Returns the i-th entry if it has this path, or NULL if there are no more. */
static const struct member_place *of_path(const struct member_places *places, size_t i, const uint8_t *path, size_t len)
{
	const struct member_place *at = i < places->n ? &places->at[places->by_path[i]] : NULL;

	return at && at->path_len == len && memcmp(at->path, path, len) == 0 ? at : NULL;
}

static size_t first_of_id(const struct member_places *places, uint64_t id)
{
	return LOWER_BOUND(i, places->n, places->at[i].id < id);
}

static bool is_place_of(const struct member_place *place, const struct subvolume *subvolume)
{
	return place->id == subvolume->id && subvolume_has_uuid(subvolume, place->uuid);
}

/* Returns the member as it is now, or NULL if it is gone. */
static const struct subvolume *now(const struct member_places *places, const struct member_place *place)
{
	const struct subvolume *subvolume = subvolume_by_id(places->list, place->id);

	return subvolume && !subvolume->deleted && is_place_of(place, subvolume) ? subvolume : NULL;
}

static bool find_above(struct member_places *places, struct error *err)
{
	struct place_path *const paths = calloc(places->n + 1, sizeof(*paths));
	bool ok;

	places->above = calloc(places->n + 1, sizeof(*places->above));
	for (size_t i = 0; paths && i < places->n; i++) {
		const struct member_place *place = &places->at[i];

		paths[i] = (struct place_path){ place->path, place->path_len, place->domain, place->path_cut };
	}
	ok = paths && places->above ? paths_above(paths, places->n, places->above, err) : error_memory(err);
	free(paths);
	return ok;
}

/* Returns the member of the same domain that was nearest above when this one was sealed. */
static const struct member_place *above(const struct member_places *places, const struct member_place *place)
{
	const uint32_t at = places->above[place - places->at];

	return at == PATH_ABOVE_NONE ? NULL : &places->at[at];
}

static bool is_where_sealed(const struct subvolume *subvolume, const struct member_place *place)
{
	return !subvolume->deleted && (place->path_cut ? subvolume->path_len > place->path_len : subvolume->path_len == place->path_len) &&
	       memcmp(subvolume->path, place->path, place->path_len) == 0;
}

/* --- what cannot be reached ------------------------------------------------------------------------------------------ */

/* Sets *wrong to NULL if the member is where it was sealed, or if it was properly moved or deleted. */
static bool why_lost(const struct member_places *places, const struct member_place *place, const struct member_place *top, struct path_memory *memory,
		     const char **wrong, struct error *err)
{
	const struct subvolume *subvolume = subvolume_by_id(places->list, place->id), *own = now(places, place);
	const struct subvolume *holder = now(places, top);
	const uint8_t *rest;
	size_t rest_len;
	bool leads = true;

	*wrong = NULL;
	if (!holder)
		return true;
	if (subvolume && !subvolume->deleted && !subvolume_refs_wrong(places->list, subvolume, wrong, err))
		return false;
	rest = path_below(place->path, place->path_len, top->path, top->path_len, &rest_len);
	/* A kernel that moves the subvolume above moves everything in it as well. */
	if (own && !*wrong && own->path_len >= rest_len && memcmp(own->path + own->path_len - rest_len, rest, rest_len) == 0 &&
	    own->parent_id == holder->id)
		return true;
	if (!place->path_cut && !nested_entry_leads(memory, places->list->volume, holder->id, rest, rest_len, place->id, &leads, err))
		return false;
	if (!leads || (place->path_cut && !own))
		*wrong = NULL;
	else if (!subvolume || subvolume->deleted)
		*wrong = subvolume_lost_root(places->list, place->id) ? "its root item cannot be read" :
			 subvolume ? "its root item says that it was deleted" : "its root item is missing";
	else if (own && !*wrong && !place->path_cut)
		*wrong = "its ROOT_REF and ROOT_BACKREF say that it is elsewhere";
	/* If another subvolume in its place can be reached, that is reported as replaced. */
	return true;
}

/* Sorts members below the same one together, and those among them whose paths begin alike. */
static int compare_below(const void *a, const void *b, void *context)
{
	const struct member_places *places = context;
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (places->above[x] != places->above[y])
		return places->above[x] < places->above[y] ? -1 : 1;
	return compare_bytes(places->at[x].path, places->at[x].path_len, places->at[y].path, places->at[y].path_len);
}

static bool find_one_lost(struct member_places *places, const struct member_place *place, struct path_memory *memory, struct error *err)
{
	const struct member_place *top = above(places, place);
	const char *wrong = NULL;

	if (!top)
		return true;
	if (!why_lost(places, place, top, memory, &wrong, err)) {
		if (!error_is_damage(err))
			return false;
		*err = (struct error){ 0 };	/* whoever reads the item reports it */
		return true;
	}
	if (!wrong)
		return true;

	const struct lost_place lost = { .id = place->id, .member = place, .above = top->id, .path = escape_new(place->path, place->path_len) };

	return lost_places_add(&places->lost, &lost, "was sealed here, and the directory still says that it is here", wrong, err);
}

/*
 * An attacker who plants member items decides how many there are and how long their paths are, so
 * the common part of their paths is followed once.
 */
static bool find_lost(struct member_places *places, struct error *err)
{
	uint32_t *const order = reallocarray(NULL, places->n + 1, sizeof(*order));
	struct path_memory memory = { 0 };
	bool ok = order || error_memory(err);

	for (size_t i = 0; ok && i < places->n; i++)
		order[i] = (uint32_t)i;
	if (ok && places->n > 0)
		qsort_r(order, places->n, sizeof(*order), compare_below, places);
	for (size_t i = 0; ok && i < places->n; i++)
		ok = find_one_lost(places, &places->at[order[i]], &memory, err);
	places->n_followed = memory.n_followed;
	path_memory_free(&memory);
	free(order);
	return ok;
}

/* --- one subvolume ----------------------------------------------------------------------------------------------------- */

static char *finding_text(const struct place_finding *finding)
{
	static const char *const texts[] = {
		[PLACE_NUMBER] = "it has the number of a sealed subvolume that is gone, but another uuid: it is not that one",
		[PLACE_TAKEN] = "another subvolume was sealed under its path",
		[PLACE_CUT] = "its path is longer than the recorded part: its place is only proven that far",
	};
	const struct member_place *place = finding->place;
	char *name = subvolume_label_escaped(finding->subvolume, finding->subvolume->id), *text = NULL;
	char *then = place->path_len ? escape_new(place->path, place->path_len) : strdup("/");
	const char *now = name && name[0] ? name : "/";

	if (!name || !then)
		text = NULL;
	else if (finding->doubt != PLACE_MOVED && asprintf(&text, "subvolume %s: %s", now, texts[finding->doubt]) < 0)
		text = NULL;
	else if (finding->doubt == PLACE_MOVED && asprintf(&text, "subvolume %s was sealed as %s%s: it was renamed or moved since, or "
		"put in the place of another",
							   now, then, place->path_cut ? "..." : "") < 0)
		text = NULL;
	free(name);
	free(then);
	return text;
}

static bool tell_one(enum place_doubt doubt, const struct subvolume *subvolume, const struct member_place *place, place_tell *tell, void *context,
		     struct error *err)
{
	const struct place_finding finding = { doubt, subvolume, place };
	char *text = finding_text(&finding);
	const bool ok = text ? tell(context, &finding, text, err) : error_memory(err);

	free(text);
	return ok;
}

/* If a sealed directory still leads to the member, the member was replaced. That is damage and reported as such. */
static bool has_number(const struct member_places *places, const struct member_place *place, bool *has, struct error *err)
{
	const struct member_place *top = above(places, place);
	struct path_memory memory = { 0 };
	const uint8_t *rest;
	size_t rest_len;
	bool leads = false, ok;

	*has = true;
	if (!top || !now(places, top) || place->path_cut)
		return true;
	rest = path_below(place->path, place->path_len, top->path, top->path_len, &rest_len);
	ok = nested_entry_leads(&memory, places->list->volume, top->id, rest, rest_len, place->id, &leads, err) || error_is_damage(err);
	path_memory_free(&memory);
	if (!ok)
		return false;
	*has = !leads && err->kind == ERROR_NONE;
	*err = (struct error){ 0 };
	return true;
}

/* Returns another member that was sealed where the subvolume is now, or NULL if there is none. */
static const struct member_place *taken(const struct member_places *places, const struct subvolume *subvolume)
{
	const struct member_place *at;

	if (subvolume->path_len == 0 && subvolume->id != FS_TREE_ID)	/* it has no path, so it is nowhere */
		return NULL;
	for (size_t i = first_of_path(places, subvolume->path, subvolume->path_len, 0);; i++) {
		at = of_path(places, i, subvolume->path, subvolume->path_len);
		if (!at || (!at->path_cut && !is_place_of(at, subvolume)))
			return at;
	}
}

bool member_places_tell(const struct member_places *places, const struct subvolume *subvolume, place_tell *tell, void *context,
			struct error *err)
{
	const struct member_place *own = NULL, *number = NULL, *other;
	bool is_moved, has_it = false;

	if (places->n == 0 || subvolume->deleted)
		return true;
	for (size_t i = first_of_id(places, subvolume->id); i < places->n && places->at[i].id == subvolume->id; i++)
		*(is_place_of(&places->at[i], subvolume) ? &own : &number) = &places->at[i];
	is_moved = own && !is_where_sealed(subvolume, own);
	if (number && !own && !has_number(places, number, &has_it, err))
		return false;
	/* Two subvolumes that were exchanged are reported as moved. A subvolume that is where it was sealed is not reported. */
	other = own && !is_moved ? NULL : taken(places, subvolume);
	if (other && is_moved && now(places, other))
		other = NULL;
	return (!is_moved || tell_one(PLACE_MOVED, subvolume, own, tell, context, err)) &&
	       (!has_it || tell_one(PLACE_NUMBER, subvolume, number, tell, context, err)) &&
	       (!other || tell_one(PLACE_TAKEN, subvolume, other, tell, context, err)) &&
	       (!own || is_moved || !own->path_cut || tell_one(PLACE_CUT, subvolume, own, tell, context, err));
}

/* --- all ------------------------------------------------------------------------------------------------------------------- */

/* Whoever reads the domain reports its damage. */
static bool survive(struct error *err)
{
	if (!error_is_damage(err))
		return false;
	*err = (struct error){ 0 };
	return true;
}

bool member_places_read(const struct subvolume_list *list, struct member_places *places, struct error *err)
{
	uint16_t *numbers = NULL;
	size_t n = 0;
	bool ok = true;

	*places = (struct member_places){ .list = list, .lost = { .list = list } };
	if (!list->volume)
		return true;
	if (!domain_numbers(list->volume, &numbers, &n, err) && !survive(err))
		return false;
	for (size_t i = 0; ok && i < n; i++) {
		struct member_reading reading = { places, numbers[i], true };

		ok = domain_visit_members(list->volume, numbers[i], take_member, &reading, err) || survive(err);
		if (ok && !reading.ok)
			ok = error_memory(err);
	}
	free(numbers);
	ok = ok && sort(places, err) && find_above(places, err) && find_lost(places, err) && lost_places_find(&places->lost, err);
	if (!ok)
		member_places_free(places);
	return ok;
}

void member_places_free(struct member_places *places)
{
	for (size_t i = 0; i < places->n; i++)
		free(places->at[i].path);
	lost_places_free(&places->lost);
	free(places->at);
	free(places->by_path);
	free(places->above);
	*places = (struct member_places){ 0 };
}
