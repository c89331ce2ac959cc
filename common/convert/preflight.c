/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold before anything is changed: nobody else's unfinished business, and room for ours. */
#include "common/convert/preflight.h"

#include <inttypes.h>

#define COMPAT_RO_KNOWN \
	(COMPAT_RO_FREE_SPACE_TREE | COMPAT_RO_FREE_SPACE_TREE_VALID | COMPAT_RO_VERITY | COMPAT_RO_BLOCK_GROUP_TREE)
#define SUPER_FLAGS_HARMLESS 3ull	/* WRITTEN, RELOC: header flags without a meaning here */
#define JOURNAL_BLOCKS_LEAST 64u	/* the fewest tree blocks that a record must hold */

#define refuse(...) error_set(err, ERROR_REFUSED, __VA_ARGS__)

/* A kernel writes a log tree to the primary alone, and our own conversions write their state there last. */
static bool check_primary(const struct volume *volume, struct error *err)
{
	const struct super_copy *const damaged = volume_damaged_primary(volume);
	char used[COPY_TEXT_SIZE], text[COPY_TEXT_SIZE];

	if (!damaged)
		return true;
	super_copy_text(volume, &volume->copy[volume->super_used], used);
	super_copy_text(volume, damaged, text);
	error_set(err, ERROR_UNFINISHED, "%s may be older than %s was, and is not converted", used, text);
	return error_hint(err, "`convert --resume` writes %s again from %s", text, used);
}

static bool check_super(const struct volume *volume, struct error *err)
{
	const struct superblock *super = &volume->super;
	static const uint8_t zeros[SUPER_TAIL_SIZE];

	if (super->sector_size != CRYPT_BLOCK)
		return refuse("the sector size is %" PRIu32 ", only 4096 can be converted", super->sector_size);
	if (super->log_root != 0) {
		refuse("the filesystem has a log tree to replay");
		return error_hint(err, "mount it with a kernel once and unmount it");
	}
	if (super->flags & SUPER_FLAG_ERROR)
		return refuse("the superblock says that the filesystem has an error");
	if (super->flags & SUPER_FLAG_SEEDING)
		return refuse("this is a seed device");
	if (super->flags & (SUPER_FLAG_METADUMP | SUPER_FLAG_METADUMP_V2))
		return refuse("this is a btrfs-image dump");
	if (volume_interrupted_change(volume)) {
		refuse("btrfstune was interrupted at %s", volume_interrupted_change(volume));
		return error_hint(err, "the same command finishes it");
	}
	if (super->flags & ~SUPER_FLAGS_HARMLESS)
		return refuse("superblock flags %#" PRIx64 " are not known", (uint64_t)(super->flags & ~SUPER_FLAGS_HARMLESS));
	if (super->compat_ro & ~COMPAT_RO_KNOWN)
		return refuse("compat_ro features %#" PRIx64 " are not known", (uint64_t)(super->compat_ro & ~COMPAT_RO_KNOWN));
	if (super->compat_ro & COMPAT_RO_FREE_SPACE_TREE && !(super->compat_ro & COMPAT_RO_FREE_SPACE_TREE_VALID)) {
		refuse("the free space tree is not valid");
		return error_hint(err, "mount it with a kernel once and unmount it");
	}
	if (super->incompat & INCOMPAT_ENCRYPT)
		return refuse("the filesystem has fscrypt encryption (incompat bit 15)");
	for (unsigned n = 0; n < volume->n_copies; n++)
		if (volume->copy[n].number == 1 && !volume->copy[n].exists)
			return refuse("devid %" PRIu64 " has %" PRIu64 " bytes and no second superblock, 64 MiB + 4 KiB are needed",
				      volume->devices[volume->copy[n].device].devid, volume->devices[volume->copy[n].device].device->size);
	if (!superblock_is_unfinished(super) && memcmp(super->disk.tail, zeros, sizeof(zeros)) != 0)
		return refuse("the unused bytes at the end of the superblock are in use");
	return true;
}

/* Does the tree have an item of this objectid and type? Sets *found to the key of the first. */
static bool has_item(const struct tree *tree, uint64_t objectid, uint8_t type, bool *has, struct key *found, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key first = { objectid, type, 0 };

	if (!tree_seek(tree, &first, &iter, err))
		return false;
	*has = iter.valid && iter.key.objectid == objectid && iter.key.type == type;
	*found = iter.key;
	return true;
}

static bool check_root_tree(struct volume *volume, struct error *err)
{
	struct tree root;
	struct key found;
	bool has;

	if (!tree_open(volume, ROOT_TREE_ID, &root, err))
		return false;
	if (!has_item(&root, ORPHAN_ID, KEY_ORPHAN_ITEM, &has, &found, err))
		return false;
	if (has) {
		refuse("subvolume %" PRIu64 " was deleted and is not cleaned up yet", found.offset);
		return error_hint(err, "mount it, `btrfs subvolume sync`, unmount");
	}
	if (!has_item(&root, BALANCE_ID, KEY_TEMPORARY_ITEM, &has, &found, err))
		return false;
	if (has) {
		refuse("a balance has not finished");
		return error_hint(err, "mount it and let the balance finish, or cancel it");
	}
	if (!has_item(&root, TREE_RELOC_ID, KEY_ROOT_ITEM, &has, &found, err))
		return false;
	if (!has)
		return true;
	refuse("a relocation has not finished");
	return error_hint(err, "mount it, let the balance finish, unmount");
}

