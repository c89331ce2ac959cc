/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks file extent items one by one: those of a leaf, and those of overlays. */
#include "common/fs/backref-leaf.h"

#include <inttypes.h>

bool backref_item_has(const struct backref_query *query, const struct file_extent *e)
{
	return file_extent_has_disk(e) && query->logical >= e->disk_bytenr && query->logical - e->disk_bytenr < e->disk_num_bytes;
}

/* Sets *offset to the file offset of the byte that is wanted, or of the item if that byte is unknown or does not matter. */
static bool item_shows(const struct backref_query *query, const struct file_extent *e, uint64_t file_offset, uint64_t *offset)
{
	if (!backref_item_has(query, e))
		return false;
	*offset = file_offset;
	if (query->whole || e->compression != COMPRESS_NONE)
		return true;

	const uint64_t at = query->logical - e->disk_bytenr;

	if (at < e->offset || at - e->offset >= e->num_bytes)
		return false;
	*offset += at - e->offset;
	return true;
}

static bool is_overlaid(const struct volume *volume, uint64_t root, const struct key *key)
{
	const struct overlay *overlay = overlay_of(volume, root);
	const struct overlay_item *item = overlay ? overlay_seek(overlay, key) : NULL;

	return item && key_compare(&item->key, key) == 0;
}

bool backref_leaf(const struct backref_query *query, const struct block *leaf, const struct root_ids *roots, struct error *err)
{
	for (uint32_t slot = 0; slot < leaf->node.n_items; slot++) {
		const struct key key = node_key(&leaf->node, slot);
		struct cursor item = leaf_item(&leaf->node, slot);
		struct backref_file file = { .inode = key.objectid };
		struct error what = { 0 };
		struct file_extent e;

		if (key.type != KEY_EXTENT_DATA)
			continue;
		if (!file_extent_read(&item, key.offset, query->volume->super.sector_size, &e, &what)) {
			if (query->lenient)
				continue;
			*err = what;
			return error_prefix(err, "block %" PRIu64 " inode %" PRIu64, leaf->logical, key.objectid);
		}
		if (!item_shows(query, &e, key.offset, &file.offset))
			continue;
		for (size_t i = 0; i < roots->n; i++) {
			file.root = roots->id[i];
			if (!is_overlaid(query->volume, file.root, &key) && !query->visit(query->context, &file, err))
				return false;
		}
	}
	return true;
}

/* --- what only a log tree has ------------------------------------------------------------------------------------ */

typedef bool logged_visit(void *context, uint64_t root, const struct key *key, const struct file_extent *e, struct error *err);

static bool each_logged(const struct volume *volume, logged_visit *visit, void *context, struct error *err)
{
	const struct key first = { 0 };
	const struct overlay *overlay;
	uint64_t root = 0;

	while ((overlay = overlay_after(volume, &root))) {
		for (const struct overlay_item *at = overlay_seek(overlay, &first); at; at = overlay_next(at)) {
			struct cursor item = at->item;
			struct file_extent e;

			/* An overlay may hold checksums, too. Their tree has no files. */
			if (at->is_gone || at->key.type != KEY_EXTENT_DATA || root == CSUM_TREE_ID)
				continue;
			if (!file_extent_read(&item, at->key.offset, volume->super.sector_size, &e, err))
				return error_prefix(err, "log tree of subvolume %" PRIu64 " inode %" PRIu64, root, at->key.objectid);
			if (!visit(context, root, &at->key, &e, err))
				return false;
		}
	}
	return true;
}

static bool tell_logged(void *context, uint64_t root, const struct key *key, const struct file_extent *e, struct error *err)
{
	const struct backref_query *query = context;
	struct backref_file file = { .root = root, .inode = key->objectid };

	return !item_shows(query, e, key->offset, &file.offset) || query->visit(query->context, &file, err);
}

bool backref_logged(const struct backref_query *query, struct error *err)
{
	return each_logged(query->volume, tell_logged, (void *)query, err);
}

struct finding {
	struct backref_query query;
	struct backref_extent *extent;
	bool found;
};

static bool find_logged(void *context, uint64_t root, const struct key *key, const struct file_extent *e, struct error *err)
{
	struct finding *finding = context;

	(void)root, (void)key, (void)err;
	if (!finding->found && backref_item_has(&finding->query, e)) {
		finding->found = true;
		*finding->extent = (struct backref_extent){
			.logical = e->disk_bytenr,
			.length = e->disk_num_bytes,
			.is_data = true,
			.is_logged = true,
		};
	}
	return true;
}

bool backref_logged_extent_at(struct volume *volume, uint64_t logical, struct backref_extent *extent, bool *found, struct error *err)
{
	struct finding finding = { .query = { .volume = volume, .logical = logical }, .extent = extent };
	const bool ok = each_logged(volume, find_logged, &finding, err);

	*found = finding.found;
	return ok;
}
