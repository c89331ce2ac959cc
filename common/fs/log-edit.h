/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What replaying a log tree does to one subvolume's overlay, in terms of inodes, links and extents. */
#ifndef COMMON_FS_LOG_EDIT_H
#define COMMON_FS_LOG_EDIT_H

#include "common/tree/tree.h"
#include "common/util/set64.h"
#include "format/dir-entry.h"
#include "format/file-extent.h"

struct replay {
	struct volume *volume;
	struct tree fs;		/* reads as far as it is replayed */
	struct tree log;
	struct overlay *overlay;	/* of fs */
	bool ignores;		/* the items of an inode that had no link when it was logged */
	uint8_t *item;		/* room for an item that is made */
	/* inodes whose links are to be counted */
	struct set64 to_count;
	uint64_t *counting;
	size_t n_to_count;
};

/* A name of its own: items that names are taken from change. */
struct name {
	uint8_t bytes[NAME_MAX_BYTES];
	uint8_t len;
};
struct name name_copy(const struct cursor *name);

/* Inode items, as on disk. */
bool log_inode_get(const struct tree *tree, uint64_t inode, struct disk_inode_item *disk, bool *found, struct error *err) must_use;
bool log_inode_put(struct replay *r, uint64_t inode, const struct disk_inode_item *disk, struct error *err) must_use;

/* The entry of that name in the DIR_ITEM or DIR_INDEX item of that key; only its location and type are set. */
bool log_entry_find(const struct tree *tree, const struct key *key, const struct name *name, struct dir_entry *entry, bool *found,
		    struct error *err) must_use;
struct key log_entry_key(uint64_t dir, const struct name *name);	/* of its DIR_ITEM */

/* The reference (inode, dir, name) in the INODE_REF or INODE_EXTREF item of that key. */
bool log_ref_find(const struct tree *tree, const struct key *key, uint64_t dir, const struct name *name, uint64_t *index, bool *found,
		  struct error *err) must_use;
struct key log_extref_key(uint64_t inode, uint64_t dir, const struct name *name);

/* Adds the entry of inode in dir under name, and the reference where there is none; takes them away.  Directory sizes follow. */
bool log_link(struct replay *r, uint64_t dir, uint64_t inode, const struct name *name, uint64_t index, bool with_ref,
	      struct error *err) must_use;
bool log_unlink(struct replay *r, uint64_t dir, uint64_t inode, const struct name *name, struct error *err) must_use;
/* The inode that an entry led to is not linked there any more; entries of subvolumes stay. */
bool log_unlink_entry(struct replay *r, uint64_t dir, const struct dir_entry *entry, const struct name *name, struct error *err) must_use;

/* The links of inode are to be counted when all is replayed. */
bool log_count_later(struct replay *r, uint64_t inode, struct error *err) must_use;

/* A DIR_INDEX item, a reference item of the log. */
bool log_replay_entries(struct replay *r, const struct key *key, struct cursor item, struct error *err) must_use;
bool log_replay_refs(struct replay *r, const struct key *key, const struct cursor *item, struct error *err) must_use;
bool log_count_names(struct replay *r, uint64_t inode, uint32_t *n, struct error *err) must_use;

/* Takes file extents of [start, end) away, cuts those that begin before or end behind it; *n_bytes is what they took on disk. */
bool log_drop_extents(struct replay *r, uint64_t inode, uint64_t start, uint64_t end, uint64_t *n_bytes, struct error *err) must_use;
/* An EXTENT_DATA item of the log, and the checksums that are with it. */
bool log_replay_extent(struct replay *r, const struct key *key, const struct cursor *item, struct error *err) must_use;

#endif /* COMMON_FS_LOG_EDIT_H */
