/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/ls-listing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/print.h"
#include "common/crypto/secret.h"
#include "common/util/escape.h"

static bool read_link(const struct listing *listing, const struct tree *tree, struct ls_row *row, struct error *err)
{
	if (!S_ISLNK(row->inode.mode))
		return true;
	if (!listing->extents) {
		row->is_sealed_link = true;
		return true;
	}
	return link_target_read(listing->extents, tree, row->file.inode, &row->target, &row->target_len, err);
}

void listing_hear(void *context, const struct report *report)
{
	struct listing *listing = context;

	/* With --long its own line says it. */
	if (report->kind == REPORT_FAILED && (listing->how->detail || format_is_json()))
		return;
	listing->n_bad += report->kind != REPORT_REFUSED;
	listing->n_too_long += report->kind == REPORT_REFUSED;
	print_damage(report, ".");
}

void listing_tell(struct listing *listing, const uint8_t *path, size_t len, const struct error *what)
{
	struct report report = report_of(REPORT_DAMAGED, what);
	char name[256];
	const size_t name_len = escape_text(path, len, name, sizeof(name));

	/* Some texts begin with the path. */
	if (len > 0 && name_len < sizeof(name) && strncmp(report.text, name, name_len) == 0 && strncmp(report.text + name_len, ": ", 2) == 0)
		report.text += name_len + 2;
	report.path = path;
	report.path_len = len;
	listing_hear(listing, &report);
}

/* With --recursive: relative to the path asked for. */
static bool full_path(const struct listing *listing, const struct ls_row *row, uint8_t **path, size_t *len, struct error *err)
{
	const size_t above = listing->path_len ? listing->path_len + 1 : 0;

	*len = above + row->name_len;
	*path = malloc(*len + 1);
	if (!*path)
		return error_memory(err);
	if (above) {
		memcpy(*path, listing->path, listing->path_len);
		(*path)[above - 1] = '/';
	}
	memcpy(*path + above, row->name, row->name_len);
	return true;
}

/* Reports damage with the entry concerned, and the listing continues. */
static bool survive(struct listing *listing, const struct ls_row *row, struct error *what, struct error *err)
{
	uint8_t *path;
	size_t len;

	if (!error_is_damage(what)) {
		*err = *what;
		return false;
	}
	if (!full_path(listing, row, &path, &len, err))
		return false;
	listing_tell(listing, path, len, what);
	free(path);
	return true;
}

/* With --recursive, the walk meets it as well and reports it. */
static bool tell_gap(void *context, const struct error *what, struct error *err)
{
	struct listing *listing = context;

	(void)err;
	if (!listing->how->recursive)
		listing_tell(listing, listing->path, listing->path_len, what);
	return true;
}

static bool prove_row(const struct listing *listing, const struct tree *tree, struct ls_row *row, struct error *err)
{
	uint8_t *path;
	size_t len;

	if (!full_path(listing, row, &path, &len, err))
		return false;

	const enum inode_entry_kind kind = S_ISDIR(row->inode.mode) ? INODE_ENTRY_DIRECTORY : INODE_ENTRY_FILE;
	const bool ok = source_prove(listing->source, tree, (struct to_prove){ row->file.inode, kind, path, len }, &row->is_not_authenticated, err);

	free(path);
	return ok;
}

static bool print_row(struct listing *listing, struct ls_row *row, struct error *err)
{
	const bool wants_inode = listing->how->detail || format_is_json();
	struct error what = { 0 };
	struct tree tree;

	if (wants_inode && row->file.inode != EMPTY_SUBVOLUME_INODE) {
		row->has_inode = tree_open(listing->list->volume, row->file.subvolume, &tree, &what) &&
				 inode_get(&tree, row->file.inode, &row->inode, &what);
		row->is_lost = !row->has_inode;
		if (!(row->has_inode && prove_row(listing, &tree, row, &what) && read_link(listing, &tree, row, &what)) &&
		    !survive(listing, row, &what, err))
			return false;
	}
	row->is_not_authenticated |= listing->is_closed || listing->path_differs || listing->names_differ || listing->name_differs;
	if (format_is_json() && unfinished_has(listing->unfinished, listing->list, subvolume_by_id(listing->list, row->file.subvolume)))
		row->conversion = listing->unfinished;
	ls_row_print(row, listing->how->inode, !listing->how->detail ? LS_NAMES : listing->how->human ? LS_SIZES_FOR_PEOPLE : LS_LONG);
	wiped_free(row->target, row->target_len);
	return true;
}

static bool print_named(struct listing *listing, const void *name, size_t len, const struct file_id *file, struct error *err)
{
	struct ls_row row = {
		.directory = listing->path, .directory_len = listing->path_len, .name = name, .name_len = len, .file = *file,
	};

	return print_row(listing, &row, err);
}

/* Prints it or, if it is to be sorted, keeps it. */
static bool take_entry(void *context, const struct dir_entry *dir_entry, struct error *err)
{
	struct listing *listing = context;
	struct error what = { 0 };
	struct ls_entry entry = { .name = (uint8_t *)dir_entry->name.at, .name_len = dir_entry->name.left };
	struct inode inode;
	struct tree tree;

	if (!dir_entry_target(&listing->tree, listing->dir, dir_entry, &entry.file, &what)) {
		const struct ls_row row = { .name = entry.name, .name_len = entry.name_len };

		return survive(listing, &row, &what, err);
	}
	if (listing->how->order == LS_UNSORTED)
		return print_named(listing, entry.name, entry.name_len, &entry.file, err);
	if (listing->how->order >= LS_BY_SIZE && entry.file.inode != EMPTY_SUBVOLUME_INODE) {
		if (tree_open(listing->list->volume, entry.file.subvolume, &tree, &what) &&
		    inode_get(&tree, entry.file.inode, &inode, &what)) {
			entry.size = inode.size;
			entry.mtime = inode.mtime;
		} else if (!error_is_damage(&what)) {	/* reported when its line is printed */
			return *err = what, false;
		}
	}
	return ls_entries_add(&listing->entries, &entry, err);
}

bool listing_print(struct listing *listing, struct error *err)
{
	const struct to_prove names = { listing->dir, INODE_ENTRY_LISTING, listing->path, listing->path_len };
	struct ls_entries *entries = &listing->entries;

	if (!source_prove(listing->source, &listing->tree, names, &listing->names_differ, err))
		return false;

	const struct dir_visitor visitor = { take_entry, tell_gap, listing, listing->has_gap };
	bool ok = dir_read_all(&listing->tree, listing->dir, &visitor, &listing->parents, err);

	if (ok)
		ls_entries_sort(entries, listing->how->order, listing->how->reverse);
	for (size_t i = 0; ok && i < entries->n; i++)
		ok = print_named(listing, entries->at[i].name, entries->at[i].name_len, &entries->at[i].file, err);
	ls_entries_free(entries);
	return ok;
}

bool listing_print_one(struct listing *listing, const char *path, struct error *err)
{
	const char *end = path + strlen(path);
	const char *name;

	while (end > path && end[-1] == '/')
		end--;
	name = memrchr(path, '/', end - path);
	name = name ? name + 1 : path;

	const bool is_root = end == name;
	struct ls_row row = { .name = is_root ? "." : name, .name_len = is_root ? 1 : end - name, .file = { listing->tree.id, listing->dir } };

	return print_row(listing, &row, err);
}
