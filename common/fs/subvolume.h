/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subvolumes of a filesystem, their paths, and the ways people name them. */
#ifndef COMMON_FS_SUBVOLUME_H
#define COMMON_FS_SUBVOLUME_H

#include <string.h>

#include "common/tree/tree.h"

struct subvolume {
	uint64_t id;
	uint64_t parent_id;	/* of the subvolume whose directory holds it; 0: none (top level, or deleted) */
	uint64_t dirid;		/* inode of that directory */
	struct key root_key;	/* of its ROOT_ITEM */
	struct root root;
	uint8_t *path;		/* raw bytes, from the top level, no leading slash; "" for the top level itself */
	size_t path_len;
	bool deleted;		/* refs 0: not cleaned up yet */
};

/*
 * Damage of one subvolume, which affects only that one: its root item (then it is not in the list, or as in an older item), or its path. A
 * path that is too long is ERROR_REFUSED. A root item is missing if a ROOT_REF or ROOT_BACKREF still refers to it.
 */
struct subvolume_lost {
	uint64_t id;
	uint64_t parent_id;	/* of the subvolume whose directory holds it; 0: not known. Only where the root item is missing */
	bool is_path;
	enum error_kind kind;
	char *what;
};

struct subvolume_list {
	struct volume *volume;
	struct subvolume *at;	/* by ascending id; id 5 first */
	size_t n;
	uint32_t *by_uuid;	/* indexes of those that have a uuid, sorted by uuid, then id; NULL: not made, so every search looks at all */
	size_t n_by_uuid;
	uint64_t default_id;
	struct subvolume_lost *lost;	/* subvolume_list_read_over() */
	size_t n_lost, lost_room;
};

bool subvolume_list_read(struct volume *volume, struct subvolume_list *list, struct error *err) must_use;
/*
 * The same, but skips damaged root items, and damage on the way to paths, and lists them. For callers that know which subvolumes they need.
 */
bool subvolume_list_read_over(struct volume *volume, struct subvolume_list *list, struct error *err) must_use;
/* Makes by_uuid, which reading does too. For a list made in another way. */
bool subvolume_list_index(struct subvolume_list *list, struct error *err) must_use;
void subvolume_list_free(struct subvolume_list *list);

/* Damage of its root item, if the list was read over it. NULL if there is none. */
const struct subvolume_lost *subvolume_lost_root(const struct subvolume_list *list, uint64_t id);

/* NULL if there is none. */
const struct subvolume *subvolume_by_id(const struct subvolume_list *list, uint64_t id);
const struct subvolume *subvolume_by_uuid(const struct subvolume_list *list, const uint8_t uuid[UUID_SIZE]);

/* A root item without a uuid has one of zeros. */
bool subvolume_has_uuid(const struct subvolume *subvolume, const uint8_t uuid[UUID_SIZE]);

/* "aes-256-gcm@btrfs:75197c8e" from the tag in a root item. False: it has none. */
#define ROOT_TAG_TEXT_SIZE 48
bool root_tag_text(const struct root *root, char text[ROOT_TAG_TEXT_SIZE]);

static inline void subvolume_list_cleanup(struct subvolume_list *list) { subvolume_list_free(list); }
#define cleanup_subvolume_list __attribute__((cleanup(subvolume_list_cleanup)))	/* initialise with { 0 } */

/* Length of the prefix of a SUBVOL argument that is no path, "id:" or "uuid:"; 0: it is a path. */
static inline size_t subvolume_prefix(const char *name)
{
	return strncmp(name, "id:", 3) == 0 ? 3 : strncmp(name, "uuid:", 5) == 0 ? 5 : 0;
}

/*
 * A SUBVOL argument: a path as `btrfs subvolume list` prints it (leading "/" and "<FS_TREE>/" allowed, "/" is the top level), "id:256", or
 * "uuid:...". ERROR_NOT_FOUND, with a hint if a directory of that name is not a subvolume. ERROR_USAGE for a malformed id or uuid.
 * ERROR_CORRUPT if its root item is damaged, or if it may be one that has lost its root item or path.
 */
bool subvolume_find(const struct subvolume_list *list, const char *name, const struct subvolume **found,
		    struct error *err) must_use;

/* Writes "path (id N)" of a subvolume, for people, into the caller's buffer. */
const char *subvolume_name(const struct subvolume_list *list, uint64_t id, char name[160]);

#endif /* COMMON_FS_SUBVOLUME_H */
