/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt ls: a directory of an image, in the order of its index. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/inode-text.h"
#include "cmd/json.h"
#include "cmd/link-target.h"
#include "common/util/escape.h"

static struct {
	int detail;
} opt;

static const struct poptOption options[] = {
	{ "long", 'l', POPT_ARG_NONE, &opt.detail, 0, "print type, mode, links, owner, size and time as well", NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_source, 0, NULL, NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_image, 0, NULL, NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_format, 0, NULL, NULL },
	POPT_TABLEEND
};

/* One line of output. */
struct row {
	const void *name;
	size_t name_len;
	struct file_id file;
	bool has_inode;		/* false: the empty place of a nested subvolume in a snapshot */
	struct inode inode;
	uint8_t *target;	/* of a symbolic link; NULL: sealed, or none */
	size_t target_len;
	bool is_sealed_link;
};

static void print_detail(const struct row *row)
{
	const struct inode *inode = &row->inode;
	const time_t sec = inode->mtime.sec;
	char mode[11], size[32], when[64];
	struct tm tm;

	if (!row->has_inode) {
		printf("d---------   -     -     -          - %19s ", "-");
		return;
	}
	inode_mode_text(inode->mode, mode);
	if (inode_is_device(inode->mode))
		snprintf(size, sizeof(size), "%u, %u", rdev_major(inode->rdev), rdev_minor(inode->rdev));
	else
		snprintf(size, sizeof(size), "%" PRIu64, inode->size);
	if (!gmtime_r(&sec, &tm) || strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(when, sizeof(when), "@%" PRId64, inode->mtime.sec);
	printf("%s %3" PRIu32 " %5" PRIu32 " %5" PRIu32 " %10s %s ", mode, inode->n_links, inode->uid, inode->gid, size, when);
}

static void print_text(const struct row *row)
{
	char name[ESCAPED_SIZE(NAME_MAX_BYTES)];

	if (opt.detail)
		print_detail(row);
	escape_text(row->name, row->name_len, name, sizeof(name));
	fputs(name, stdout);
	if (opt.detail && row->target) {
		char *target = escape_new(row->target, row->target_len);

		printf(" -> %s", target ? target : "?");
		free(target);
	} else if (opt.detail && row->is_sealed_link) {
		fputs(" -> (sealed)", stdout);
	}
	putchar('\n');
}

static void print_json(const struct row *row)
{
	const struct inode *inode = &row->inode;
	struct json_object *line = json_line();
	char mode[11];

	json_name(line, "name", row->name, row->name_len);
	json_u64(line, "subvolume", row->file.subvolume);
	json_u64(line, "inode", row->file.inode);
	json_text(line, "type", row->has_inode ? inode_type_name(inode->mode) : "empty-subvolume");
	if (row->has_inode) {
		inode_mode_text(inode->mode, mode);
		json_text(line, "mode", mode);
		json_number(line, "links", inode->n_links);
		json_number(line, "uid", inode->uid);
		json_number(line, "gid", inode->gid);
		json_u64(line, "size", inode->size);
		json_time(line, "mtime", &inode->mtime);
		json_format(line, "flags", "0x%" PRIx64, inode->flags);
	}
	if (row->has_inode && inode_is_device(inode->mode))
		json_format(line, "device", "%u:%u", rdev_major(inode->rdev), rdev_minor(inode->rdev));
	if (row->target)
		json_name(line, "target", row->target, row->target_len);
	if (row->is_sealed_link)
		json_flag(line, "target_sealed", true);
	json_print(line, stdout);
}

struct listing {
	const struct subvolume_list *list;
	struct tree tree;	/* of the directory */
	uint64_t dir;
	struct extent_source *extents;	/* of its subvolume; NULL: sealed, and no key was given */
};

static bool read_link(const struct listing *listing, const struct tree *tree, struct row *row, struct error *err)
{
	if (!S_ISLNK(row->inode.mode))
		return true;
	if (!listing->extents) {
		row->is_sealed_link = true;
		return true;
	}
	return link_target_read(listing->extents, tree, row->file.inode, &row->target, &row->target_len, err);
}

static bool print_row(const struct listing *listing, struct row *row, struct error *err)
{
	const bool wants_inode = opt.detail || format_is_json();
	struct tree tree;

	if (wants_inode && row->file.inode != EMPTY_SUBVOLUME_INODE) {
		row->has_inode = true;
		if (!tree_open(listing->list->volume, row->file.subvolume, &tree, err) ||
		    !inode_get(&tree, row->file.inode, &row->inode, err) ||
		    !read_link(listing, &tree, row, err))
			return false;
	}
	(format_is_json() ? print_json : print_text)(row);
	free(row->target);
	return true;
}

static bool print_entry(void *context, const struct dir_entry *entry, struct error *err)
{
	const struct listing *listing = context;
	struct row row = { .name = entry->name.at, .name_len = entry->name.left };

	return dir_entry_target(&listing->tree, listing->dir, entry, &row.file, err) && print_row(listing, &row, err);
}

/* A path that is no directory is listed by itself. */
static bool print_file(const struct listing *listing, const char *path, struct error *err)
{
	const char *end = path + strlen(path);
	const char *name;

	while (end > path && end[-1] == '/')
		end--;
	name = memrchr(path, '/', end - path);
	name = name ? name + 1 : path;

	struct row row = { .name = name, .name_len = end - name, .file = { listing->tree.id, listing->dir } };

	return print_row(listing, &row, err);
}

static bool print_listing(const struct subvolume_list *list, const struct file_id *file, const char *path, struct error *err)
{
	cleanup_source struct source source = { 0 };
	struct listing listing = { .list = list, .dir = file->inode };
	struct inode inode;

	if (file->inode == EMPTY_SUBVOLUME_INODE)
		return true;
	if (!tree_open(list->volume, file->subvolume, &listing.tree, err) ||
	    !inode_get(&listing.tree, file->inode, &inode, err) ||
	    !link_source_choose(list, file->subvolume, &source, err))
		return false;
	listing.extents = source.extents;
	return S_ISDIR(inode.mode) ? dir_read(&listing.tree, file->inode, print_entry, &listing, err) : print_file(&listing, path, err);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = NULL;
	const struct subvolume *subvolume;
	struct file_id file;
	char *path = NULL;

	const bool ok = image_open(operand[0], false, true, &volume, err) &&
			subvolume_list_read(volume, &list, err) &&
			subvolume_find(&list, operand[1], &subvolume, err) &&
			path_operand(volume, subvolume->id, operand[2] ? operand[2] : "", &path, &file, err) &&
			print_listing(&list, &file, path, err);

	free(path);
	return ok;
}

const struct command cmd_ls = {
	.name = "ls",
	.operands = "IMAGE SUBVOL [PATH]",
	.summary = "list a directory of a subvolume",
	.options = options,
	.run = run,
};
