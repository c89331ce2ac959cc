/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Overlays of trees: a skip list of items for each tree. */
#include "common/tree/overlay.h"

#include <stdlib.h>

#include "common/util/lower-bound.h"

#define LANES 20	/* of a skip list; enough for 2^20 items and more */

struct overlay {
	uint64_t tree;
	struct overlays *all;
	struct overlay_item *first[LANES];
};

struct overlays {
	struct overlay **at;	/* sorted by tree */
	size_t n;
	size_t bytes;
	uint64_t random;
};

/* --- the overlays of a volume ------------------------------------------------------------------------------------- */

static void overlays_free(struct overlays *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct overlay_item *next;

		for (struct overlay_item *item = all->at[i]->first[0]; item; item = next) {
			next = item->after[0];
			free((void *)item->item.at);
			free(item);
		}
		free(all->at[i]);
	}
	free(all->at);
	free(all);
}

/* The index where tree is, or would be. */
static size_t place_of(const struct overlays *all, uint64_t tree)
{
	return LOWER_BOUND(i, all->n, all->at[i]->tree < tree);
}

struct overlay *overlay_of(const struct volume *volume, uint64_t tree)
{
	const struct overlays *all = volume->overlays;
	const size_t at = all ? place_of(all, tree) : 0;

	return all && at < all->n && all->at[at]->tree == tree ? all->at[at] : NULL;
}

struct overlay *overlay_after(const struct volume *volume, uint64_t *tree)
{
	const struct overlays *all = volume->overlays;
	const size_t at = all && *tree < UINT64_MAX ? place_of(all, *tree + 1) : 0;

	if (!all || *tree == UINT64_MAX || at == all->n)
		return NULL;
	*tree = all->at[at]->tree;
	return all->at[at];
}

static bool charge(struct overlays *all, size_t more, struct error *err)
{
	if (more > OVERLAY_MAX - all->bytes)
		return error_set(err, ERROR_REFUSED, "the items shown in addition to those on disk take more than %u MiB", OVERLAY_MAX >> 20);
	all->bytes += more;
	return true;
}

bool overlay_make(struct volume *volume, uint64_t tree, struct overlay **overlay, struct error *err)
{
	struct overlays *all = volume->overlays;
	struct overlay **more;

	*overlay = overlay_of(volume, tree);
	if (*overlay)
		return true;
	if (!all) {
		all = volume->overlays = calloc(1, sizeof(*all));
		if (!all)
			return error_memory(err);
		all->random = 1;
		volume->overlays_free = overlays_free;
	}
	if (!charge(all, sizeof(**overlay) + sizeof(*more), err))
		return false;
	more = reallocarray(all->at, all->n + 1, sizeof(*more));
	if (!more)
		return error_memory(err);
	all->at = more;
	*overlay = calloc(1, sizeof(**overlay));
	if (!*overlay)
		return error_memory(err);
	(*overlay)->tree = tree;
	(*overlay)->all = all;

	const size_t at = place_of(all, tree);

	memmove(more + at + 1, more + at, (all->n - at) * sizeof(*more));
	more[at] = *overlay;
	all->n++;
	return true;
}

/* --- items ------------------------------------------------------------------------------------------------- */

/* For each lane: the link to the first item with a key >= key. *before: the item before it; NULL: none. */
static void find_links(struct overlay *overlay, const struct key *key, struct overlay_item **links[LANES],
		       struct overlay_item **before)
{
	struct overlay_item **lanes = overlay->first;

	*before = NULL;
	for (unsigned lane = LANES; lane-- > 0; ) {
		while (lanes[lane] && key_compare(&lanes[lane]->key, key) < 0) {
			*before = lanes[lane];
			lanes = lanes[lane]->after;
		}
		links[lane] = &lanes[lane];
	}
}

/* Gets the item with this key, or creates it. */
static bool get_item(struct overlay *overlay, const struct key *key, struct overlay_item **item, struct error *err)
{
	struct overlays *all = overlay->all;
	struct overlay_item **links[LANES], *before;
	unsigned n_lanes = 1;

	find_links(overlay, key, links, &before);
	*item = *links[0];
	if (*item && key_compare(&(*item)->key, key) == 0)
		return true;
	all->random = all->random * 6364136223846793005u + 1442695040888963407u;
	for (uint64_t bits = all->random >> 32; bits & 1 && n_lanes < LANES; bits >>= 1)
		n_lanes++;

	const size_t size = sizeof(**item) + n_lanes * sizeof(*item);

	if (!charge(all, size, err))
		return false;
	*item = calloc(1, size);
	if (!*item)
		return error_memory(err);
	(*item)->key = *key;
	(*item)->is_gone = true;
	for (unsigned lane = 0; lane < n_lanes; lane++) {
		(*item)->after[lane] = *links[lane];
		*links[lane] = *item;
	}
	return true;
}

bool overlay_put(struct overlay *overlay, const struct key *key, const struct cursor *from, struct error *err)
{
	struct overlay_item *item;
	uint8_t *bytes;

	if (!get_item(overlay, key, &item, err) || !charge(overlay->all, from->left, err))
		return false;
	bytes = malloc(from->left ? from->left : 1);
	if (!bytes)
		return error_memory(err);
	if (from->left)
		memcpy(bytes, from->at, from->left);
	overlay->all->bytes -= item->item.left;
	free((void *)item->item.at);
	item->item = (struct cursor){ bytes, from->left, from->offset };
	item->is_gone = false;
	return true;
}

bool overlay_remove(struct overlay *overlay, const struct key *key, struct error *err)
{
	struct overlay_item *item;

	if (!get_item(overlay, key, &item, err))
		return false;
	overlay->all->bytes -= item->item.left;
	free((void *)item->item.at);
	item->item = (struct cursor){ 0 };
	item->is_gone = true;
	return true;
}

/* Lookup only: changes nothing. */
static struct overlay_item *look(const struct overlay *overlay, const struct key *key, struct overlay_item **before)
{
	struct overlay_item **links[LANES];

	find_links((struct overlay *)overlay, key, links, before);
	return *links[0];
}

const struct overlay_item *overlay_seek(const struct overlay *overlay, const struct key *first)
{
	struct overlay_item *before;

	return look(overlay, first, &before);
}

const struct overlay_item *overlay_seek_last(const struct overlay *overlay, const struct key *last)
{
	struct overlay_item *before;
	const struct overlay_item *at = look(overlay, last, &before);

	return at && key_compare(&at->key, last) == 0 ? at : before;
}
