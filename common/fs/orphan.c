/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds what a mount would delete. */
#include "common/fs/orphan.h"

#include "format/inode.h"
#include "common/tree/tree-gap.h"
#include "common/volume/tolerance.h"

bool key_is_orphan_item(const struct key *key)
{
	return key->objectid == ORPHAN_ID && key->type == KEY_ORPHAN_ITEM;
}

/* Is an item left out for an inode that loses this part? */
static bool part_has(enum orphan_part part, const struct key *key)
{
	return part == ORPHAN_WHOLE || (part == ORPHAN_VERITY && (key->type == KEY_VERITY_DESC || key->type == KEY_VERITY_MERKLE));
}

/*
 * Finds which part of an inode that has an orphan item a mount would delete. Without an inode item, the kernel finds nothing to delete. If the
 * inode item cannot be read, nothing is left out, and the inode is not what it was.
 */
static bool part_of(const struct tree *subvolume, uint64_t inode, bool over_damage, enum orphan_part *part, struct error *err)
{
	const struct key key = { inode, KEY_INODE_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error ignored = { 0 };
	struct inode read;
	bool found;

	*part = ORPHAN_NOTHING;
	if (!tree_find(subvolume, &key, &iter, &found, err))
		return over_damage && error_is_damage(err);
	if (!found || !inode_read(&iter.item, &read, &ignored))
		return true;
	*part = read.n_links == 0 ? ORPHAN_WHOLE : ORPHAN_VERITY;
	return true;
}

static bool seek_orphan(const struct tree *subvolume, uint64_t inode, bool over_damage, struct tree_iter *iter, struct error *err)
{
	const struct key key = { ORPHAN_ID, KEY_ORPHAN_ITEM, inode };

	return over_damage ? tree_seek_over(subvolume, &key, iter, NULL, NULL, err) : tree_seek(subvolume, &key, iter, err);
}

static bool look_up(struct orphan_memory *memory, const struct tree *subvolume, uint64_t inode, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };

	memory->part = ORPHAN_NOTHING;
	return seek_orphan(subvolume, inode, memory->over_damage, &iter, err) &&
	       (!iter.valid || !key_is_orphan_item(&iter.key) || iter.key.offset != inode ||
		part_of(subvolume, inode, memory->over_damage, &memory->part, err));
}

/* Most subvolumes have no orphan, and one look is enough for them. */
static bool look_at_tree(struct orphan_memory *memory, const struct tree *subvolume, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };

	*memory = (struct orphan_memory){ .over_damage = memory->over_damage };
	if (!seek_orphan(subvolume, 0, memory->over_damage, &iter, err))
		return false;
	memory->tree_id = subvolume->id;
	memory->tree_has_none = !iter.valid || !key_is_orphan_item(&iter.key);
	return true;
}

bool orphan_leaves_out(struct orphan_memory *memory, const struct tree *subvolume, const struct key *key, bool *out, struct error *err)
{
	*out = key_is_orphan_item(key);
	if (*out)
		return true;
	if (memory->tree_id != subvolume->id && !look_at_tree(memory, subvolume, err))
		return false;
	if (memory->tree_has_none)
		return true;
	if (!memory->known || memory->inode != key->objectid) {
		memory->known = false;
		if (!look_up(memory, subvolume, key->objectid, err))
			return false;
		memory->inode = key->objectid;
		memory->known = true;
	}
	*out = part_has(memory->part, key);
	return true;
}

static bool visit_inode(const struct tree *subvolume, uint64_t inode, enum orphan_part part, orphan_visit *visit, void *context,
			struct error *err)
{
	const struct key first = { inode, part == ORPHAN_WHOLE ? 0 : KEY_VERITY_DESC, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	for (bool ok = tree_seek(subvolume, &first, &iter, err);; ok = tree_next(&iter, err)) {
		if (!ok)
			return false;
		if (!iter.valid || iter.key.objectid != inode || !part_has(part, &iter.key))
			return true;
		if (!key_is_orphan_item(&iter.key) && !visit(context, subvolume, &iter.key, iter.item, err))
			return false;
	}
}

bool orphan_visit_items(const struct tree *subvolume, orphan_visit *visit, void *context, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };

	for (bool ok = seek_orphan(subvolume, 0, false, &iter, err);; ok = tree_next(&iter, err)) {
		enum orphan_part part;

		if (!ok)
			return false;
		if (!iter.valid || !key_is_orphan_item(&iter.key))
			return true;
		if (!part_of(subvolume, iter.key.offset, false, &part, err) ||
		    (part != ORPHAN_NOTHING && !visit_inode(subvolume, iter.key.offset, part, visit, context, err)))
			return false;
	}
}
