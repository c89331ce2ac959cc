/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt dump-tree: the trees of an image as they are, everything about sealing decoded. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uuid/uuid.h>

#include "cmd/command.h"
#include "cmd/dump/block.h"
#include "cmd/dump/items.h"
#include "cmd/dump/legacy.h"
#include "cmd/dump/roots.h"
#include "cmd/dump/select.h"
#include "cmd/image.h"
#include "cmd/image-options.h"
#include "cmd/key-options.h"
#include "cmd/json.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "cmd/value-text.h"
#include "common/fs/backref.h"
#include "common/util/sorted64.h"

static struct {
	char *tree, *key, *min_key, *max_key;
	char **blocks;
	int follow, depth_first, level_order;
	int extents, device, uuid, roots, backups;
	int hide_names, raw_names, header_csums, data_csums;
	int crypt, tags, noscan;
} opt;

static const struct poptOption options[] = {
	{ "tree", 't', POPT_ARG_STRING, &opt.tree, 0,
	  "only this one: root, chunk, extent, dev, fs, csum, uuid, free-space, block-group, quota, raid-stripe, tree-log, data-reloc, or its "
	  "number", "TREE" },
	{ "block", 'b', POPT_ARG_ARGV, &opt.blocks, 0, "only the block at this address; may be given several times", "=ADDRESS" },
	{ "follow", 0, POPT_ARG_NONE, &opt.follow, 0, "with --block: also every block below it", NULL },
	{ "key", 0, POPT_ARG_STRING, &opt.key, 0, "only items with this key, as far as it is given: 257; -200,PERSISTENT_ITEM; or EXTENT_DATA "
	  "for every object", "OBJECTID[,TYPE[,OFFSET]]" },
	{ "min-key", 0, POPT_ARG_STRING, &opt.min_key, 0, "only items from this key on", "KEY" },
	{ "max-key", 0, POPT_ARG_STRING, &opt.max_key, 0, "only items up to this key", "KEY" },
	{ "crypt", 0, POPT_ARG_NONE, &opt.crypt, 0, "only what concerns sealing, or fscrypt", NULL },
	{ "tags", 0, POPT_ARG_NONE, &opt.tags, 0, "also the tags of sealed data, one for every 4 KiB", NULL },
	INCLUDE(options_blocks),
	{ "noscan", 0, POPT_ARG_NONE, &opt.noscan, 0, "no effect: a device that is not named is never looked for", NULL },
	{ "extents", 'e', POPT_ARG_NONE, &opt.extents, 0, "only the leaves of the extent and device trees", NULL },
	{ "device-trees", 'd', POPT_ARG_NONE, &opt.device, 0, "only the root, chunk and device trees", NULL },
	{ "uuid", 'u', POPT_ARG_NONE, &opt.uuid, 0, "only the uuid tree", NULL },
	{ "roots", 'r', POPT_ARG_NONE, &opt.roots, 0, "only where each tree begins", NULL },
	{ "backups", 'R', POPT_ARG_NONE, &opt.backups, 0, "the same, and the backup roots of the superblock", NULL },
	{ "bfs", 0, POPT_ARG_NONE, &opt.level_order, 0, "level by level, nodes before leaves (default)", NULL },
	{ "dfs", 0, POPT_ARG_NONE, &opt.depth_first, 0, "depth first, each leaf below its node", NULL },
	{ "csum-headers", 0, POPT_ARG_NONE, &opt.header_csums, 0, "also the checksums of tree blocks", NULL },
	{ "csum-items", 0, POPT_ARG_NONE, &opt.data_csums, 0, "also the checksums of data", NULL },
	{ "hide-names", 0, POPT_ARG_NONE, &opt.hide_names, 0, "no names, no contents of xattrs and of inline files", NULL },
	{ "raw-names", 0, POPT_ARG_NONE, &opt.raw_names, 0, "names byte for byte, not escaped", NULL },
	INCLUDE(options_key_2016), INCLUDE(options_time), INCLUDE(options_format),
	POPT_TABLEEND
};

/* What to print, from the options. */
struct dumping {
	struct volume *volume;
	struct dump_legacy *legacy;
	uint64_t tree;			/* 0: all */
	uint64_t *blocks;
	size_t n_blocks;
	struct key first, last;
	int type;			/* of the items of the range, -1: any */
	bool has_range;
	bool damaged;
};

/* --- one tree -------------------------------------------------------------------------------------------------- */

