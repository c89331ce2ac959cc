/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replays a log tree: extents of files, and the checksums of their data. */
#include "common/fs/log-edit.h"

#include <inttypes.h>

#include "common/fs/csum-lookup.h"

static uint64_t round_up(const struct log_replay *r, uint64_t n)
{
	const uint64_t sector = r->volume->super.sector_size;

	return n > UINT64_MAX - sector ? UINT64_MAX / sector * sector : (n + sector - 1) / sector * sector;
}

/* Returns where an item ends in the file. */
static uint64_t extent_end(const struct log_replay *r, uint64_t start, const struct file_extent *e)
{
	return e->type == FILE_EXTENT_INLINE ? round_up(r, start + e->ram_bytes) : start + e->num_bytes;
}

/* --- file extents ------------------------------------------------------------------------------------------ */

/* Writes the part of an extent item between `from` and `to` in the file. */
static bool put_part(struct log_replay *r, uint64_t inode, const struct disk_file_extent *disk, uint64_t start, uint64_t from, uint64_t to,
		     struct error *err)
{
	const struct key key = { inode, KEY_EXTENT_DATA, from };
	struct disk_file_extent part = *disk;
	const struct cursor item = { (const uint8_t *)&part, sizeof(part), r->log.logical };

	part.offset = to_le64(le64(disk->offset) + (from - start));
	part.num_bytes = to_le64(to - from);
	return overlay_put(r->overlay, &key, &item, err);
}

static bool drop_one(struct log_replay *r, const struct key *key, struct cursor item, uint64_t start, uint64_t end, uint64_t *n_bytes,
		     struct error *err)
{
	struct disk_file_extent disk = { 0 };
	struct file_extent e;

	memcpy(&disk, item.at, item.left < sizeof(disk) ? item.left : sizeof(disk));
	if (!file_extent_read(&item, key->offset, r->volume->super.sector_size, &e, err))
		return error_prefix(err, "inode %" PRIu64, key->objectid);

	const uint64_t have_end = extent_end(r, key->offset, &e);
	const uint64_t from = key->offset > start ? key->offset : start, to = have_end < end ? have_end : end;

	if (from >= to)
		return true;
	if (!overlay_remove(r->overlay, key, err))
		return false;
	if (e.type == FILE_EXTENT_INLINE) {	/* always goes as a whole */
		*n_bytes += have_end - key->offset;
		return true;
	}
	if (file_extent_has_disk(&e))
		*n_bytes += to - from;
	return (key->offset >= from || put_part(r, key->objectid, &disk, key->offset, key->offset, from, err)) &&
	       (have_end <= to || put_part(r, key->objectid, &disk, key->offset, to, have_end, err));
}

bool log_drop_extents(struct log_replay *r, uint64_t inode, uint64_t start, uint64_t end, uint64_t *n_bytes, struct error *err)
{
	struct key key = { inode, KEY_EXTENT_DATA, start };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	*n_bytes = 0;
	if (!tree_seek_last(&r->fs, &key, &iter, err))
		return false;
	if (iter.valid && iter.key.objectid == inode && iter.key.type == KEY_EXTENT_DATA)
		key = iter.key;
	for (;;) {
		if (!tree_seek(&r->fs, &key, &iter, err))
			return false;
		if (!iter.valid || iter.key.objectid != inode || iter.key.type != KEY_EXTENT_DATA || iter.key.offset >= end)
			return true;
		key = iter.key;
		if (!drop_one(r, &key, iter.item, start, end, n_bytes, err))
			return false;
		if (++key.offset == 0)
			return true;
	}
}

/* --- checksums --------------------------------------------------------------------------------------------- */

struct csums {
	struct log_replay *r;
	struct overlay *overlay;
	struct tree tree;
	size_t size;
	uint64_t sector;
};

static bool put_csums(const struct csums *c, uint64_t start, const uint8_t *bytes, size_t len, struct error *err)
{
	const struct key key = { EXTENT_CSUM_ID, KEY_EXTENT_CSUM, start };
	const struct cursor item = { bytes, len, c->r->log.logical };

	return len == 0 || overlay_put(c->overlay, &key, &item, err);
}

/* Removes from an item what it has of [start, end). */
static bool cut_csums(const struct csums *c, const struct key *key, const struct cursor *item, uint64_t start, uint64_t end,
		      struct error *err)
{
	const uint64_t n = item->left / c->size, n_before = start > key->offset ? (start - key->offset) / c->sector : 0;
	const uint64_t n_until = end > key->offset ? (end - key->offset) / c->sector : 0;

