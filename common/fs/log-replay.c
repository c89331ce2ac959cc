/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replays log trees. There is one for each subvolume in which something was fsynced, with copies of the changed items. Three passes go over it:
 * inodes, what was removed from directories, and xattrs; directory entries; everything else. Links are counted at the end.
 */
#include "common/fs/log-replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/fs/log-edit.h"
#include "format/inode.h"

enum pass { PASS_INODES, PASS_ENTRIES, PASS_REST, N_PASSES };

/* --- first pass: inodes, and what is gone ------------------------------------------------------------------ */

static uint32_t mode_of(const struct disk_inode_item *disk)
{
	return le32(disk->mode) & S_IFMT;
}

/* Generation 0: the inode was logged only to make it exist. Sizes of directories and the bytes that files take follow what is replayed. */
static bool replay_inode_item(struct log_replay *r, uint64_t inode, const struct disk_inode_item *logged, struct error *err)
{
	struct disk_inode_item disk, made = *logged;
	bool found;

	if (!log_inode_get(&r->fs, inode, &disk, &found, err))
		return false;
	if (found && le64(logged->generation) == 0) {
		if (mode_of(logged) != S_IFREG || mode_of(&disk) != S_IFREG || le64(logged->size) == 0)
			return true;
		disk.size = logged->size;
		return log_inode_put(r, inode, &disk, err);
	}
	made.nbytes = found ? disk.nbytes : to_le64(0);
	if (mode_of(logged) == S_IFDIR)
		made.size = found && mode_of(&disk) == S_IFDIR ? disk.size : to_le64(0);
	if (le64(made.generation) == 0)
		made.generation = to_le64(r->volume->super.generation + 1);
	return log_inode_put(r, inode, &made, err);
}

/* A log has all xattrs of its inodes, so items that it lacks are gone. (The log's copy of the others is replayed later.) */
static bool remove_xattrs(struct log_replay *r, uint64_t inode, struct error *err)
{
	struct key key = { inode, KEY_XATTR_ITEM, 0 };

	for (;;) {
		cleanup_tree_iter struct tree_iter iter = { 0 }, logged = { 0 };
		bool is_logged;

		if (!tree_seek(&r->fs, &key, &iter, err))
			return false;
		if (!iter.valid || iter.key.objectid != inode || iter.key.type != KEY_XATTR_ITEM)
			return true;
		key = iter.key;
		if (!tree_find(&r->log, &key, &logged, &is_logged, err) || (!is_logged && !overlay_remove(r->overlay, &key, err)))
			return false;
		if (++key.offset == 0)
			return true;
	}
}

/* Removes the entries of one DIR_INDEX item that the log lacks, or all of them. */
static bool remove_absent(struct log_replay *r, const struct tree_iter *at, bool all, struct error *err)
{
	const struct key key = at->key;
	struct cursor item = at->item;
	uint8_t *copy = malloc(item.left ? item.left : 1);
	bool ok = copy || error_memory(err);

	if (ok)
		memcpy(copy, item.at, item.left);
	item.at = copy;
	while (ok && item.left > 0) {
		struct dir_entry entry, logged;
		bool found = false;

		ok = dir_entry_next(&item, &entry, err);
		if (!ok)
			break;

		const struct name name = name_copy(&entry.name);

		ok = (all || log_entry_find(&r->log, &key, &name, &logged, &found, err)) &&
		     (found || log_unlink_entry(r, key.objectid, &entry, &name, err));
	}
	free(copy);
	return ok;
}

/* Removes entries whose index is in [from, last] of the directory. */
static bool remove_entries(struct log_replay *r, uint64_t dir, uint64_t from, uint64_t last, bool all, struct error *err)
{
	struct key key = { dir, KEY_DIR_INDEX, from };

	for (;;) {
		cleanup_tree_iter struct tree_iter iter = { 0 };

		if (!tree_seek(&r->fs, &key, &iter, err))
			return false;
		if (!iter.valid || iter.key.objectid != dir || iter.key.type != KEY_DIR_INDEX || iter.key.offset > last)
			return true;
		key = iter.key;
		if (!remove_absent(r, &iter, all, err))
			return false;
		if (++key.offset == 0)
			return true;
	}
}