static bool print_tree(struct dumping *dumping, struct dump_printer *printer, const struct dump_start *start, struct error *err)
{
	const struct dump_walk walk = {
		.volume = dumping->volume,
		.tolerant = image_is_tolerant(),
		.depth_first = (opt.depth_first && !opt.level_order) || opt.crypt,
		.leaves_only = opt.extents,
		.only_root = !printer->has_tree && !opt.follow,
		.first = dumping->has_range ? &dumping->first : NULL,
		.last = dumping->has_range ? &dumping->last : NULL,
		.show = dump_block_show,
		.report = dump_block_report,
		.context = printer,
	};

	printer->super = &dumping->volume->super;
	printer->names = opt.hide_names ? NAMES_HIDDEN : opt.raw_names ? NAMES_RAW : NAMES_ESCAPED;
	printer->short_title = opt.extents;
	printer->header_csums = opt.header_csums;
	printer->data_csums = opt.data_csums;
	printer->tags = opt.tags;
	printer->crypt_only = opt.crypt;
	printer->legacy = dumping->legacy;
	printer->first = walk.first;
	printer->last = walk.last;
	printer->type = dumping->has_range ? dumping->type : -1;

	const bool ok = dump_walk(&walk, start, err);

	dumping->damaged |= printer->damaged;
	return ok || (printer->has_tree ? error_prefix(err, "tree %" PRIu64, printer->tree) : false);
}

/* A tree that the superblock points to. */
static bool print_super_tree(struct dumping *dumping, uint64_t id, struct error *err)
{
	struct dump_printer printer = { .tree = id, .has_tree = true, .title = id == TREE_LOG_ID ? "log root tree" : tree_title(id) };
	struct dump_start start;

	dump_start_of_super(&dumping->volume->super, id, &start);
	return start.logical == 0 || print_tree(dumping, &printer, &start, err);
}

static bool print_root(struct dumping *dumping, const struct dump_root *root, struct error *err)
{
	/* If asked for this tree, btrfs-progs takes it for one to which no root item points. */
	const bool is_quirk = dumping->tree == BLOCK_GROUP_TREE_ID;
	struct dump_printer printer = {
		.tree = root->key.objectid,
		.has_tree = true,
		.title = tree_title(root->key.objectid),
		.root_key = is_quirk ? NULL : &root->key,
	};

	return print_tree(dumping, &printer, &root->start, err);
}

/* --- short lists of roots ----------------------------------------------------------------------------------- */

static void put_root(const char *title, uint64_t id, const struct key *key, const struct dump_start *start)
{
	const struct row row = row_begin(NULL);
	char text[KEY_TEXT_SIZE];

	row_u64(&row, "tree", NULL, id);
	row_text(&row, NULL, "", title);
	if (key)
		row_text(&row, "key", " key ", key_text(key, text));
	row_u64(&row, "root", key ? " " : ": ", start->logical);
	row_number(&row, "level", " level ", start->level);
	row_end(&row);
}

static void put_super_root(const struct superblock *super, uint64_t id)
{
	struct dump_start start;

	dump_start_of_super(super, id, &start);
	if (start.logical != 0)
		put_root(id == TREE_LOG_ID ? "log root tree" : tree_title(id), id, NULL, &start);
}

/* --- all of it ------------------------------------------------------------------------------------------------ */

static bool is_super_tree(uint64_t id)
{
	return id == ROOT_TREE_ID || id == CHUNK_TREE_ID || id == TREE_LOG_ID;
}

static bool is_wanted(const struct dumping *dumping, uint64_t id)
{
	if (dumping->tree)
		return id == dumping->tree;
	if (opt.extents || opt.device || opt.uuid)
		return (opt.extents && (id == EXTENT_TREE_ID || id == DEV_TREE_ID)) || (opt.device && id == DEV_TREE_ID) ||
		       (opt.uuid && id == UUID_TREE_ID);
	/* Other trees hold nothing of their own about encryption. */
	return !opt.crypt || id == FS_TREE_ID || (id >= FIRST_FREE_ID && id <= LAST_FREE_ID);
}

static bool print_super_trees(struct dumping *dumping, struct error *err)
{
	static const uint64_t ids[] = { ROOT_TREE_ID, CHUNK_TREE_ID, TREE_LOG_ID };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		if (opt.roots)
			put_super_root(&dumping->volume->super, ids[i]);
		else if (!(opt.crypt && ids[i] == CHUNK_TREE_ID) && !print_super_tree(dumping, ids[i], err))
			return false;
	}
	return true;
}

