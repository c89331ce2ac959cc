/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt dump-tree: the trees of an image as they are, every encryption item decoded. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "cmd/cmd.h"
#include "cmd/dump-items.h"
#include "cmd/json.h"
#include "common/tree/tree.h"
#include "common/util/escape.h"

static struct {
	char *tree;
	int crypt;
} opt;

static const struct poptOption options[] = {
	{ "tree", 't', POPT_ARG_STRING, &opt.tree, 0,
	  "only this one: root, chunk, extent, dev, fs, csum, uuid, free-space, block-group, quota, data-reloc, or its number", "TREE" },
	{ "crypt", 0, POPT_ARG_NONE, &opt.crypt, 0, "only what concerns encryption", NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_image, 0, NULL, NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_format, 0, NULL, NULL },
	POPT_TABLEEND
};

static const struct tree_name {
	const char *option, *other;	/* as btrfs-progs also takes it */
	uint64_t id;
	const char *title;
} tree_names[] = {
	{ "root", NULL, ROOT_TREE_ID, "root tree" },
	{ "extent", NULL, EXTENT_TREE_ID, "extent tree" },
	{ "chunk", NULL, CHUNK_TREE_ID, "chunk tree" },
	{ "dev", "device", DEV_TREE_ID, "device tree" },
	{ "fs", NULL, FS_TREE_ID, "fs tree" },
	{ "csum", "checksum", CSUM_TREE_ID, "checksum tree" },
	{ "quota", NULL, QUOTA_TREE_ID, "quota tree" },
	{ "uuid", NULL, UUID_TREE_ID, "uuid tree" },
	{ "free-space", NULL, FREE_SPACE_TREE_ID, "free space tree" },
	{ "block-group", NULL, BLOCK_GROUP_TREE_ID, "block group tree" },
	{ "data-reloc", NULL, DATA_RELOC_TREE_ID, "data reloc tree" },
};
#define N_TREE_NAMES (sizeof(tree_names) / sizeof(tree_names[0]))

static dump_item *const decoders[256] = {
	[KEY_INODE_ITEM] = dump_inode,
	[KEY_INODE_REF] = dump_inode_ref,
	[KEY_INODE_EXTREF] = dump_inode_extref,
	[KEY_XATTR_ITEM] = dump_dir_entries,
	[KEY_DIR_ITEM] = dump_dir_entries,
	[KEY_DIR_INDEX] = dump_dir_entries,
	[KEY_EXTENT_DATA] = dump_file_extent,
	[KEY_EXTENT_CSUM] = dump_csums,
	[KEY_ROOT_ITEM] = dump_root,
	[KEY_ROOT_BACKREF] = dump_root_ref,
	[KEY_ROOT_REF] = dump_root_ref,
	[KEY_EXTENT_ITEM] = dump_extent,
	[KEY_METADATA_ITEM] = dump_extent,
	[KEY_EXTENT_OWNER_REF] = dump_extent_ref,
	[KEY_TREE_BLOCK_REF] = dump_extent_ref,
	[KEY_EXTENT_DATA_REF] = dump_extent_ref,
	[KEY_SHARED_BLOCK_REF] = dump_extent_ref,
	[KEY_SHARED_DATA_REF] = dump_extent_ref,
	[KEY_BLOCK_GROUP_ITEM] = dump_block_group,
	[KEY_FREE_SPACE_INFO] = dump_free_space,
	[KEY_FREE_SPACE_EXTENT] = dump_free_space,
	[KEY_FREE_SPACE_BITMAP] = dump_free_space,
	[KEY_DEV_EXTENT] = dump_dev_extent,
	[KEY_DEV_ITEM] = dump_dev_item,
	[KEY_CHUNK_ITEM] = dump_chunk,
	[KEY_UUID_SUBVOL] = dump_uuid_item,
	[KEY_UUID_RECEIVED] = dump_uuid_item,
};

struct dumping {
	const struct superblock *super;
	uint64_t tree;
	const char *title;
	const struct key *root_key;	/* NULL: the superblock says where the tree is */
	bool titled;
	bool damaged;		/* an item did not read */
};

static dump_item *decoder_of(const struct key *key)
{
	if (key->type == KEY_PERSISTENT_ITEM)
		return key->objectid == CRYPT_ID ? dump_crypt : key->objectid == 0 ? dump_dev_stats : NULL;
	return decoders[key->type];
}

/* --- items ------------------------------------------------------------------------------------------------ */

static void decode(struct dumping *dumping, struct dump *dump, const struct key *key, struct cursor item)
{
	const struct cursor whole = item;
	dump_item *decoder = decoder_of(key);
	struct error err = { 0 };

	if (decoder && decoder(dump, key, &item, dumping->super, &err)) {
		dump_end_line(dump);
		return;
	}
	if (decoder) {
		dump_end_line(dump);
		dump_text(dump, "not decoded:", err.text);
		dumping->damaged = true;
	} else if (!dump->object && key->type == KEY_ORPHAN_ITEM) {
		dump_words(dump, "orphan item");
	}
	dump_end_line(dump);
	dump_bytes(dump, whole.at, whole.left);
}

