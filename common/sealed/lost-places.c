/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Collects the subvolumes that cannot be reached, and finds those of a subvolume or of a directory. */
#include "common/sealed/lost-places.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fs/subvolume-label.h"
#include "common/fs/subvolume-place.h"
#include "common/util/array.h"
#include "common/util/lower-bound.h"
#include "common/util/order.h"

bool lost_places_add(struct lost_places *places, const struct lost_place *lost, const char *what, const char *wrong, struct error *err)
{
	struct lost_place *added;

	if (!ARRAY_ROOM(places->at, places->n, places->n_room, err)) {
		free(lost->path);
		return false;
	}
	added = &places->at[places->n++];
	*added = *lost;
	if (asprintf(&added->text, "subvolume %" PRIu64 " %s, but %s", lost->id, what, wrong) < 0)
		added->text = NULL;
	return (added->path && added->text) || error_memory(err);
}

/* --- those that were not sealed inside others ----------------------------------------------------------------------------- */

static bool add_misplaced(struct lost_places *places, const struct subvolume *subvolume, struct error *err)
{
	struct lost_place lost = { .id = subvolume->id, .above = subvolume->parent_id, .has_no_parent = subvolume->parent_id == 0 };
	const char *wrong = NULL;
	bool unlisted = false;

	if (subvolume->deleted || subvolume->id == FS_TREE_ID)
		return true;
	if (!subvolume_place_wrong(places->list, subvolume, &wrong, &unlisted, err)) {
		if (!error_is_damage(err))
			return false;
		*err = (struct error){ 0 };	/* whoever reads the item reports it */
		return true;
	}
	if (!wrong)
		return true;
	if (lost.has_no_parent)
		lost.above = FS_TREE_ID;
	if (unlisted)
		lost.unlisted_in = lost.has_no_parent ? FIRST_FREE_ID : subvolume->dirid;
	lost.path = subvolume_label_escaped(subvolume, subvolume->id);
	return lost_places_add(places, &lost, lost.has_no_parent ? "should be in a directory" : "belongs here", wrong, err);
}

ORDER_BY_2(compare_ids, struct lost_place, id, member);

static void sort(struct lost_places *places)
{
	if (places->n > 0)
		qsort(places->at, places->n, sizeof(*places->at), compare_ids);
}

/* --- those that no directory lists ----------------------------------------------------------------------------------------- */

static int compare_directories(const struct lost_place *at, uint64_t subvolume, uint64_t directory)
{
	if (at->above != subvolume)
		return at->above < subvolume ? -1 : 1;
	return at->unlisted_in < directory ? -1 : at->unlisted_in > directory;
}

static int compare_unlisted(const void *a, const void *b, void *context)
{
	const struct lost_place *at = context, *x = &at[*(const uint32_t *)a], *y = &at[*(const uint32_t *)b];
	const int order = compare_directories(x, y->above, y->unlisted_in);

	return order ? order : x < y ? -1 : x > y;
}

static bool sort_unlisted(struct lost_places *places, struct error *err)
{
	if (places->n == 0)
		return true;
	places->unlisted = reallocarray(NULL, places->n, sizeof(*places->unlisted));
	if (!places->unlisted || places->n > UINT32_MAX)
		return error_memory(err);
	for (size_t i = 0; i < places->n; i++) {
		if (places->at[i].unlisted_in)
			places->unlisted[places->n_unlisted++] = (uint32_t)i;
	}
	qsort_r(places->unlisted, places->n_unlisted, sizeof(*places->unlisted), compare_unlisted, places->at);
	return true;
}

bool lost_places_find(struct lost_places *places, struct error *err)
{
	const struct subvolume_list *list = places->list;
	const struct lost_places members = *places;

	sort(places);
	/* What was found of a member says more. Both are in the order of ids. */
	for (size_t i = 0, member = 0; i < list->n; i++) {
		while (member < members.n && places->at[member].id < list->at[i].id)
			member++;
		if ((member == members.n || places->at[member].id != list->at[i].id) && !add_misplaced(places, &list->at[i], err))
			return false;
	}
	sort(places);
	return sort_unlisted(places, err);
}

void lost_places_free(struct lost_places *places)
{
	for (size_t i = 0; i < places->n; i++) {
		free(places->at[i].path);
		free(places->at[i].text);
	}
	free(places->at);
	free(places->unlisted);
	*places = (struct lost_places){ 0 };
}

/* --- finding ---------------------------------------------------------------------------------------------------------------- */

const struct lost_place *lost_places_of(const struct lost_places *places, uint64_t id)
{
	const size_t i = LOWER_BOUND(at, places->n, places->at[at].id < id);

	return i < places->n && places->at[i].id == id ? &places->at[i] : NULL;
}

const struct lost_place *lost_places_in(const struct lost_places *places, uint64_t id, const struct lost_place *last)
{
	for (size_t i = last ? (size_t)(last - places->at) + 1 : 0; i < places->n; i++) {
		if (places->at[i].id == id || places->at[i].above == id)
			return &places->at[i];
	}
	return NULL;
}

size_t lost_places_count(const struct lost_places *places, uint64_t id)
{
	size_t n = 0;

	for (size_t i = 0; i < places->n; i++)
		n += places->at[i].above == id;
	return n;
}

const struct lost_place *lost_places_unlisted(const struct lost_places *places, uint64_t subvolume, uint64_t directory,
					      const struct lost_place *last)
{
	const size_t i = LOWER_BOUND(n, places->n_unlisted, compare_directories(&places->at[places->unlisted[n]], subvolume, directory) < 0 ||
				     (last && compare_directories(&places->at[places->unlisted[n]], subvolume, directory) == 0 &&
				      &places->at[places->unlisted[n]] <= last));
	const struct lost_place *const at = i < places->n_unlisted ? &places->at[places->unlisted[i]] : NULL;

	return at && compare_directories(at, subvolume, directory) == 0 ? at : NULL;
}

const char *lost_places_empty_wrong(const struct lost_places *places, uint64_t holder, uint64_t id)
{
	const struct subvolume *const in = subvolume_by_id(places->list, holder);
	const struct lost_place *const lost = lost_places_of(places, id);

	if (lost && lost->above == holder && !lost->has_no_parent)
		return lost->text;
	if (!in || subvolume_may_be_snapshot(in))
		return NULL;
	return lost ? lost->text : "a nested subvolume belongs here, but the root tree has no ROOT_REF that leads to it";
}
