/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replays a log tree: inodes and their links. */
#include "common/fs/log-edit.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "common/util/array.h"
#include "format/inode.h"

struct name name_copy(const struct cursor *name)
{
	struct name copy = { .len = (uint8_t)name->left };	/* the readers allow no longer names */

	memcpy(copy.bytes, name->at, copy.len);
	return copy;
}

static bool is_named(const struct cursor *have, const struct name *name)
{
	return have->left == name->len && memcmp(have->at, name->bytes, name->len) == 0;
}

/* --- inode items ------------------------------------------------------------------------------------------- */

bool log_inode_get(const struct tree *tree, uint64_t inode, struct disk_inode_item *disk, bool *found, struct error *err)
{
	const struct key key = { inode, KEY_INODE_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct inode checked;

	if (!tree_find(tree, &key, &iter, found, err))
		return false;
	if (!*found)
		return true;

	struct cursor item = iter.item;

	memcpy(disk, item.at, item.left < sizeof(*disk) ? item.left : sizeof(*disk));
	return inode_read(&item, &checked, err);
}

bool log_inode_put(struct log_replay *r, uint64_t inode, const struct disk_inode_item *disk, struct error *err)
{
	const struct key key = { inode, KEY_INODE_ITEM, 0 };
	const struct cursor item = { (const uint8_t *)disk, sizeof(*disk), r->log.logical };

	return overlay_put(r->overlay, &key, &item, err);
}

static bool resize_dir(struct log_replay *r, uint64_t dir, bool grows, const struct name *name, struct error *err)
{
	const uint64_t by = 2 * (uint64_t)name->len;
	struct disk_inode_item disk;
	bool found;

	if (!log_inode_get(&r->fs, dir, &disk, &found, err))
		return false;
	if (!found)
		return true;

	const uint64_t size = le64(disk.size);

	disk.size = to_le64(grows ? size + by : size > by ? size - by : 0);
	return log_inode_put(r, dir, &disk, err);
}

bool log_count_later(struct log_replay *r, uint64_t inode, struct error *err)
{
	bool added;

	if (!set64_add(&r->to_count, inode, &added, err))
		return false;
	if (!added)
		return true;
	if (!ARRAY_ROOM(r->counting, r->n_to_count, r->counting_room, err))
		return false;
	r->counting[r->n_to_count++] = inode;
	return true;
}

/* --- items that are lists of names ------------------------------------------------------------------------- */

/* Writes an item without its part between `from` and `to`, or deletes it if nothing is left. */
static bool cut_item(struct log_replay *r, const struct key *key, const struct cursor *item, const uint8_t *from, const uint8_t *to,
		     struct error *err)
{
	const size_t before = (size_t)(from - item->at), after = item->left - (size_t)(to - item->at);
	const struct cursor rest = { r->item, before + after, item->offset };

	if (rest.left == 0)
		return overlay_remove(r->overlay, key, err);
	memcpy(r->item, item->at, before);
	memcpy(r->item + before, to, after);
	return overlay_put(r->overlay, key, &rest, err);
}

/* Adds a header and a name at the end of an item. Sets *fits to false and does nothing if a leaf has no room for that. */
static bool grow_item(struct log_replay *r, const struct key *key, const void *header, size_t header_len, const struct name *name,
		      bool *fits, struct error *err)
{
	const size_t most = r->volume->super.node_size - sizeof(struct disk_header) - sizeof(struct disk_item);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct cursor made = { r->item, 0, r->log.logical };
	bool found;

	if (!tree_find(&r->fs, key, &iter, &found, err))
		return false;
	if (found) {
		memcpy(r->item, iter.item.at, iter.item.left);
		made.left = iter.item.left;
	}
	*fits = made.left <= most && header_len + name->len <= most - made.left;
	if (!*fits)
		return true;
	memcpy(r->item + made.left, header, header_len);
	memcpy(r->item + made.left + header_len, name->bytes, name->len);
	made.left += header_len + name->len;
	return overlay_put(r->overlay, key, &made, err);
}

struct key log_entry_key(uint64_t dir, const struct name *name)
{
	return (struct key){ dir, KEY_DIR_ITEM, dir_entry_name_hash(name->bytes, name->len) };
}

struct key log_extref_key(uint64_t inode, uint64_t dir, const struct name *name)
{
	return (struct key){ inode, KEY_INODE_EXTREF, inode_extref_hash(dir, name->bytes, name->len) };
}

bool log_entry_find(const struct tree *tree, const struct key *key, const struct name *name, struct dir_entry *entry, bool *found,
		    struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool exists;

	*found = false;
	if (!tree_find(tree, key, &iter, &exists, err))
		return false;
	while (exists && !*found && iter.item.left > 0) {
		if (!dir_entry_next(&iter.item, entry, err))
			return false;
		*found = is_named(&entry->name, name);
	}
	entry->name = entry->data = (struct cursor){ 0 };
	return true;
}

static bool remove_entry(struct log_replay *r, const struct key *key, const struct name *name, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct dir_entry entry;
	bool exists;

	if (!tree_find(&r->fs, key, &iter, &exists, err))
		return false;
	const struct cursor item = iter.item;

	while (exists && iter.item.left > 0) {
		const uint8_t *from = iter.item.at;

		if (!dir_entry_next(&iter.item, &entry, err))
			return false;
		if (is_named(&entry.name, name))
			return cut_item(r, key, &item, from, iter.item.at, err);
	}
	return true;
}

bool log_ref_find(const struct tree *tree, const struct key *key, uint64_t dir, const struct name *name, uint64_t *index, bool *found,
		  struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct inode_ref ref;
	bool exists;

	*found = false;
	if (!tree_find(tree, key, &iter, &exists, err))
		return false;
	while (exists && !*found && iter.item.left > 0) {
		if (!inode_name_next(&iter.item, key, &ref, err))
			return false;
		*found = ref.parent == dir && is_named(&ref.name, name);
		*index = ref.index;
	}
	return true;
}

static bool remove_ref(struct log_replay *r, const struct key *key, uint64_t dir, const struct name *name, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct inode_ref ref;
	bool exists;

	if (!tree_find(&r->fs, key, &iter, &exists, err))
		return false;
	const struct cursor item = iter.item;

	while (exists && iter.item.left > 0) {
		const uint8_t *from = iter.item.at;

		if (!inode_name_next(&iter.item, key, &ref, err))
			return false;
		if (ref.parent == dir && is_named(&ref.name, name))
			return cut_item(r, key, &item, from, iter.item.at, err);
	}
	return true;
}

/* --- links ------------------------------------------------------------------------------------------------- */

static bool add_ref(struct log_replay *r, uint64_t dir, uint64_t inode, const struct name *name, uint64_t index, struct error *err)
{
	const struct disk_inode_ref ref = { to_le64(index), to_le16(name->len) };
	const struct disk_inode_extref extref = { to_le64(dir), to_le64(index), to_le16(name->len) };
	const struct key key = { inode, KEY_INODE_REF, dir }, extref_key = log_extref_key(inode, dir, name);
	uint64_t other_index;
	bool found, fits;

	if (!log_ref_find(&r->fs, &key, dir, name, &other_index, &found, err))
		return false;
	if (found)
		return true;
	if (!grow_item(r, &key, &ref, sizeof(ref), name, &fits, err) ||
	    (!fits && !grow_item(r, &extref_key, &extref, sizeof(extref), name, &fits, err)))
		return false;
	return fits || error_set(err, ERROR_CORRUPT, "inode %" PRIu64 " has more names of one hash than fit into a leaf", inode);
}

static uint8_t entry_type(uint32_t mode)
{
	static const uint8_t type[] = {
		[S_IFREG >> 12] = FT_REG_FILE, [S_IFDIR >> 12] = FT_DIR, [S_IFCHR >> 12] = FT_CHRDEV, [S_IFBLK >> 12] = FT_BLKDEV,
		[S_IFIFO >> 12] = FT_FIFO, [S_IFSOCK >> 12] = FT_SOCK, [S_IFLNK >> 12] = FT_SYMLINK,
	};

	return type[(mode & S_IFMT) >> 12];	/* inode_read() has checked that it is one of these */
}

static bool add_entry(struct log_replay *r, const struct key *key, const struct disk_dir_item *disk, const struct name *name,
		      struct error *err)
{
	struct dir_entry entry;
	bool found, fits;

	if (!log_entry_find(&r->fs, key, name, &entry, &found, err))
		return false;
	if (found)
		return true;
	if (!grow_item(r, key, disk, sizeof(*disk), name, &fits, err))
		return false;
	return fits || error_set(err, ERROR_CORRUPT, "directory %" PRIu64 " has more names of one hash than fit into a leaf", key->objectid);
}

bool log_link(struct log_replay *r, uint64_t dir, uint64_t inode, const struct name *name, uint64_t index, bool with_ref, struct error *err)
{
	const struct key by_name = log_entry_key(dir, name), by_index = { dir, KEY_DIR_INDEX, index };
	const struct key location = { inode, KEY_INODE_ITEM, 0 };
	struct disk_dir_item disk = {
		.location = key_to_disk(&location),
		.transid = to_le64(r->volume->super.generation + 1),
		.name_len = to_le16(name->len),
	};
	struct disk_inode_item item;
	bool found;

	if (!log_inode_get(&r->fs, inode, &item, &found, err))
		return false;
	if (!found)
		return true;
	disk.type = entry_type(le32(item.mode));
	return (!with_ref || add_ref(r, dir, inode, name, index, err)) && add_entry(r, &by_name, &disk, name, err) &&
	       add_entry(r, &by_index, &disk, name, err) && resize_dir(r, dir, true, name, err);
}

bool log_unlink(struct log_replay *r, uint64_t dir, uint64_t inode, const struct name *name, struct error *err)
{
	const struct key by_name = log_entry_key(dir, name);
	struct key key = { inode, KEY_INODE_REF, dir };
	uint64_t index = 0;
	bool found;

	if (!log_ref_find(&r->fs, &key, dir, name, &index, &found, err))
		return false;
	if (!found) {
		key = log_extref_key(inode, dir, name);
		if (!log_ref_find(&r->fs, &key, dir, name, &index, &found, err))
			return false;
	}
	if (!found)
		return error_set(err, ERROR_CORRUPT, "inode %" PRIu64 " has no reference for its name in directory %" PRIu64, inode, dir);

	const struct key by_index = { dir, KEY_DIR_INDEX, index };

	return remove_ref(r, &key, dir, name, err) && remove_entry(r, &by_name, name, err) && remove_entry(r, &by_index, name, err) &&
	       resize_dir(r, dir, false, name, err) && log_count_later(r, inode, err);
}

bool log_unlink_entry(struct log_replay *r, uint64_t dir, const struct dir_entry *entry, const struct name *name, struct error *err)
{
	struct disk_inode_item disk;
	bool found;

	if (entry->location.type != KEY_INODE_ITEM)
		return true;
	if (!log_inode_get(&r->fs, entry->location.objectid, &disk, &found, err))
		return false;
	return !found || log_unlink(r, dir, entry->location.objectid, name, err);
}
