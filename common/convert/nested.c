/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the subvolumes inside directories of other subvolumes, all the way down. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/sharing.h"

enum state { UNKNOWN, ON_THE_WAY, INSIDE, OUTSIDE };

/*
 * Goes up from subvolume i until one is known, then marks all on the way, so that each is looked at once. A ring of parents, possible in a
 * damaged image, counts as outside.
 */
static void settle(const struct subvolume_list *list, enum state *state, size_t i)
{
	enum state found = OUTSIDE;

	for (size_t at = i;;) {
		if (state[at] != UNKNOWN) {
			found = state[at] == INSIDE ? INSIDE : OUTSIDE;
			break;
		}
		state[at] = ON_THE_WAY;

		const struct subvolume *const parent = subvolume_by_id(list, list->at[at].parent_id);

		if (!parent)
			break;
		at = (size_t)(parent - list->at);
	}
	for (size_t at = i; state[at] == ON_THE_WAY;) {
		const struct subvolume *const parent = subvolume_by_id(list, list->at[at].parent_id);

		state[at] = found;
		if (!parent)
			break;
		at = (size_t)(parent - list->at);
	}
}

bool sharing_nested(const struct subvolume_list *list, const uint64_t *ids, size_t n, uint64_t **all, size_t *n_all,
		    struct error *err)
{
	enum state *const state = calloc(list->n ? list->n : 1, sizeof(*state));
	uint64_t *const found = calloc(list->n ? list->n : 1, sizeof(*found));
	size_t n_found = 0;
	bool ok = state && found;

	if (!ok)
		error_memory(err);
	for (size_t i = 0; ok && i < n; i++) {
		const struct subvolume *const given = subvolume_by_id(list, ids[i]);

		if (given)
			state[given - list->at] = INSIDE;
		else
			ok = error_set(err, ERROR_NOT_FOUND, "subvolume %" PRIu64 " not found", ids[i]);
	}
	for (size_t i = 0; ok && i < list->n; i++) {
		settle(list, state, i);
		if (state[i] == INSIDE)
			found[n_found++] = list->at[i].id;
	}
	free(state);
	if (!ok) {
		free(found);
		return false;
	}
	*all = found;
	*n_all = n_found;
	return true;
}
