/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks up the checksums of data in the csum tree. */
#include "common/fs/csum-lookup.h"

#include <inttypes.h>

/* What is still to be visited. */
struct wanted {
	uint64_t from, end;
	csum_visit *visit;
	void *context;
};

/* Visits one item: the checksums of a run of sectors that begins at its key's offset. */
static bool visit_item(const struct volume *volume, const struct tree_iter *iter, struct wanted *wanted, struct error *err)
{
	const struct key *const key = &iter->key;
	const struct cursor *const item = &iter->item;
	const uint32_t sector = volume->super.sector_size;
	const size_t csum_size = csum_type_size(volume->super.csum_type);
	const size_t n = item->left / csum_size;
	char text[KEY_TEXT_SIZE];

	if (n == 0 || item->left % csum_size != 0)
		return error_set(err, ERROR_CORRUPT, "csum item %s: size is %zu, not a multiple of %zu", key_text(key, text),
				 item->left, csum_size);
	if (key->offset % sector != 0 || key->offset > UINT64_MAX - (uint64_t)n * sector)
		return error_set(err, ERROR_CORRUPT, "csum item %s: address is not a multiple of %" PRIu32 ", or %zu sectors wrap",
				 key_text(key, text), sector, n);

	const uint64_t first = key->offset > wanted->from ? key->offset : wanted->from;
	const uint64_t item_end = key->offset + (uint64_t)n * sector;
	const uint64_t last = item_end < wanted->end ? item_end : wanted->end;

	if (first >= last)
		return true;
	wanted->from = last;
	return wanted->visit(wanted->context, first, (last - first) / sector, item->at + (first - key->offset) / sector * csum_size, err);
}

bool csum_lookup_in(const struct tree *tree, uint64_t logical, uint64_t len, csum_visit *visit, void *context, struct error *err)
{
	const struct volume *volume = tree->volume;
	const uint32_t sector = volume->super.sector_size;
	const struct key first = { EXTENT_CSUM_ID, KEY_EXTENT_CSUM, logical };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	if (logical % sector != 0 || len % sector != 0 || logical > UINT64_MAX - len)
		return error_set(err, ERROR_CORRUPT, "data at %" PRIu64 "+%" PRIu64 " are not whole sectors of %" PRIu32, logical, len,
				 sector);

	struct wanted wanted = { logical, logical + len, visit, context };

	/* The run may begin in an item with a lower address. */
	if (!tree_seek_last(tree, &first, &iter, err))
		return false;
	if (!iter.valid || iter.key.objectid != EXTENT_CSUM_ID || iter.key.type != KEY_EXTENT_CSUM) {
		tree_iter_close(&iter);
		iter = (struct tree_iter){ 0 };
		if (!tree_seek(tree, &first, &iter, err))
			return false;
	}
	while (iter.valid && wanted.from < wanted.end && iter.key.objectid == EXTENT_CSUM_ID && iter.key.type == KEY_EXTENT_CSUM &&
	       iter.key.offset < wanted.end) {
		if (!visit_item(volume, &iter, &wanted, err))
			return false;
		/* Items behind the last wanted one may be damaged, so do not read them. */
		if (wanted.from < wanted.end && !tree_next(&iter, err))
			return false;
	}
	return true;
}

bool csum_lookup(struct volume *volume, uint64_t logical, uint64_t len, csum_visit *visit, void *context, struct error *err)
{
	struct tree tree;

	return tree_open(volume, CSUM_TREE_ID, &tree, err) && csum_lookup_in(&tree, logical, len, visit, context, err);
}
