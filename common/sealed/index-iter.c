/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goes from entry to entry, and from item to item. */
#include "common/sealed/index-iter.h"

#include <inttypes.h>

int index_entry_compare(const struct crypt_index_entry *a, const struct crypt_index_entry *b)
{
	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return memcmp(a->mac, b->mac, sizeof(a->mac));
}

/* Enters the item under the iterator `items`, if it is an item of the index. */
static bool enter_item(struct index_iter *iter, struct error *err)
{
	struct crypt_place at;

	iter->left = 0;
	if (!iter->items.valid || !crypt_place_of_key(&iter->items.key, &at) || at.domain != iter->domain || at.kind != CRYPT_INDEX)
		return true;
	iter->entries = iter->items.item;
	return crypt_head_read(&iter->entries, CRYPT_INDEX, &iter->left, err);
}

static bool read_entry(struct index_iter *iter, struct error *err)
{
	const struct crypt_index_entry last = iter->entry;
	const bool has_last = iter->valid;

	iter->valid = iter->left > 0;
	if (!iter->valid)
		return true;
	if (!crypt_index_next(&iter->entries, &iter->entry, err))
		return false;
	iter->left--;
	return !has_last || index_entry_compare(&last, &iter->entry) < 0 ||
	       error_set(err, ERROR_CORRUPT, "crypt index of sealing %u: an entry of inode %" PRIu64 " is out of order", iter->domain,
			 iter->entry.inode);
}

bool index_iter_begin(struct index_iter *iter, struct volume *volume, uint16_t domain, struct error *err)
{
	const struct key first = crypt_key(domain, CRYPT_INDEX, 0);
	struct tree tree;

	*iter = (struct index_iter){ .domain = domain };
	return tree_open(volume, ROOT_TREE_ID, &tree, err) && tree_seek(&tree, &first, &iter->items, err) && enter_item(iter, err) &&
	       read_entry(iter, err);
}

bool index_iter_next(struct index_iter *iter, struct error *err)
{
	if (iter->left == 0 && iter->items.valid && !(tree_next(&iter->items, err) && enter_item(iter, err)))
		return false;
	return read_entry(iter, err);
}

void index_iter_close(struct index_iter *iter)
{
	tree_iter_close(&iter->items);
}