static void print_item(struct dumping *dumping, const struct block *block, uint32_t slot)
{
	const struct key key = node_key(&block->node, slot);
	const struct cursor item = leaf_item(&block->node, slot);
	const uint32_t offset = leaf_item_at(&block->node, slot) - (uint32_t)sizeof(struct disk_header);
	struct dump dump = { .indent = 2 };
	char text[KEY_TEXT_SIZE];

	if (!format_is_json()) {
		printf("\titem %" PRIu32 " key %s itemoff %" PRIu32 " itemsize %zu\n", slot, key_text(&key, text), offset, item.left);
		decode(dumping, &dump, &key, item);
		return;
	}

	struct json_object *line = json_line();

	json_u64(line, "tree", dumping->tree);
	json_u64(line, "block", block->logical);
	json_number(line, "slot", slot);
	json_text(line, "key", key_text(&key, text));
	json_u64(line, "objectid", key.objectid);
	json_number(line, "type", key.type);
	json_u64(line, "offset", key.offset);
	json_number(line, "itemoff", offset);
	json_number(line, "itemsize", item.left);
	dump.object = json_line();
	decode(dumping, &dump, &key, item);
	json_member(line, "item", dump.object);
	json_print(line, stdout);
}

/* --- blocks ----------------------------------------------------------------------------------------------- */

static void print_title(struct dumping *dumping)
{
	char text[KEY_TEXT_SIZE];

	if (dumping->titled || format_is_json())
		return;
	dumping->titled = true;
	printf("%s", dumping->title);
	if (dumping->root_key)
		printf(" key %s ", key_text(dumping->root_key, text));
	putchar('\n');
}

static void print_block_header(const struct block *block)
{
	const struct node *node = &block->node;
	const uint8_t *chunk_uuid = block->bytes + offsetof(struct disk_header, chunk_tree_uuid);
	const char *kind = node_is_leaf(node) ? "leaf" : "node";
	const uint8_t revision = node->flags >> 56;
	const uint64_t flags = node->flags & ((1ull << 56) - 1);
	static const struct bit_name names[] = { { 1, "WRITTEN" }, { 2, "RELOC" } };
	char owner[OBJECT_TEXT_SIZE], text[64], uuid[UUID_STR_LEN];
	uint32_t gap_at;
	uint32_t room = node_gap(node, &gap_at);

	/* Of an inner node btrfs-progs counts pointers. */
	if (!node_is_leaf(node))
		room = (node->size - sizeof(struct disk_header)) / sizeof(struct disk_key_ptr) - node->n_items;
	printf("%s %" PRIu64, kind, node->logical);
	if (!node_is_leaf(node))
		printf(" level %u", node->level);
	printf(" items %" PRIu32 " free space %" PRIu32 " generation %" PRIu64 " owner %s\n", node->n_items, room, node->generation,
	       object_text(node->owner, owner));
	printf("%s %" PRIu64 " flags 0x%" PRIx64 "(%s) backref revision %u\n", kind, node->logical, flags,
	       bits_text(flags, names, 2, text, sizeof(text)), revision);
	uuid_unparse_lower(node->fsid, uuid);
	printf("fs uuid %s\n", uuid);
	uuid_unparse_lower(chunk_uuid, uuid);
	printf("chunk uuid %s\n", uuid);
}

static void print_pointers(const struct dumping *dumping, const struct block *block)
{
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		const struct key key = node_key(&block->node, slot);
		const uint64_t child = node_child(&block->node, slot), generation = node_child_generation(&block->node, slot);
		char text[KEY_TEXT_SIZE];

		if (!format_is_json()) {
			printf("\tkey %s block %" PRIu64 " gen %" PRIu64 "\n", key_text(&key, text), child, generation);
			continue;
		}

		struct json_object *line = json_line();

		json_u64(line, "tree", dumping->tree);
		json_u64(line, "block", block->logical);
		json_number(line, "level", block->node.level);
		json_number(line, "slot", slot);
		json_text(line, "key", key_text(&key, text));
		json_u64(line, "child", child);
		json_u64(line, "generation", generation);
		json_print(line, stdout);
	}
}

static bool print_block(void *context, struct block *block, bool *descend, struct error *err)
{
	struct dumping *dumping = context;
	bool announced = false;

	(void)descend, (void)err;
	if (!opt.crypt) {
		print_title(dumping);
		if (!format_is_json())
			print_block_header(block);
		announced = true;
	}
	if (!node_is_leaf(&block->node)) {
		if (!opt.crypt)
			print_pointers(dumping, block);
		return true;
	}
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		const struct key key = node_key(&block->node, slot);

		if (opt.crypt && !item_is_about_encryption(&key, leaf_item(&block->node, slot), dumping->super->sector_size))
			continue;
		print_title(dumping);
		if (!announced && !format_is_json())
			printf("leaf %" PRIu64 " generation %" PRIu64 "\n", block->logical, block->node.generation);
		announced = true;
		print_item(dumping, block, slot);
	}
	return true;
}

