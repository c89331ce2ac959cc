/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The units of an inode usually follow each other, starting with the one that its entry names. */
#include "common/sealed/inline-hint.h"

#include <stdlib.h>

#include "common/sealed/inode-index.h"

#define HINTS_MAX 64u	/* versions of one inode */

struct search {
	const struct domain *domain;
	const struct key_schedule *schedule;	/* NULL: compare without a tag */
	const struct inline_payload *payload;
	struct crypt_inline_unit *unit;
	uint8_t *out;
	bool found;
	unsigned n_tried;
};

static bool try_unit(struct search *search, struct error *err)
{
	if (!search->schedule) {
		search->found = inline_unit_is_of(search->unit, search->payload, search->payload->root);
		return true;
	}
	return !inline_unit_is_of(search->unit, search->payload, 0) ||
	       inline_unit_matches(search->unit, &(struct inline_search){ NULL, search->schedule, search->payload, PAYLOAD_SEALED, search->out },
				   &search->found, err);
}

/* Tries the units of one item, starting with number first. *go: the units of the inode reach the end of the item. */
static bool look_in_item(struct search *search, struct cursor item, uint64_t index, uint64_t first, bool *go, struct error *err)
{
	unsigned n_entries;

	if (!crypt_head_read(&item, CRYPT_INLINE_UNITS, &n_entries, err))
		return false;
	*go = first < n_entries;
	for (unsigned entry = 0; entry < n_entries && *go && !search->found; entry++) {
		if (!crypt_inline_unit_next(&item, search->unit, err))
			return false;
		if (entry < first)
			continue;
		search->unit->place = index << 16 | entry;
		*go = search->unit->inode == search->payload->inode;
		if (*go && !try_unit(search, err))
			return false;
	}
	return true;
}

/* A place without an item is not an error. */
static bool look_from(struct search *search, uint64_t place, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	uint64_t index = (place >> 16) & CRYPT_INDEX_LAST, first = place & 0xffff;
	struct key key = crypt_key(search->domain->header.domain, CRYPT_INLINE_UNITS, index);
	struct tree tree;
	bool go = true;

	if (!tree_open(search->domain->volume, ROOT_TREE_ID, &tree, err) || !tree_seek(&tree, &key, &iter, err))
		return false;
	while (go && !search->found && iter.valid && key_compare(&iter.key, &key) == 0) {
		if (!look_in_item(search, iter.item, index, first, &go, err))
			return false;
		if (!go || search->found)
			break;
		if (!tree_next(&iter, err))
			return false;
		first = 0;
		index++;
		key.offset++;
	}
	return true;
}

/* Each version of the inode has its own entry, with a hint. */
static bool try_hint(void *context, const struct crypt_index_entry *entry, bool *go, struct error *err)
{
	struct search *search = context;

	if (!look_from(search, entry->hint, err))
		return false;
	*go = !search->found && ++search->n_tried < HINTS_MAX;
	return true;
}

bool inline_by_hint(const struct domain *domain, const struct key_schedule *schedule, const struct inline_payload *payload,
		    struct crypt_inline_unit *unit, uint8_t *out, bool *found, struct error *err)
{
	uint8_t *scratch = out || !schedule ? out : malloc(payload->bytes.left);
	struct search search = { .domain = domain, .schedule = schedule, .payload = payload, .unit = unit, .out = scratch };
	bool ok;

	if (schedule && !scratch)
		return error_memory(err);
	ok = inode_index_visit_inode(domain->volume, domain->header.domain, domain->header.n_index_items, payload->inode, try_hint, &search, err);
	*found = search.found;
	if (scratch != out) {
		secret_wipe(scratch, payload->bytes.left);
		free(scratch);
	}
	return ok;
}
