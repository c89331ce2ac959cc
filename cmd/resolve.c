/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt resolve: from inodes and addresses to paths, and from paths to addresses. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/json.h"
#include "cmd/places.h"
#include "cmd/resolve-path.h"
#include "common/fs/backref.h"
#include "common/fs/inode-names.h"
#include "common/util/escape.h"

static struct {
	char *inode, *logical;
	int ignore_offset;
} opt;

static const struct poptOption options[] = {
	{ "inode", 'i', POPT_ARG_STRING, &opt.inode, 0, "print every path of this inode of SUBVOL", "N" },
	{ "logical", 'l', POPT_ARG_STRING, &opt.logical, 0, "print every file, or every tree, that has this logical address", "ADDRESS" },
	{ "ignore-offset", 'o', POPT_ARG_NONE, &opt.ignore_offset, 0,
	  "with --logical: also files that have only other bytes of the extent", NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_image, 0, NULL, NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_format, 0, NULL, NULL },
	POPT_TABLEEND
};

/* --- paths of an inode -------------------------------------------------------------------------------------- */

struct naming {
	const struct subvolume *subvolume;	/* NULL: not known */
	uint64_t root;
	uint64_t inode, offset;
	bool has_offset;
};

static void print_path_text(const struct naming *naming, const uint8_t *path, size_t len)
{
	const struct subvolume *subvolume = naming->subvolume;
	char *above = subvolume ? escape_new(subvolume->path, subvolume->path_len) : NULL;
	char *inside = path ? escape_new(path, len) : NULL;

	if (naming->has_offset)
		printf("inode %" PRIu64 " offset %" PRIu64 " root %" PRIu64 " path ", naming->inode, naming->offset, naming->root);
	if (!subvolume || subvolume->deleted)
		printf("DELETED/");
	else if (above && above[0])
		printf("%s%s", above, inside && inside[0] ? "/" : "");
	printf("%s\n", !path ? "(no name)" : !inside ? "?" : inside[0] || (above && above[0]) ? inside : "/");
	free(above);
	free(inside);
}

static bool print_path(void *context, const uint8_t *path, size_t len, struct error *err)
{
	const struct naming *naming = context;

	(void)err;
	if (!format_is_json()) {
		print_path_text(naming, path, len);
		return true;
	}

	struct json_object *line = json_line();

	json_text(line, "record", "file");
	json_u64(line, "inode", naming->inode);
	if (naming->has_offset)
		json_u64(line, "offset", naming->offset);
	json_u64(line, "subvolume", naming->root);
	if (naming->subvolume && !naming->subvolume->deleted) {
		if (naming->root == FS_TREE_ID)
			json_text(line, "subvolume_path", "/");
		else
			json_name(line, "subvolume_path", naming->subvolume->path, naming->subvolume->path_len);
	}
	if (path)
		json_name(line, "path", path, len);
	json_print(line, stdout);
	return true;
}

static bool print_names(const struct subvolume_list *list, struct naming *naming, uint64_t *n_names, struct error *err)
{
	struct tree tree;

	naming->subvolume = subvolume_by_id(list, naming->root);
	return tree_open(list->volume, naming->root, &tree, err) &&
	       inode_names(&tree, naming->inode, print_path, naming, n_names, err);
}

static bool resolve_inode(const struct subvolume_list *list, const struct subvolume *subvolume, uint64_t number, struct error *err)
{
	struct naming naming = { .root = subvolume->id, .inode = number };
	struct inode inode;
	struct tree tree;
	uint64_t n_names;

	if (!tree_open(list->volume, subvolume->id, &tree, err) || !inode_get(&tree, number, &inode, err) ||
	    !print_names(list, &naming, &n_names, err))
		return false;
	return n_names > 0 || error_set(err, ERROR_NOT_FOUND, "inode %" PRIu64 " of subvolume %" PRIu64 " has no name: it was deleted while open",
					number, subvolume->id);
}

/* --- a logical address ---------------------------------------------------------------------------------------- */

static bool print_file(void *context, const struct backref_file *file, struct error *err)
{
	const struct subvolume_list *list = context;
	struct naming naming = { .root = file->root, .inode = file->inode, .offset = file->offset, .has_offset = true };
	uint64_t n_names;

	if (!print_names(list, &naming, &n_names, err))
		return false;
	return n_names > 0 || print_path(&naming, NULL, 0, err);
}

static bool print_copy(void *context, const struct place *place, struct error *err)
{
	(void)context, (void)err;
	if (format_is_json()) {
		struct json_object *line = json_line();

		json_text(line, "record", "place");
		json_u64(line, "logical", place->logical);
		json_number(line, "copy", place->copy);
		json_u64(line, "devid", place->devid);
		json_u64(line, "physical", place->physical);
		json_print(line, stdout);
	} else {
		printf("copy %u devid %" PRIu64 " physical %" PRIu64 "\n", place->copy, place->devid, place->physical);
	}
	return true;
}

