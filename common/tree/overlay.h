/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Items that a tree has in addition to, or instead of, those on disk: in memory, for this run. The tree iterator shows them as if they were
 * on disk. Used for log trees; a conversion never has any.
 */
#ifndef COMMON_TREE_OVERLAY_H
#define COMMON_TREE_OVERLAY_H

#include "common/volume/volume.h"
#include "format/cursor.h"
#include "format/key.h"

/* The most bytes that all overlays of a filesystem may take: an image decides how many items there are. */
#define OVERLAY_MAX (128u << 20)

struct overlay;

/* Stays where it is until the volume is closed. Its bytes stay until it is put or removed again. */
struct overlay_item {
	struct key key;
	bool is_gone;		/* the tree has no such item, whatever the disk says */
	struct cursor item;
	struct overlay_item *after[];
};

/* The overlay of a tree. NULL: the tree is as it is on disk. overlay_make() creates an empty one if there is none. */
struct overlay *overlay_of(const struct volume *volume, uint64_t tree);
/* The overlay of the first tree with a number above *tree, which is updated. NULL: none. */
struct overlay *overlay_after(const struct volume *volume, uint64_t *tree);
bool overlay_make(struct volume *volume, uint64_t tree, struct overlay **overlay, struct error *err) must_use;

/* Copies the bytes, which may be those already there. item.offset says where they come from, for messages. */
bool overlay_put(struct overlay *overlay, const struct key *key, const struct cursor *item, struct error *err) must_use;
bool overlay_remove(struct overlay *overlay, const struct key *key, struct error *err) must_use;

/* The first with a key >= first, the last with a key <= last, the next one. Items that are gone are included. NULL: none. */
const struct overlay_item *overlay_seek(const struct overlay *overlay, const struct key *first);
const struct overlay_item *overlay_seek_last(const struct overlay *overlay, const struct key *last);
static inline const struct overlay_item *overlay_next(const struct overlay_item *item)
{
	return item->after[0];
}

#endif /* COMMON_TREE_OVERLAY_H */