/* The trees of the root items in the tree of roots, or of logs. */
static bool print_roots_of(struct dumping *dumping, uint64_t id, size_t *n_shown, struct error *err)
{
	cleanup_dump_roots struct dump_roots roots = { 0 };

	if (!dump_roots_read(dumping->volume, id, image_is_tolerant(), &roots, err))
		return error_prefix(err, "tree %" PRIu64, id);
	dumping->damaged |= roots.damaged;
	for (size_t i = 0; i < roots.n; i++) {
		const struct dump_root *root = &roots.root[i];

		if (!is_wanted(dumping, root->key.objectid))
			continue;
		++*n_shown;
		if (opt.roots)
			put_root(tree_title(root->key.objectid), root->key.objectid, &root->key, &root->start);
		else if (!print_root(dumping, root, err))
			return false;
	}
	return true;
}

static bool print_trees(struct dumping *dumping, struct error *err)
{
	const struct superblock *super = &dumping->volume->super;
	char uuid[UUID_STR_LEN];
	size_t n_shown = 0;

	if (dumping->tree == TREE_LOG_ID && super->log_root == 0)
		return error_set(err, ERROR_NOT_FOUND, "the filesystem has no log tree");
	if (is_super_tree(dumping->tree))
		return print_super_tree(dumping, dumping->tree, err);
	if (!dumping->tree && !opt.extents && !opt.uuid && !print_super_trees(dumping, err))
		return false;
	if (!print_roots_of(dumping, ROOT_TREE_ID, &n_shown, err) ||
	    (super->log_root && !opt.crypt && !print_roots_of(dumping, TREE_LOG_ID, &n_shown, err)))
		return false;
	if (dumping->tree && n_shown == 0)
		return error_set(err, ERROR_NOT_FOUND, "tree %" PRIu64 " not found", dumping->tree);
	if (opt.extents || opt.device || opt.uuid || opt.crypt || dumping->has_range || dumping->tree == BLOCK_GROUP_TREE_ID ||
	    format_is_json())
		return true;
	if (opt.backups)
		dump_backup_roots(&super->disk);
	uuid_unparse_lower(super->disk.fsid, uuid);
	printf("total bytes %" PRIu64 "\nbytes used %" PRIu64 "\nuuid %s\n", le64(super->disk.total_bytes), le64(super->disk.bytes_used), uuid);
	return true;
}

/* If something cannot be read because there is no tree block, the address is wrong; it is not damage. */
static bool tell_wrong_address(const struct dumping *dumping, uint64_t logical, struct error *err)
{
	struct backref_extent extent;
	struct error why = { 0 };

	if (err->kind != ERROR_CORRUPT)
		return false;
	if (!backref_extent_at(dumping->volume, logical, &extent, &why))
		return why.kind == ERROR_NOT_FOUND &&
		       error_set(err, ERROR_USAGE, "--block: no tree block of the filesystem is at %" PRIu64 ": the extent tree has nothing there",
				 logical);
	if (extent.is_data)
		return error_set(err, ERROR_USAGE, "--block: data are at %" PRIu64 ", and no tree block", logical);
	return extent.logical != logical &&
	       error_set(err, ERROR_USAGE, "--block: %" PRIu64 " is inside the tree block at %" PRIu64, logical, extent.logical);
}

static bool print_blocks(struct dumping *dumping, struct error *err)
{
	for (size_t i = 0; i < dumping->n_blocks; i++) {
		const struct dump_start start = { .logical = dumping->blocks[i], .level = -1 };
		struct dump_printer printer = { 0 };

		if (!print_tree(dumping, &printer, &start, err))
			return tell_wrong_address(dumping, start.logical, err);
	}
	return true;
}

