/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks the items of a domain that are lists: units, inline units, index, bad blocks. */
#ifndef COMMON_SEALED_CRYPT_LIST_H
#define COMMON_SEALED_CRYPT_LIST_H

#include "common/tree/tree-gap.h"
#include "format/crypt.h"

/* An item whose head was read; entries holds its n entries. *go = false ends the walk. */
struct crypt_list_item {
	uint64_t index;
	unsigned n;
	struct cursor entries;	/* the visitor moves it past the last entry */
	struct cursor whole;	/* including the head */
};
typedef bool crypt_list_visit(void *context, struct crypt_list_item *item, bool *go, struct error *err);

struct crypt_list_visitor {
	crypt_list_visit *visit;
	/* Told of items that are missing or damaged, which are skipped. An error from visit counts as damage of that item. NULL: an error. */
	tree_gap *gap;
	void *context;
};

/*
 * Walks the items of this kind from index first on. A missing item, or bytes left after the last entry, is ERROR_CORRUPT; so is any error
 * from visit. The leaf of an item is held while it is visited.
 */
bool crypt_list_walk(struct volume *volume, uint16_t domain, enum crypt_kind kind, uint64_t first, const struct crypt_list_visitor *visitor,
		     struct error *err) must_use;

/* Visits every bad block of the domain, in ascending order. One out of order is ERROR_CORRUPT. */
typedef bool bad_block_visit(void *context, const struct crypt_bad_block *bad, struct error *err);
bool bad_blocks_visit(struct volume *volume, uint16_t domain, bad_block_visit *visit, void *context, struct error *err) must_use;

#endif /* COMMON_SEALED_CRYPT_LIST_H */