/* The kernel's data relocation tree must hold nothing but its root directory. */
static bool check_data_reloc(struct volume *volume, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key first = { FIRST_FREE_ID + 1, 0, 0 };
	struct tree tree;

	if (!tree_open(volume, DATA_RELOC_TREE_ID, &tree, err)) {
		if (err->kind != ERROR_NOT_FOUND)
			return false;
		*err = (struct error){ 0 };
		return true;
	}
	if (!tree_seek(&tree, &first, &iter, err))
		return false;
	if (!iter.valid)
		return true;
	refuse("the data relocation tree is not empty");
	return error_hint(err, "mount it, let the balance finish, unmount");
}

static bool check_replace(struct volume *volume, struct error *err)
{
	/* replace_state, a le64 at byte 32 of the item: 1 started, 4 suspended */
	enum { STATE_AT = 32, STARTED = 1, SUSPENDED = 4 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key key = { 0, KEY_DEV_REPLACE, 0 };
	struct tree tree;
	struct le64 state;
	bool found;

	if (!tree_open(volume, DEV_TREE_ID, &tree, err) || !tree_find(&tree, &key, &iter, &found, err))
		return false;
	if (!found || iter.item.left < STATE_AT + sizeof(state))
		return true;
	memcpy(&state, iter.item.at + STATE_AT, sizeof(state));
	if (le64(state) != STARTED && le64(state) != SUSPENDED)
		return true;
	refuse("a device replace has not finished");
	return error_hint(err, "mount it and let the replace finish, or cancel it");
}

bool preflight_no_parity(const struct volume *volume, const char *what, struct error *err)
{
	char text[64];

	for (size_t i = 0; i < volume->n_chunks; i++) {
		const struct chunk *const chunk = &volume->chunks[i];

		if (chunk->type & (GROUP_RAID5 | GROUP_RAID6))
			return refuse("chunk %" PRIu64 " has profile %s: %s is not supported there", chunk->logical,
				      chunk_type_text(chunk->type & GROUP_PROFILE_MASK, text), what);
	}
	return true;
}

bool preflight_features(struct volume *volume, struct error *err)
{
	return check_primary(volume, err) && check_super(volume, err) && check_root_tree(volume, err) &&
	       check_data_reloc(volume, err) && check_replace(volume, err);
}

bool refuse_dead(uint64_t id, const char *why, struct error *err)
{
	refuse("subvolume %" PRIu64 " was deleted%s; no kernel cleans it up, for it has no orphan item", id, why);
	return error_hint(err, "`btrfs check --repair` of btrfs-progs 6.18 or later adds that item; then mount the filesystem, run "
			  "`btrfs subvolume sync`, and unmount");
}

bool conversion_trees_walk(struct volume *volume, tree_visit *visit, void *context, struct error *err)
{
	static const uint64_t ids[] = { ROOT_TREE_ID, CHUNK_TREE_ID, EXTENT_TREE_ID, DEV_TREE_ID, CSUM_TREE_ID, FREE_SPACE_TREE_ID,
					BLOCK_GROUP_TREE_ID };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct tree tree;

		if ((ids[i] == FREE_SPACE_TREE_ID && !(volume->super.compat_ro & COMPAT_RO_FREE_SPACE_TREE)) ||
		    (ids[i] == BLOCK_GROUP_TREE_ID && !(volume->super.compat_ro & COMPAT_RO_BLOCK_GROUP_TREE)))
			continue;
		if (!tree_open(volume, ids[i], &tree, err) || !tree_walk(&tree, visit, context, err))
			return false;
	}
	return true;
}

static bool nothing_to_see(void *context, struct block *block, bool *descend, struct error *err)
{
	(void)context, (void)block, (void)descend, (void)err;
	return true;
}

bool preflight_trees(struct volume *volume, struct error *err)
{
	return conversion_trees_walk(volume, nothing_to_see, NULL, err) ||
	       error_hint(err, "nothing was changed; `btrfs-crypt export` saves everything that does not need this block");
}

/* --- room -------------------------------------------------------------------------------------------- */

uint64_t preflight_work(const struct scan *scan)
{
	return scan->data_bytes / 16 + scan->n_leaves * scan->volume->super.node_size;
}

static uint64_t journal_slot_wanted(uint64_t work, uint64_t least)
{
	uint64_t want = least;

	while (want < JOURNAL_SLOT_WANTED && want < work)
		want *= 2;
	return want;
}

static bool take_places(struct allocator *allocator, unsigned n, uint64_t want, uint64_t least, struct crypt_range *place,
			struct error *err)
{
	struct free_range range[CRYPT_JOURNAL_SLOTS];

	if (!allocator_find_journals(allocator, n, want, least, range, err))
		return err->kind == ERROR_NO_SPACE && error_hint(err, "%s", MAKE_ROOM);
	for (unsigned i = 0; i < n; i++) {
		if (!allocator_reserve(allocator, range[i].logical, range[i].length, err))
			return error_prefix(err, "no room for the journal");
		place[i] = (struct crypt_range){ range[i].logical, range[i].length };
	}
	return true;
}

bool preflight_places_for(struct allocator *allocator, uint32_t node_size, uint64_t work, uint64_t n_blocks, struct operation_places *places,
			  struct error *err)
{
	const uint64_t blocks = (n_blocks > JOURNAL_BLOCKS_LEAST ? n_blocks : JOURNAL_BLOCKS_LEAST) * node_size;
	const uint64_t least = blocks > JOURNAL_SLOT_LEAST ? blocks : JOURNAL_SLOT_LEAST;
	const uint64_t want = journal_slot_wanted(work, least);

	return take_places(allocator, CRYPT_JOURNAL_SLOTS, want, least, places->slot, err) &&
	       take_places(allocator, 1, KEYS_AREA_SIZE, KEYS_AREA_SIZE, &places->keys, err);
}

bool preflight_places(struct allocator *allocator, uint32_t node_size, uint64_t work, struct operation_places *places, struct error *err)
{
	return preflight_places_for(allocator, node_size, work, 0, places, err);
}