	if (n_before >= n || n_until == 0)
		return true;
	memcpy(c->r->item, item->at, item->left);
	return overlay_remove(c->overlay, key, err) && put_csums(c, key->offset, c->r->item, n_before * c->size, err) &&
	       (n_until >= n || put_csums(c, end, c->r->item + n_until * c->size, (n - n_until) * c->size, err));
}

/* Replaces what the csum tree has of a range by a run of checksums. */
static bool replace_csums(void *context, uint64_t start, uint64_t n, const uint8_t *bytes, struct error *err)
{
	const struct csums *c = context;
	const uint64_t end = start + n * c->sector;
	struct key key = { EXTENT_CSUM_ID, KEY_EXTENT_CSUM, start };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	if (!tree_seek_last(&c->tree, &key, &iter, err))
		return false;
	if (iter.valid && iter.key.objectid == EXTENT_CSUM_ID && iter.key.type == KEY_EXTENT_CSUM)
		key = iter.key;
	for (;;) {
		if (!tree_seek(&c->tree, &key, &iter, err))
			return false;
		if (!iter.valid || iter.key.objectid != EXTENT_CSUM_ID || iter.key.type != KEY_EXTENT_CSUM || iter.key.offset >= end)
			break;
		key = iter.key;
		if (!cut_csums(c, &key, &iter.item, start, end, err))
			return false;
		if (++key.offset == 0)
			break;
	}
	return put_csums(c, start, bytes, n * c->size, err);
}

static bool replay_csums(struct log_replay *r, const struct file_extent *e, struct error *err)
{
	const bool is_packed = e->compression != COMPRESS_NONE;
	struct csums c = {
		.r = r,
		.size = csum_type_size(r->volume->super.csum_type),
		.sector = r->volume->super.sector_size,
	};

	return tree_open(r->volume, CSUM_TREE_ID, &c.tree, err) && overlay_make(r->volume, CSUM_TREE_ID, &c.overlay, err) &&
	       csum_lookup_in(&r->log, is_packed ? e->disk_bytenr : e->disk_bytenr + e->offset,
			      is_packed ? e->disk_num_bytes : e->num_bytes, replace_csums, &c, err);
}

/* --- one item of the log ----------------------------------------------------------------------------------- */

static bool is_same(const struct tree *fs, const struct key *key, const struct cursor *item, bool *same, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };

	if (!tree_find(fs, key, &iter, same, err))
		return false;
	*same = *same && iter.item.left == item->left && memcmp(iter.item.at, item->at, item->left) == 0;
	return true;
}

bool log_replay_extent(struct log_replay *r, const struct key *key, const struct cursor *item, struct error *err)
{
	const bool no_holes = r->volume->super.incompat & INCOMPAT_NO_HOLES;
	struct cursor rest = *item;
	struct disk_inode_item inode;
	struct file_extent e;
	uint64_t dropped;
	bool found, same;

	if (!file_extent_read(&rest, key->offset, r->volume->super.sector_size, &e, err))
		return error_prefix(err, "inode %" PRIu64, key->objectid);
	if (!log_inode_get(&r->fs, key->objectid, &inode, &found, err))
		return false;
	if (!found)
		return error_set(err, ERROR_CORRUPT, "extents of inode %" PRIu64 ", which does not exist", key->objectid);
	if (e.type != FILE_EXTENT_INLINE && !is_same(&r->fs, key, item, &same, err))
		return false;
	if (e.type != FILE_EXTENT_INLINE && same)
		return true;

	const bool is_inline = e.type == FILE_EXTENT_INLINE, is_hole = !is_inline && e.disk_bytenr == 0;
	const uint64_t added = is_inline ? e.ram_bytes : is_hole ? 0 : e.num_bytes;

	if (!log_drop_extents(r, key->objectid, key->offset, extent_end(r, key->offset, &e), &dropped, err) ||
	    (!(is_hole && no_holes) && !overlay_put(r->overlay, key, item, err)) ||
	    (e.type == FILE_EXTENT_REG && !is_hole && !replay_csums(r, &e, err)))
		return false;

	const uint64_t n_bytes = le64(inode.nbytes);

	inode.nbytes = to_le64((n_bytes > dropped ? n_bytes - dropped : 0) + added);
	return log_inode_put(r, key->objectid, &inode, err);
}
