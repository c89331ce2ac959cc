/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads every INODE_REF and INODE_EXTREF of a subvolume. */
#include "common/fs/inode-parents.h"

#include <stdlib.h>

#include "common/tree/tree-gap.h"
#include "common/util/array.h"
#include "common/util/lower-bound.h"
#include "common/util/order.h"
#include "format/inode.h"

bool inode_name_next_over(const struct key *key, struct cursor *item, struct inode_ref *ref)
{
	struct error ignored = { 0 };

	return item->left > 0 && inode_name_next(item, key, ref, &ignored);
}

static bool add_parent(struct inode_parents *parents, uint64_t parent, uint64_t inode, struct error *err)
{
	if (!ARRAY_ROOM(parents->at, parents->n, parents->n_allocated, err))
		return false;
	parents->at[parents->n++] = (struct inode_parent){ parent, inode };
	return true;
}

ORDER_BY_2(compare, struct inode_parent, parent, inode);

static void sort(struct inode_parents *parents)
{
	size_t n = 0;

	if (parents->n > 0)
		qsort(parents->at, parents->n, sizeof(*parents->at), compare);
	for (size_t i = 0; i < parents->n; i++) {
		if (n == 0 || compare(&parents->at[n - 1], &parents->at[i]) != 0)
			parents->at[n++] = parents->at[i];
	}
	parents->n = n;
}

bool inode_parents_read(struct inode_parents *parents, const struct tree *subvolume, struct error *err)
{
	const struct key first = { FIRST_FREE_ID, KEY_INODE_REF, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	if (parents->subvolume == subvolume->id)
		return true;
	parents->n = 0;
	parents->subvolume = 0;
	if (!tree_seek_over(subvolume, &first, &iter, NULL, NULL, err))
		return false;
	while (iter.valid && iter.key.objectid <= LAST_FREE_ID) {
		struct cursor item = iter.item;
		struct inode_ref ref;

		/* Skip the root directory, which names itself. */
		while (key_is_inode_ref(&iter.key) && inode_name_next_over(&iter.key, &item, &ref)) {
			if (ref.parent != iter.key.objectid && !add_parent(parents, ref.parent, iter.key.objectid, err))
				return false;
		}
		if (!tree_next_over(&iter, NULL, NULL, err))
			return false;
	}
	sort(parents);
	parents->subvolume = subvolume->id;
	return true;
}

size_t inode_parents_first(const struct inode_parents *parents, uint64_t parent)
{
	return LOWER_BOUND(i, parents->n, parents->at[i].parent < parent);
}

void inode_parents_free(struct inode_parents *parents)
{
	free(parents->at);
	*parents = (struct inode_parents){ 0 };
}
