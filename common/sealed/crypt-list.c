/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks the items of a domain that are lists. */
#include "common/sealed/crypt-list.h"

#include <inttypes.h>

#include "common/volume/tolerance.h"

struct walk {
	struct volume *volume;
	uint16_t domain;
	enum crypt_kind kind;
	const struct crypt_list_visitor *visitor;
	uint64_t expected;	/* index of the next item */
};

static bool survive(const struct walk *walk, const struct error *what, struct error *err)
{
	*err = *what;
	return walk->visitor->gap && error_is_damage(what) && walk->visitor->gap(walk->visitor->context, what, err);
}

static bool visit_item(const struct walk *walk, struct cursor bytes, uint64_t index, bool *go, struct error *err)
{
	struct crypt_list_item item = { .index = index, .entries = bytes, .whole = bytes };

	return crypt_head_read(&item.entries, walk->kind, &item.n, err) && walk->visitor->visit(walk->visitor->context, &item, go, err) &&
	       (!*go || crypt_item_end(&item.entries, walk->kind, err));
}

/* Sets *go to false if there are no more items. */
static bool one_item(struct walk *walk, const struct tree_iter *iter, bool *go, struct error *err)
{
	struct error what = { 0 };
	struct crypt_place at;

	*go = iter->valid && crypt_place_of_key(&iter->key, &at) && at.domain == walk->domain && at.kind == walk->kind;
	if (!*go)
		return true;
	if (at.index != walk->expected) {
		error_set(&what, ERROR_CORRUPT, "%s item %" PRIu64 " of sealing %u is missing", crypt_kind_name(walk->kind), walk->expected,
			  walk->domain);
		if (!survive(walk, &what, err))
			return false;
	}
	walk->expected = at.index + 1;
	return visit_item(walk, iter->item, at.index, go, &what) || survive(walk, &what, err);
}

bool crypt_list_walk(struct volume *volume, uint16_t domain, enum crypt_kind kind, uint64_t first, const struct crypt_list_visitor *visitor,
		     struct error *err)
{
	struct walk walk = { volume, domain, kind, visitor, first };
	const struct key key = crypt_key(domain, kind, first);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	tree_gap *const gap = visitor->gap;
	struct tree tree;
	bool go = true;

	if (!tree_open(volume, ROOT_TREE_ID, &tree, err))
		return false;
	for (bool ok = gap ? tree_seek_over(&tree, &key, &iter, gap, visitor->context, err) : tree_seek(&tree, &key, &iter, err);;
	     ok = gap ? tree_next_over(&iter, gap, visitor->context, err) : tree_next(&iter, err)) {
		if (!ok || !one_item(&walk, &iter, &go, err))
			return false;
		if (!go)
			return true;
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

	return crypt_list_walk(volume, domain, CRYPT_BAD_BLOCKS, 0, &(struct crypt_list_visitor){ bad_item, NULL, &walk }, err);
}
