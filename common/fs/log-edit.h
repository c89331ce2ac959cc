/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes that replaying a log tree makes to one subvolume's overlay, in terms of inodes, links and extents. */
#ifndef COMMON_FS_LOG_EDIT_H
#define COMMON_FS_LOG_EDIT_H

#include "common/tree/tree.h"
#include "common/util/set64.h"
#include "format/dir-entry.h"
#include "format/file-extent.h"

struct log_replay {
	struct volume *volume;
	struct tree fs;		/* shows what is replayed so far */
	struct tree log;
	struct overlay *overlay;	/* of fs */
	bool ignores;		/* skips the items of an inode that had no link when it was logged */
	uint8_t *item;		/* room for a newly made item */
	/* inodes whose links are to be counted */
	struct set64 to_count;
	uint64_t *counting;
	size_t n_to_count, counting_room;
};

/* A copy of a name, because the items that names come from change. */
struct name {
	uint8_t bytes[NAME_MAX_BYTES];
	uint8_t len;
};
struct name name_copy(const struct cursor *name);

/* Inode items, as on disk. */
bool log_inode_get(const struct tree *tree, uint64_t inode, struct disk_inode_item *disk, bool *found, struct error *err) must_use;
bool log_inode_put(struct log_replay *r, uint64_t inode, const struct disk_inode_item *disk, struct error *err) must_use;

/* The entry of that name in the DIR_ITEM or DIR_INDEX item with that key; sets only its location and type. */
bool log_entry_find(const struct tree *tree, const struct key *key, const struct name *name, struct dir_entry *entry, bool *found,
		    struct error *err) must_use;
struct key log_entry_key(uint64_t dir, const struct name *name);	/* of its DIR_ITEM */

/* The reference (inode, dir, name) in the INODE_REF or INODE_EXTREF item with that key. */
bool log_ref_find(const struct tree *tree, const struct key *key, uint64_t dir, const struct name *name, uint64_t *index, bool *found,
		  struct error *err) must_use;
struct key log_extref_key(uint64_t inode, uint64_t dir, const struct name *name);

/*
 * log_link() adds the entry of inode in dir under name, and the reference if there is none; log_unlink() removes them. Directory sizes are
 * updated.
 */
bool log_link(struct log_replay *r, uint64_t dir, uint64_t inode, const struct name *name, uint64_t index, bool with_ref,
	      struct error *err) must_use;
bool log_unlink(struct log_replay *r, uint64_t dir, uint64_t inode, const struct name *name, struct error *err) must_use;
/* Unlinks the inode that an entry led to; entries of subvolumes stay. */
bool log_unlink_entry(struct log_replay *r, uint64_t dir, const struct dir_entry *entry, const struct name *name, struct error *err) must_use;

/* The links of inode will be counted when everything is replayed. */
bool log_count_later(struct log_replay *r, uint64_t inode, struct error *err) must_use;

/* Replays a DIR_INDEX item, or a reference item, of the log. */
bool log_replay_entries(struct log_replay *r, const struct key *key, struct cursor item, struct error *err) must_use;
bool log_replay_refs(struct log_replay *r, const struct key *key, const struct cursor *item, struct error *err) must_use;
bool log_count_names(struct log_replay *r, uint64_t inode, uint32_t *n, struct error *err) must_use;

/* Removes file extents in [start, end) and cuts those that begin before or end after it. *n_bytes: what they took on disk. */
bool log_drop_extents(struct log_replay *r, uint64_t inode, uint64_t start, uint64_t end, uint64_t *n_bytes, struct error *err) must_use;
/* Replays an EXTENT_DATA item of the log, and the checksums with it. */
bool log_replay_extent(struct log_replay *r, const struct key *key, const struct cursor *item, struct error *err) must_use;

#endif /* COMMON_FS_LOG_EDIT_H */
