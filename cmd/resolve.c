/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt resolve: from inodes and addresses to paths, and from paths to addresses. */
#include <inttypes.h>

#include "cmd/command.h"
#include "cmd/image-options.h"
#include "cmd/image.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/resolve-logical.h"
#include "cmd/resolve-names.h"
#include "cmd/resolve-path.h"
#include "common/fs/path.h"

static struct {
	char *inode, *logical;
	int ignore_offset, scan, snapshots;
} opt;

static const struct poptOption options[] = {
	{ "inode", 'i', POPT_ARG_STRING, &opt.inode, 0, "print every path of this inode of SUBVOL", "N" },
	{ "logical", 'l', POPT_ARG_STRING, &opt.logical, 0, "print every file or tree that uses this logical address", "ADDRESS" },
	{ "ignore-offset", 'o', POPT_ARG_NONE, &opt.ignore_offset, 0,
	  "with --logical: also files that use only other bytes of the same extent", NULL },
	{ "scan", 0, POPT_ARG_NONE, &opt.scan, 0, "with --logical: search all trees instead of using the extent tree", NULL },
	{ "snapshots", 0, POPT_ARG_NONE, &opt.snapshots, 0,
	  "with --inode: also its paths in snapshots of SUBVOL, and in the subvolume that SUBVOL is a snapshot of", NULL },
	INCLUDE(options_image), INCLUDE(options_format),
	POPT_TABLEEND
};

/* Snapshots keep the inode number. In other subvolumes it belongs to something else, made at another time. */
static bool is_same_inode(const struct inode *a, const struct inode *b)
{
	return a->generation == b->generation && a->otime.sec == b->otime.sec && a->otime.nsec == b->otime.nsec;
}

static bool resolve_in(const struct subvolume_list *list, uint64_t subvolume, uint64_t number, const struct inode *same, uint64_t *n_names,
		       struct error *err)
{
	struct naming naming = { .root = subvolume, .inode = number };
	struct inode inode;
	struct tree tree;
	bool found;

	*n_names = 0;
	return tree_open(list->volume, subvolume, &tree, err) && inode_find(&tree, number, &inode, &found, err) &&
	       (!found || !is_same_inode(&inode, same) || print_names(list, &naming, n_names, err));
}

static bool resolve_inode(const struct subvolume_list *list, const struct subvolume *subvolume, uint64_t number, struct error *err)
{
	struct naming naming = { .root = subvolume->id, .inode = number };
	struct inode inode;
	struct tree tree;
	uint64_t n_names, n_more;
	char name[160];
	bool found;

	if (!tree_open(list->volume, subvolume->id, &tree, err) || !inode_find(&tree, number, &inode, &found, err))
		return false;
	if (!found)
		return error_set(err, ERROR_NOT_FOUND, "subvolume %s has no inode %" PRIu64, subvolume_name(list, subvolume->id, name), number);
	if (!print_names(list, &naming, &n_names, err))
		return false;
	for (size_t i = 0; opt.snapshots && i < list->n; i++) {
		if (list->at[i].id == subvolume->id || list->at[i].deleted)
			continue;
		if (!resolve_in(list, list->at[i].id, number, &inode, &n_more, err))
			return false;
		n_names += n_more;
	}
	return n_names > 0 || error_set(err, ERROR_NOT_FOUND, "inode %" PRIu64 " of subvolume %s has no name: it was deleted while open", number,
					subvolume_name(list, subvolume->id, name));
}

static bool check_usage(const char *const *operand, struct error *err)
{
	const bool has_subvolume = operand[1], has_path = operand[1] && operand[2];

	if (opt.inode && opt.logical)
		return error_set(err, ERROR_USAGE, "--inode and --logical exclude each other");
	if (opt.ignore_offset && !opt.logical)
		return error_set(err, ERROR_USAGE, "--ignore-offset is for --logical");
	if (opt.scan && !opt.logical)
		return error_set(err, ERROR_USAGE, "--scan is for --logical");
	if (opt.snapshots && !opt.inode)
		return error_set(err, ERROR_USAGE, "--snapshots is for --inode");
	if (opt.logical && has_subvolume)
		return error_set(err, ERROR_USAGE, "--logical takes no SUBVOL: an address is the same in all");
	if (opt.inode && (!has_subvolume || has_path))
		return error_set(err, ERROR_USAGE, "--inode takes SUBVOL and no PATH");
	if (!opt.inode && !opt.logical && !has_subvolume)
		return error_set(err, ERROR_USAGE, "--logical, or SUBVOL with --inode or a PATH, is missing");
	return opt.inode || opt.logical || check_has_path(operand, err);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = NULL;
	const struct subvolume *subvolume;
	const char *given;
	uint64_t number = 0;

	if (!option_number("--inode", opt.inode, 1, UINT64_MAX, &number, err) ||
	    !option_bytes("--logical", opt.logical, 0, UINT64_MAX, &number, err) ||
	    !check_usage(operand, err) ||
	    !image_open(operand[0], TREES_ANYHOW, &volume, err) ||
	    !subvolumes_read(volume, &list, err))
		return false;
	/* The answer is about all subvolumes. */
	if ((opt.logical || opt.snapshots) && list.n_lost > 0)
		return error_set(err, list.lost[0].kind, "subvolume %" PRIu64 ": %s", list.lost[0].id, list.lost[0].what);
	if (opt.logical)
		return resolve_logical(&list, number, opt.ignore_offset, opt.scan, err);
	if (opt.inode)
		return subvolume_operand(&list, operand[1], &subvolume, err) && resolve_inode(&list, subvolume, number, err);
	return place_operands(&list, operand + 1, &subvolume, &given, err) && resolve_path(&list, subvolume->id, given, err);
}

const struct command cmd_resolve = {
	.name = "resolve",
	.operands = "IMAGE [SUBVOL[:PATH]] [PATH]",
	.summary = "find the paths of an inode or address, or the addresses of a path",
	.options = options,
	.run = run,
};