/* DIR_LOG_INDEX items tell for which ranges of indexes the log has all existing entries. */
static bool remove_logged_entries(struct log_replay *r, uint64_t dir, struct error *err)
{
	const struct key first = { dir, KEY_DIR_LOG_INDEX, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	uint64_t from = 0;
	bool ok;

	for (ok = tree_seek(&r->log, &first, &iter, err); ok && tree_iter_is_in(&iter, &first); ok = tree_next(&iter, err)) {
		struct le64 last;

		if (iter.item.left != sizeof(last) || !cursor_read(&iter.item, &last, sizeof(last)))
			return error_set(err, ERROR_CORRUPT, "directory log item at %#" PRIx64 ": %zu bytes, not %zu", iter.item.offset,
					 iter.item.left, sizeof(last));
		from = iter.key.offset > from ? iter.key.offset : from;
		if (from <= le64(last)) {
			if (!remove_entries(r, dir, from, le64(last), false, err))
				return false;
			if (le64(last) == UINT64_MAX)
				return true;
			from = le64(last) + 1;
		}
	}
	return ok;
}

static bool replay_inode(struct log_replay *r, uint64_t inode, const struct disk_inode_item *logged, struct error *err)
{
	struct disk_inode_item disk;
	uint64_t dropped;
	bool found;

	if (!log_inode_get(&r->fs, inode, &disk, &found, err) || (found && !remove_xattrs(r, inode, err)) ||
	    (found && mode_of(logged) == S_IFDIR && !remove_logged_entries(r, inode, err)) || !replay_inode_item(r, inode, logged, err))
		return false;
	/* Items behind the end of the file are in the log again if they still exist. */
	if (mode_of(logged) == S_IFREG) {
		const uint64_t sector = r->volume->super.sector_size;

		if (!log_inode_get(&r->fs, inode, &disk, &found, err))
			return false;

		const uint64_t size = le64(disk.size), end = size > INT64_MAX ? INT64_MAX : (size + sector - 1) / sector * sector;

		if (!log_drop_extents(r, inode, end, UINT64_MAX, &dropped, err))
			return false;
		disk.nbytes = to_le64(le64(disk.nbytes) > dropped ? le64(disk.nbytes) - dropped : 0);
		if (!log_inode_put(r, inode, &disk, err))
			return false;
	}
	return log_count_later(r, inode, err);
}

/* --- the passes -------------------------------------------------------------------------------------------- */

static bool replay_item(struct log_replay *r, enum pass pass, const struct key *key, const struct cursor *item, struct error *err)
{
	struct disk_inode_item logged;
	bool found;

	if (key->type == KEY_INODE_ITEM) {
		if (!log_inode_get(&r->log, key->objectid, &logged, &found, err))
			return false;
		/* An inode without a link when it was logged was never linked, or was removed. */
		r->ignores = !found || le32(logged.nlink) == 0;
		return r->ignores || pass != PASS_INODES || replay_inode(r, key->objectid, &logged, err);
	}
	if (r->ignores)
		return true;
	/* Kernels before 5.16 also logged entries by the hash of their names, with DIR_LOG_ITEM. All those entries are here as well. */
	if (pass == PASS_ENTRIES && key->type == KEY_DIR_INDEX)
		return log_replay_entries(r, key, *item, err);
	if (pass != PASS_REST)
		return true;
	switch (key->type) {
	case KEY_XATTR_ITEM:
		return overlay_put(r->overlay, key, item, err);
	case KEY_INODE_REF:
	case KEY_INODE_EXTREF:
		return log_replay_refs(r, key, item, err);
	case KEY_EXTENT_DATA:
		return log_replay_extent(r, key, item, err);
	default:
		return true;
	}
}

static bool replay_pass(struct log_replay *r, enum pass pass, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool ok;

	r->ignores = false;
	for (ok = tree_seek(&r->log, &(struct key){ 0 }, &iter, err); ok && iter.valid; ok = tree_next(&iter, err)) {
		char text[KEY_TEXT_SIZE];

		if (!replay_item(r, pass, &iter.key, &iter.item, err))
			return error_prefix(err, "item %s", key_text(&iter.key, text));
	}
	return ok;
}

/* An inode without a link is an orphan, and so is everything in it. */
static bool count_links(struct log_replay *r, uint64_t inode, struct error *err)
{
	const struct key orphan = { ORPHAN_ID, KEY_ORPHAN_ITEM, inode };
	const struct cursor nothing = { NULL, 0, r->log.logical };
	struct disk_inode_item disk;
	uint32_t n;
	bool found;

	if (!log_inode_get(&r->fs, inode, &disk, &found, err) || (found && !log_count_names(r, inode, &n, err)))
		return false;
	if (!found)
		return true;
	disk.nlink = to_le32(n);
	return log_inode_put(r, inode, &disk, err) &&
	       (n > 0 || (overlay_put(r->overlay, &orphan, &nothing, err) &&
			  (mode_of(&disk) != S_IFDIR || remove_entries(r, inode, 0, UINT64_MAX, true, err))));
}

/* Emptying a directory adds more inodes to count. */
static bool count_all_links(struct log_replay *r, struct error *err)
{
	bool ok = true;

	while (ok && r->n_to_count > 0) {
		uint64_t *now = r->counting;
		const size_t n = r->n_to_count;

		r->counting = NULL;
		r->n_to_count = r->counting_room = 0;
		set64_free(&r->to_count);
		for (size_t i = 0; ok && i < n; i++)
			ok = count_links(r, now[i], err);
		free(now);
	}
	return ok;
}

static bool replay_subvolume(struct volume *volume, uint64_t id, const struct tree *log, struct error *err)
{
	struct log_replay r = { .volume = volume, .log = *log };
	bool ok;

	if (id != FS_TREE_ID && (id < FIRST_FREE_ID || id > LAST_FREE_ID))
		return error_set(err, ERROR_CORRUPT, "there is no subvolume with that number");
	if (!tree_open(volume, id, &r.fs, err)) {
		if (err->kind != ERROR_NOT_FOUND)
			return false;
		*err = (struct error){ 0 };	/* the subvolume is deleted, and so is what was logged of it */
		return true;
	}
	r.item = malloc(NODE_SIZE_MAX);
	ok = (r.item || error_memory(err)) && overlay_make(volume, id, &r.overlay, err);
	for (enum pass pass = PASS_INODES; ok && pass < N_PASSES; pass++)
		ok = replay_pass(&r, pass, err);
	ok = ok && count_all_links(&r, err);
	set64_free(&r.to_count);
	free(r.counting);
	free(r.item);
	return ok;
}

bool log_replay(struct volume *volume, struct error *err)
{
	const struct key first = { TREE_LOG_ID, KEY_ROOT_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree roots;

	if (!tree_open(volume, TREE_LOG_ID, &roots, err) || !tree_seek(&roots, &first, &iter, err))
		return error_prefix(err, "log tree");
	while (iter.valid && iter.key.objectid == TREE_LOG_ID && iter.key.type == KEY_ROOT_ITEM) {
		struct tree log = { .volume = volume, .id = TREE_LOG_ID };
		struct root root;

		if (!root_read(&iter.item, &root, err))
			return error_prefix(err, "log tree");
		log.logical = root.bytenr;
		log.generation = root.generation;
		log.level = root.level;
		if (!replay_subvolume(volume, iter.key.offset, &log, err))
			return error_prefix(err, "log tree of subvolume %" PRIu64, iter.key.offset);
		if (!tree_next(&iter, err))
			return error_prefix(err, "log tree");
	}
	return true;
}
