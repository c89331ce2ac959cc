/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks the items of a domain that are lists. */
#include "common/fs/crypt-list.h"

#include <inttypes.h>

bool crypt_list_walk(struct volume *volume, uint16_t domain, enum crypt_kind kind, uint64_t first, crypt_list_visit *visit, void *context,
		     struct error *err)
{
	const struct key key = crypt_key(domain, kind, first);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	uint64_t expected = first;
	struct tree tree;

	if (!tree_open(volume, ROOT_TREE_ID, &tree, err))
		return false;
	for (bool ok = tree_seek(&tree, &key, &iter, err);; ok = tree_next(&iter, err)) {
		struct crypt_place at;
		bool go = true;

		if (!ok)
			return false;
		if (!iter.valid || !crypt_place_of_key(&iter.key, &at) || at.domain != domain || at.kind != kind)
			return true;
		if (at.index != expected)
			return error_set(err, ERROR_CORRUPT, "%s item %" PRIu64 " of sealing %u is missing", crypt_kind_name(kind), expected,
					 domain);
		expected++;

		struct crypt_list_item item = { .index = at.index, .entries = iter.item, .whole = iter.item };

		if (!crypt_head_read(&item.entries, kind, &item.n, err) || !visit(context, &item, &go, err))
			return false;
		if (!go)
			return true;
		if (!crypt_item_end(&item.entries, kind, err))
			return false;
	}
}

/* --- bad blocks ----------------------------------------------------------------------------------- */

struct bad_walk {
	bad_block_visit *visit;
	void *context;
	struct crypt_bad_block last;
	bool any;
};

static bool follows(const struct crypt_bad_block *a, const struct crypt_bad_block *b)
{
	return a->unit_id != b->unit_id ? a->unit_id < b->unit_id : a->block < b->block;
}

static bool bad_item(void *context, struct crypt_list_item *item, bool *go, struct error *err)
{
	struct bad_walk *walk = context;

	(void)go;
	for (unsigned i = 0; i < item->n; i++) {
		struct crypt_bad_block bad;

		if (!crypt_bad_block_next(&item->entries, &bad, err))
			return false;
		if (walk->any && !follows(&walk->last, &bad))
			return error_set(err, ERROR_CORRUPT, "crypt bad blocks item %" PRIu64 ": block %" PRIu32 " of unit %#" PRIx64
					 " is out of order", item->index, bad.block, bad.unit_id);
		walk->last = bad;
		walk->any = true;
		if (!walk->visit(walk->context, &bad, err))
			return false;
	}
	return true;
}

bool bad_blocks_visit(struct volume *volume, uint16_t domain, bad_block_visit *visit, void *context, struct error *err)
{
	struct bad_walk walk = { .visit = visit, .context = context };

	return crypt_list_walk(volume, domain, CRYPT_BAD_BLOCKS, 0, bad_item, &walk, err);
}