static void print_unfinished(const struct superblock *super)
{
	struct dump dump = { .indent = 1 };
	struct error err = { 0 };

	if (!superblock_is_unfinished(super))
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

/* --- the command line --------------------------------------------------------------------------------------------- */

/* In ascending order, each once, as btrfs-progs shows them. */
static bool read_blocks(struct dumping *dumping, struct error *err)
{
	size_t n = 0;

	while (opt.blocks && opt.blocks[n])
		n++;
	if (n == 0)
		return true;
	dumping->blocks = calloc(n, sizeof(*dumping->blocks));
	if (!dumping->blocks)
		return error_memory(err);
	for (size_t i = 0; i < n; i++)
		if (!select_block(opt.blocks[i], &dumping->blocks[i], err))
			return false;
	dumping->n_blocks = sort64_unique(dumping->blocks, n);
	return true;
}

static bool read_range(struct dumping *dumping, struct error *err)
{
	struct key ignored;

	dumping->last = (struct key){ UINT64_MAX, UINT8_MAX, UINT64_MAX };
	dumping->has_range = opt.key || opt.min_key || opt.max_key;
	if (opt.key && (opt.min_key || opt.max_key))
		return error_set(err, ERROR_USAGE, "--key does not go with --min-key and --max-key");
	dumping->type = -1;
	return (!opt.key || select_key("--key", opt.key, &dumping->first, &dumping->last, &dumping->type, err)) &&
	       (!opt.min_key || select_key("--min-key", opt.min_key, &dumping->first, &ignored, NULL, err)) &&
	       (!opt.max_key || select_key("--max-key", opt.max_key, &ignored, &dumping->last, NULL, err));
}

static bool read_options(struct dumping *dumping, struct error *err)
{
	opt.roots |= opt.backups;
	if ((opt.tree != NULL) + (opt.blocks != NULL) + opt.extents + opt.device + opt.uuid + (opt.roots != 0) > 1)
		return error_set(err, ERROR_USAGE, "only one of --tree, --block, --extents, --device-trees, --uuid, --roots and --backups");
	if (opt.hide_names && opt.raw_names)
		return error_set(err, ERROR_USAGE, "--hide-names does not go with --raw-names");
	if (opt.follow && !opt.blocks)
		return error_set(err, ERROR_USAGE, "--follow goes with --block");
	return (!opt.tree || select_tree(opt.tree, &dumping->tree, err)) && read_blocks(dumping, err) && read_range(dumping, err);
}

/* The address asked for may not be that of a tree block; that is not damage. */
static bool check_blocks(const struct dumping *dumping, struct error *err)
{
	const struct volume *volume = dumping->volume;

	for (size_t i = 0; i < dumping->n_blocks; i++) {
		const uint64_t logical = dumping->blocks[i];
		const struct chunk *chunk;

		if (logical % volume->super.sector_size != 0)
			return error_set(err, ERROR_USAGE, "--block: %" PRIu64 " is not the address of a tree block, which is a "
				"multiple of %" PRIu32, logical,
					 volume->super.sector_size);
		if (!volume_chunk(volume, logical, &chunk, err))
			return error_set(err, ERROR_USAGE, "--block: the filesystem has nothing at %" PRIu64 ": it is in no chunk", logical);
		if (!(chunk->type & (GROUP_METADATA | GROUP_SYSTEM)))
			return error_set(err, ERROR_USAGE, "--block: %" PRIu64 " is in a chunk of data, and no tree block", logical);
	}
	return true;
}

/* One that was given. */
static bool read_key(struct secret **key, struct error *err)
{
	cleanup_key_source struct key_source source = { 0 };

	return key_options_read(KEY_IF_GIVEN | KEY_ANY_SIZE, "Passphrase: ", &source, err) &&
	       (key_source_is_empty(&source) || legacy_key_take(&source, key_options_scrypt_2017(), key, err));
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_volume struct volume *volume = NULL;
	cleanup_secret struct secret *key = NULL;
	struct dumping dumping = { 0 };

	image_add_devices(operand + 1);

	bool ok = read_options(&dumping, err) && read_key(&key, err) && image_open_blocks(operand[0], &volume, err) &&
		  dump_legacy_new(volume, key, &dumping.legacy, err);

	if (ok) {
		dumping.volume = volume;
		ok = check_blocks(&dumping, err);
	}
	if (ok) {
		if (opt.crypt)
			print_unfinished(&volume->super);
		ok = dumping.n_blocks > 0 ? print_blocks(&dumping, err) : print_trees(&dumping, err);
	}
	dump_legacy_free(dumping.legacy);
	free(dumping.blocks);
	if (ok && dumping.damaged)
		return error_set(err, ERROR_CORRUPT, "some blocks or items cannot be read: see \"invalid\" and \"not decoded\"");
	return ok;
}

const struct command cmd_dump_tree = {
	.name = "dump-tree",
	.operands = "IMAGE [DEVICE...]",
	.summary = "print the trees of an image, with everything about sealing decoded",
	.options = options,
	.run = run,
};
