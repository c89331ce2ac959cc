/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replays a log tree: directory entries, and the references of inodes that belong to them. */
#include "common/fs/log-edit.h"

#include <inttypes.h>
#include <stdlib.h>

#include "format/inode.h"

/* --- entries ----------------------------------------------------------------------------------------------- */

/* Clears the place of a logged entry. Sets *same if it already holds that entry. A logged entry whose inode is missing displaces no other. */
static bool clear_place(struct log_replay *r, const struct key *key, const struct dir_entry *logged, const struct name *name, bool exists,
			bool *same, struct error *err)
{
	struct dir_entry have;
	bool found;

	*same = false;
	if (!log_entry_find(&r->fs, key, name, &have, &found, err))
		return false;
	if (!found)
		return true;
	*same = key_compare(&have.location, &logged->location) == 0 && have.type == logged->type;
	return *same || !exists || log_unlink_entry(r, key->objectid, &have, name, err);
}

static bool replay_entry(struct log_replay *r, const struct key *key, const struct dir_entry *logged, const struct name *name, struct error *err)
{
	const uint64_t dir = key->objectid, inode = logged->location.objectid;
	const struct key by_name = log_entry_key(dir, name), ref_key = { inode, KEY_INODE_REF, dir };
	const struct key extref_key = log_extref_key(inode, dir, name);
	struct disk_inode_item disk;
	bool exists, same_name, same_index, has_ref, has_extref;
	uint64_t index;

	if (logged->location.type != KEY_INODE_ITEM)	/* subvolumes come and go with commits, never through a log */
		return true;
	if (!log_inode_get(&r->fs, inode, &disk, &exists, err) ||
	    !clear_place(r, &by_name, logged, name, exists, &same_name, err) || !clear_place(r, key, logged, name, exists, &same_index, err))
		return false;
	if (!exists || (same_name && same_index))
		return true;
	/* If its reference is in the log, the entry comes with that. */
	if (!log_ref_find(&r->log, &ref_key, dir, name, &index, &has_ref, err) ||
	    !log_ref_find(&r->log, &extref_key, dir, name, &index, &has_extref, err))
		return false;
	if (has_ref || has_extref)
		return true;
	return log_link(r, dir, inode, name, key->offset, true, err) && log_count_later(r, inode, err);
}

bool log_replay_entries(struct log_replay *r, const struct key *key, struct cursor item, struct error *err)
{
	struct disk_inode_item disk;
	struct dir_entry entry;
	bool found;

	if (!log_inode_get(&r->fs, key->objectid, &disk, &found, err))
		return false;
	if (!found)
		return error_set(err, ERROR_CORRUPT, "entries of directory %" PRIu64 ", which does not exist", key->objectid);
	while (item.left > 0) {
		if (!dir_entry_next(&item, &entry, err))
			return false;

		const struct name name = name_copy(&entry.name);

		if (!replay_entry(r, key, &entry, &name, err))
			return false;
	}
	return true;
}

/* --- references -------------------------------------------------------------------------------------------- */

/* Removes names that are in the item of that key but not in the log's item: those links are gone. `only`: of that directory; 0: of any. */
static bool remove_old_names(struct log_replay *r, const struct key *key, uint64_t only, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct cursor item;
	uint8_t *copy;
	bool found, ok = true;

	if (!tree_find(&r->fs, key, &iter, &found, err))
		return false;
	if (!found)
		return true;
	item = iter.item;
	copy = malloc(item.left ? item.left : 1);
	if (!copy)
		return error_memory(err);
	memcpy(copy, item.at, item.left);
	item.at = copy;
	while (ok && item.left > 0) {
		struct inode_ref ref;
		uint64_t index;
		bool stays;

		ok = inode_name_next(&item, key, &ref, err);
		if (!ok || (only && ref.parent != only))
			continue;

		const struct name name = name_copy(&ref.name);

		ok = log_ref_find(&r->log, key, ref.parent, &name, &index, &stays, err) &&
		     (stays || log_unlink(r, ref.parent, key->objectid, &name, err));
	}
	free(copy);
	return ok;
}

/* Finds out whether an entry leads to the inode. */
static bool leads_to(struct log_replay *r, const struct key *key, const struct name *name, uint64_t inode, bool *yes, struct error *err)
{
	struct dir_entry entry;

	if (!log_entry_find(&r->fs, key, name, &entry, yes, err))
		return false;
	*yes = *yes && entry.location.type == KEY_INODE_ITEM && entry.location.objectid == inode;
	return true;
}

static bool drop_entry(struct log_replay *r, const struct key *key, const struct name *name, struct error *err)
{
	struct dir_entry entry;
	bool found;

	return log_entry_find(&r->fs, key, name, &entry, &found, err) && (!found || log_unlink_entry(r, key->objectid, &entry, name, err));
}

static bool replay_name(struct log_replay *r, uint64_t inode, uint64_t dir, uint64_t index, const struct name *name, struct error *err)
{
	const struct key by_name = log_entry_key(dir, name), by_index = { dir, KEY_DIR_INDEX, index };
	const struct key ref_key = { inode, KEY_INODE_REF, dir }, extref_key = log_extref_key(inode, dir, name);
	struct disk_inode_item disk;
	bool is_there, named, indexed;

	/* Not all directories above an inode are logged. The count of links makes up for it. */
	if (!log_inode_get(&r->fs, dir, &disk, &is_there, err))
		return false;
	if (!is_there)
		return true;
	if (!leads_to(r, &by_name, name, inode, &named, err) || !leads_to(r, &by_index, name, inode, &indexed, err))
		return false;
	if (named && indexed)
		return true;
	return remove_old_names(r, &ref_key, dir, err) && remove_old_names(r, &extref_key, dir, err) && drop_entry(r, &by_index, name, err) &&
	       drop_entry(r, &by_name, name, err) && log_link(r, dir, inode, name, index, false, err);
}

bool log_replay_refs(struct log_replay *r, const struct key *key, const struct cursor *from, struct error *err)
{
	struct cursor item = *from;
	struct disk_inode_item disk;
	struct inode_ref ref;
	bool found = true;

	/* The root directory is its own "..", but has no entry for it. */
	if (key->type == KEY_INODE_REF && key->objectid == key->offset)
		return true;
	/* References to a directory that was not logged are useless. */
	if (key->type == KEY_INODE_REF && !log_inode_get(&r->fs, key->offset, &disk, &found, err))
		return false;
	if (!found)
		return true;
	if (!log_inode_get(&r->fs, key->objectid, &disk, &found, err))
		return false;
	if (!found)
		return error_set(err, ERROR_CORRUPT, "references of inode %" PRIu64 ", which does not exist", key->objectid);
	while (item.left > 0) {
		if (!inode_name_next(&item, key, &ref, err))
			return false;

		const struct name name = name_copy(&ref.name);

		if (!replay_name(r, key->objectid, ref.parent, ref.index, &name, err))
			return false;
	}
	return remove_old_names(r, key, 0, err) && overlay_put(r->overlay, key, from, err);
}

bool log_count_names(struct log_replay *r, uint64_t inode, uint32_t *n, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key first = { inode, KEY_INODE_REF, 0 };
	struct inode_ref ref;

	*n = 0;
	if (!tree_seek(&r->fs, &first, &iter, err))
		return false;
	while (iter.valid && iter.key.objectid == inode && key_is_inode_ref(&iter.key)) {
		for (; iter.item.left > 0; ++*n)
			if (!inode_name_next(&iter.item, &iter.key, &ref, err))
				return false;
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}