/* --- trees ------------------------------------------------------------------------------------------------ */

static const char *title_of(uint64_t id)
{
	for (size_t i = 0; i < N_TREE_NAMES; i++) {
		if (tree_names[i].id == id)
			return tree_names[i].title;
	}
	return id >= FIRST_FREE_ID && id <= LAST_FREE_ID ? "file tree" : "tree";
}

static bool dump_one_tree(struct volume *volume, uint64_t id, bool *damaged, struct error *err)
{
	const bool from_super = id == ROOT_TREE_ID || id == CHUNK_TREE_ID;
	struct dumping dumping = { .super = &volume->super, .tree = id, .title = title_of(id) };
	struct tree tree;
	struct key key;

	if (from_super ? !tree_open(volume, id, &tree, err) : !tree_open_root(volume, id, &tree, NULL, &key, err))
		return false;
	dumping.root_key = from_super ? NULL : &key;
	if (!tree_walk(&tree, print_block, &dumping, err))
		return false;
	*damaged |= dumping.damaged;
	return true;
}

/* Trees that hold nothing of their own about encryption. */
static bool may_be_about_encryption(uint64_t id)
{
	return id == ROOT_TREE_ID || id == FS_TREE_ID || (id >= FIRST_FREE_ID && id <= LAST_FREE_ID);
}

static bool dump_all_trees(struct volume *volume, bool *damaged, struct error *err)
{
	const struct key first = { 0, 0, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree roots;
	uint64_t last = 0;

	if (!dump_one_tree(volume, ROOT_TREE_ID, damaged, err) ||
	    (!opt.crypt && !dump_one_tree(volume, CHUNK_TREE_ID, damaged, err)) ||
	    !tree_open(volume, ROOT_TREE_ID, &roots, err) ||
	    !tree_seek(&roots, &first, &iter, err))
		return false;
	while (iter.valid) {
		const uint64_t id = iter.key.objectid;

		if (iter.key.type == KEY_ROOT_ITEM && id != last && id != TREE_RELOC_ID && (!opt.crypt || may_be_about_encryption(id))) {
			last = id;
			if (!dump_one_tree(volume, id, damaged, err))
				return false;
		}
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

static bool tree_of_option(uint64_t *id, struct error *err)
{
	char given[64], *end;

	for (size_t i = 0; i < N_TREE_NAMES; i++) {
		if (strcasecmp(opt.tree, tree_names[i].option) == 0 ||
		    (tree_names[i].other && strcasecmp(opt.tree, tree_names[i].other) == 0)) {
			*id = tree_names[i].id;
			return true;
		}
	}
	errno = 0;
	*id = strtoull(opt.tree, &end, 10);
	if (opt.tree[0] < '0' || opt.tree[0] > '9' || *end || errno) {
		escape_text(opt.tree, strlen(opt.tree), given, sizeof(given));
		error_set(err, ERROR_USAGE, "--tree: \"%s\" is no name of a tree, and not a number from 0 to %" PRIu64, given, UINT64_MAX);
		return error_hint(err, "see btrfs-crypt dump-tree --help");
	}
	return true;
}

static void print_unfinished(const struct superblock *super)
{
	struct dump dump = { .indent = 1 };
	struct error err = { 0 };

	if (!(super->incompat & INCOMPAT_CRYPT_UNFINISHED))
		return;
	if (!format_is_json())
		printf("unfinished conversion (not authenticated)\n");
	else
		dump.object = json_line();
	if (!dump_crypt_state(&dump, super->disk.tail, &err))
		dump_text(&dump, "not decoded:", err.text);
	dump_end_line(&dump);
	if (format_is_json()) {
		struct json_object *line = json_line();

		json_member(line, "unfinished_conversion", dump.object);
		json_print(line, stdout);
	}
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_volume struct volume *volume = NULL;
	bool damaged = false;
	uint64_t id = 0;

	if ((opt.tree && !tree_of_option(&id, err)) || !image_open(operand[0], false, true, &volume, err))
		return false;
	if (opt.crypt)
		print_unfinished(&volume->super);
	if (opt.tree ? !dump_one_tree(volume, id, &damaged, err) : !dump_all_trees(volume, &damaged, err))
		return false;
	if (damaged)
		return error_set(err, ERROR_CORRUPT, "some items do not read: see \"not decoded\"");
	return true;
}

const struct command cmd_dump_tree = {
	.name = "dump-tree",
	.operands = "IMAGE",
	.summary = "print the trees of an image, with every encryption item decoded",
	.options = options,
	.run = run,
};