static void print_extent(const struct backref_extent *extent)
{
	const char *kind = extent->is_data ? "data" : "tree-block";

	if (format_is_json()) {
		struct json_object *line = json_line();

		json_text(line, "record", "extent");
		json_text(line, "type", kind);
		json_u64(line, "logical", extent->logical);
		json_u64(line, "length", extent->length);
		json_u64(line, "refs", extent->refs);
		json_u64(line, "generation", extent->generation);
		if (!extent->is_data)
			json_number(line, "level", extent->level);
		json_print(line, stdout);
		return;
	}
	printf("%s extent %" PRIu64 " length %" PRIu64 " refs %" PRIu64 " generation %" PRIu64, kind, extent->logical, extent->length,
	       extent->refs, extent->generation);
	if (!extent->is_data)
		printf(" level %u", extent->level);
	putchar('\n');
}

static bool print_trees(const struct subvolume_list *list, uint64_t logical, uint64_t *n_stale, struct error *err)
{
	struct root_ids roots = { 0 };
	const bool ok = backref_roots(list->volume, logical, &roots, n_stale, err);

	for (size_t i = 0; ok && i < roots.n; i++) {
		const struct subvolume *subvolume = subvolume_by_id(list, roots.id[i]);
		struct json_object *line;

		if (!format_is_json()) {
			char *path = subvolume && !subvolume->deleted ? escape_new(subvolume->path, subvolume->path_len) : NULL;

			printf("tree %" PRIu64 "%s%s\n", roots.id[i], path ? " path " : "", path ? path[0] ? path : "/" : "");
			free(path);
			continue;
		}
		line = json_line();
		json_text(line, "record", "tree");
		json_u64(line, "tree", roots.id[i]);
		if (subvolume && !subvolume->deleted)
			json_subvolume_path(line, subvolume);
		json_print(line, stdout);
	}
	free(roots.id);
	return ok;
}

static bool resolve_logical(struct subvolume_list *list, uint64_t logical, struct error *err)
{
	struct backref_extent extent;
	uint64_t n_stale = 0;
	char text[128];

	if (!backref_extent_at(list->volume, logical, &extent, err))
		return false;
	print_extent(&extent);
	if (!places(list->volume, logical, 1, print_copy, NULL, err))
		return false;
	if (extent.is_data ? !backref_files(list->volume, &extent, logical - extent.logical, opt.ignore_offset, print_file, list, &n_stale, err)
			   : !print_trees(list, extent.logical, &n_stale, err))
		return false;
	if (n_stale > 0) {
		snprintf(text, sizeof(text), "%" PRIu64 " references lead to trees that are gone or are being deleted", n_stale);
		print_note(NULL, text);
	}
	return true;
}

static bool check_usage(const char *const *operand, struct error *err)
{
	const bool has_subvolume = operand[1], has_path = operand[1] && operand[2];

	if (opt.inode && opt.logical)
		return error_set(err, ERROR_USAGE, "--inode and --logical exclude each other");
	if (opt.ignore_offset && !opt.logical)
		return error_set(err, ERROR_USAGE, "--ignore-offset is for --logical");
	if (opt.logical && has_subvolume)
		return error_set(err, ERROR_USAGE, "--logical takes no SUBVOL: an address is the same in all");
	if (opt.inode && (!has_subvolume || has_path))
		return error_set(err, ERROR_USAGE, "--inode takes SUBVOL and no PATH");
	if (!opt.inode && !opt.logical && !has_path)
		return error_set(err, ERROR_USAGE, "--logical, or SUBVOL with --inode or a PATH, is missing");
	return true;
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = NULL;
	const struct subvolume *subvolume;
	uint64_t number = 0;

	if (!check_usage(operand, err) ||
	    !option_number("--inode", opt.inode, 1, UINT64_MAX, &number, err) ||
	    !option_number("--logical", opt.logical, 0, UINT64_MAX, &number, err) ||
	    !image_open(operand[0], false, true, &volume, err) ||
	    !subvolume_list_read(volume, &list, err))
		return false;
	if (opt.logical)
		return resolve_logical(&list, number, err);
	if (!subvolume_find(&list, operand[1], &subvolume, err))
		return false;
	return opt.inode ? resolve_inode(&list, subvolume, number, err) : resolve_path(&list, subvolume->id, operand[2], err);
}

const struct command cmd_resolve = {
	.name = "resolve",
	.operands = "IMAGE [SUBVOL] [PATH]",
	.summary = "find the paths of an inode or address, or the addresses of a path",
	.options = options,
	.run = run,
};
