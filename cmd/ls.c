/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt ls: a directory of an image, in the order of its index. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/command.h"
#include "cmd/image.h"
#include "cmd/image-options.h"
#include "cmd/key-options.h"
#include "cmd/ls-row.h"
#include "cmd/ls-sort.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/source-path.h"
#include "cmd/source-proof.h"
#include "cmd/source.h"
#include "cmd/value-text.h"
#include "common/crypto/secret.h"
#include "common/fs/lost-names.h"
#include "common/fs/walk.h"
#include "common/util/escape.h"
#include "common/util/plural.h"
#include "common/volume/tolerance.h"

static struct {
	int detail, human, ignored, recursive, directory, inode, reverse, by_size, by_time;
	char *sort;
	enum ls_order order;
} opt;

static const struct poptOption options[] = {
	{ "long", 'l', POPT_ARG_NONE, &opt.detail, 0, "print type, mode, links, owner, size and time as well", NULL },
	{ NULL, 'a', POPT_ARG_NONE, &opt.ignored, 0, "no effect: names that begin with a dot are always printed", NULL },
	{ "human-readable", 'h', POPT_ARG_NONE, &opt.human, 0, "with --long: sizes in KiB, MiB, GiB", NULL },
	{ "inode", 'i', POPT_ARG_NONE, &opt.inode, 0, "print inode numbers as well", NULL },
	{ "recursive", 'R', POPT_ARG_NONE, &opt.recursive, 0, "list the contents of directories and nested subvolumes as well", NULL },
	{ "directory", 'd', POPT_ARG_NONE, &opt.directory, 0, "list a directory itself, not its contents", NULL },
	{ "sort", 0, POPT_ARG_STRING, &opt.sort, 0, "in which order (default: none, as the index has them)", "none|name|size|time" },
	{ NULL, 'S', POPT_ARG_NONE, &opt.by_size, 0, "the same as --sort=size", NULL },
	{ NULL, 't', POPT_ARG_NONE, &opt.by_time, 0, "the same as --sort=time", NULL },
	{ "reverse", 'r', POPT_ARG_NONE, &opt.reverse, 0, "reverse the order of --sort", NULL },
	INCLUDE(options_source_long), INCLUDE(options_image), INCLUDE(options_time), INCLUDE(options_format),
	POPT_TABLEEND
};

struct listing {
	const struct subvolume_list *list;
	const struct unfinished *unfinished;
	const struct member_places *places;
	struct tree tree;	/* of the directory */
	uint64_t dir;
	const struct source *source;	/* chosen for the path asked for */
	struct extent_source *extents;	/* of its subvolume; NULL: sealed, and no key was given */
	bool is_closed;			/* so nothing in it is authenticated */
	bool path_differs;		/* from what was sealed, which was accepted */
	bool names_differ;		/* for the directory: the same for its contents */
	/* With --recursive: */
	uint64_t start;			/* the subvolume for which source was chosen */
	struct extent_source *start_extents;
	bool start_is_closed;
	uint64_t chosen;		/* the subvolume to which extents belongs now */
	const char *above;		/* the path asked for, which precedes every path */
	const void *path;		/* of the directory */
	size_t path_len;
	bool any;
	uint64_t n_bad, n_too_long;	/* parts that are damaged, or have paths that are too long */
	bool has_gap;			/* the inode of the directory is lost */
	struct inode_parents parents;
	struct ls_entries entries;	/* of the directory, if they are to be sorted */
	struct set64 unproven;		/* directories of the subvolume asked for whose lists are not proven */
	bool name_differs;		/* of the directory, which is in one of these: the same as path_differs */
};

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

static void hear(void *context, const struct report *report)
{
	struct listing *listing = context;

	/* With --long its own line says it. */
	if (report->kind == REPORT_FAILED && (opt.detail || format_is_json()))
		return;
	listing->n_bad += report->kind != REPORT_REFUSED;
	listing->n_too_long += report->kind == REPORT_REFUSED;
	print_damage(report, ".");
}

static void tell(struct listing *listing, const uint8_t *path, size_t len, const struct error *what)
{
	struct report report = report_of(REPORT_DAMAGED, what);
	char name[256];
	const size_t name_len = escape_text(path, len, name, sizeof(name));

	/* Some texts begin with the path. */
	if (len > 0 && name_len < sizeof(name) && strncmp(report.text, name, name_len) == 0 && strncmp(report.text + name_len, ": ", 2) == 0)
		report.text += name_len + 2;
	report.path = path;
	report.path_len = len;
	hear(listing, &report);
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
	tell(listing, path, len, what);
	free(path);
	return true;
}

/* With --recursive, the walk meets it as well and reports it. */
static bool tell_gap(void *context, const struct error *what, struct error *err)
{
	struct listing *listing = context;

	(void)err;
	if (!opt.recursive)
		tell(listing, listing->path, listing->path_len, what);
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
	const bool wants_inode = opt.detail || format_is_json();
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
	ls_row_print(row, opt.inode, !opt.detail ? LS_NAMES : opt.human ? LS_SIZES_FOR_PEOPLE : LS_LONG);
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
	if (opt.order == LS_UNSORTED)
		return print_named(listing, entry.name, entry.name_len, &entry.file, err);
	if (opt.order >= LS_BY_SIZE && entry.file.inode != EMPTY_SUBVOLUME_INODE) {
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

static bool print_directory(struct listing *listing, struct error *err)
{
	const struct to_prove names = { listing->dir, INODE_ENTRY_LISTING, listing->path, listing->path_len };
	struct ls_entries *entries = &listing->entries;

	if (!source_prove(listing->source, &listing->tree, names, &listing->names_differ, err))
		return false;

	const struct dir_visitor visitor = { take_entry, tell_gap, listing, listing->has_gap };
	bool ok = dir_read_all(&listing->tree, listing->dir, &visitor, &listing->parents, err);

	if (ok)
		ls_entries_sort(entries, opt.order, opt.reverse);
	for (size_t i = 0; ok && i < entries->n; i++)
		ok = print_named(listing, entries->at[i].name, entries->at[i].name_len, &entries->at[i].file, err);
	ls_entries_free(entries);
	return ok;
}

/* --- with everything below ------------------------------------------------------------------------------------ */

/* "./deep/er:", an empty line before it. */
static void print_heading(struct listing *listing, const struct walk_entry *entry)
{
	char *above = escape_new(listing->above, strlen(listing->above)), *path = escape_new(entry->path, entry->path_len);

	if (!format_is_json())
		printf("%s%s%s%s:\n", listing->any ? "\n" : "", above ? above : "?", entry->path_len ? "/" : "", path ? path : "?");
	listing->any = true;
	free(above);
	free(path);
}

/* With everything below, the listing lacks what is lost there. */
static bool warn_place(struct listing *listing, const struct subvolume *subvolume, struct error *err)
{
	if (opt.recursive && subvolume)
		listing->n_bad += lost_places_count(&listing->places->lost, subvolume->id);
	return source_warn_place(listing->places, subvolume, err);
}

/* Links in a nested subvolume that is sealed as well stay closed: the key was for the subvolume asked for. */
static bool choose_nested(struct listing *listing, uint64_t id, struct error *err)
{
	const struct subvolume *subvolume = subvolume_by_id(listing->list, id);
	cleanup_domain struct domain *domain = NULL;
	struct error refused = { 0 };

	if (id == listing->chosen)
		return true;
	listing->chosen = id;
	listing->extents = id == listing->start ? listing->start_extents : NULL;
	listing->is_closed = id == listing->start && listing->start_is_closed;
	if (id == listing->start || !subvolume || volume_is_unfinished(listing->list->volume))
		return true;
	if (!domain_find(listing->list->volume, listing->list, subvolume, &domain, err)) {
		if (error_is_machine(err))
			return false;
		if (err->kind == ERROR_CORRUPT)
			tell(listing, NULL, 0, err);
		else
			print_warning(NULL, err->text);
		*err = (struct error){ 0 };
		listing->is_closed = true;
	} else {
		/* Names in the format of 2016 can still be listed. */
		listing->is_closed = source_decide(subvolume, domain != NULL, &listing->extents, &refused) && domain;
	}
	if (listing->is_closed)
		source_note_closed(subvolume);
	return warn_place(listing, subvolume, err);
}

/* The list of a directory proves the names in it. Where it is not proven, each directory is asked for its own. */
static bool prove_directory(struct listing *listing, const struct walk_entry *entry, struct error *what)
{
	listing->name_differs = false;
	return entry->holder != listing->start || !set64_has(&listing->unproven, entry->directory) ||
	       source_prove_directory(listing->source, entry, &listing->name_differs, what);
}

/* Damage in one directory must not hide the others. */
static bool survive_directory(struct listing *listing, const struct walk_entry *entry, const struct error *what, struct error *err)
{
	if (what->kind != ERROR_CORRUPT)
		return *err = *what, false;
	tell(listing, entry->path, entry->path_len, what);
	return true;
}

static bool walk_entry(void *context, const struct walk_entry *entry, bool *descend, struct error *err)
{
	struct listing *listing = context;
	struct error what = { 0 };

	if (!S_ISDIR(entry->inode.mode))
		return true;
	*descend = prove_directory(listing, entry, &what);
	if (!*descend)
		return survive_directory(listing, entry, &what, err);
	print_heading(listing, entry);
	if (entry->is_stub) {
		listing->n_bad += print_empty_wrong(&listing->places->lost, entry, ".");
		return true;
	}
	listing->tree = *entry->tree;
	listing->dir = entry->number;
	listing->has_gap = entry->is_made_up;
	listing->path = entry->path;
	listing->path_len = entry->path_len;
	if (!choose_nested(listing, entry->tree->id, err))
		return false;
	const bool is_printed = print_directory(listing, &what);

	if ((!is_printed || listing->names_differ) && entry->tree->id == listing->start &&
	    !set64_add(&listing->unproven, entry->number, NULL, err))
		return false;
	return is_printed || survive_directory(listing, entry, &what, err);
}

static bool print_below(struct listing *listing, const struct file_id *file, const char *path, struct error *err)
{
	static const struct walk_visitor visitor = { .entry = walk_entry, .report = hear };
	size_t len = strlen(path);
	char *above;
	bool ok;

	while (len > 0 && path[len - 1] == '/')
		len--;
	above = len ? strndup(path, len) : strdup(".");
	if (!above)
		return error_memory(err);
	listing->above = above;
	listing->start = file->subvolume;
	listing->start_extents = listing->extents;
	listing->chosen = file->subvolume;
	ok = walk(listing->list->volume, file, &visitor, listing, err);
	free(above);
	return ok;
}

/* A path that is not a directory is listed by itself. With --directory, so is a directory. */
static bool print_file(struct listing *listing, const char *path, struct error *err)
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

static bool print_listing(const struct subvolume_list *list, uint64_t subvolume, const struct file_id *file, const char *path, struct error *err)
{
	cleanup_unfinished struct unfinished unfinished = { 0 };
	cleanup_source struct source source = { 0 };
	cleanup_member_places struct member_places places = { 0 };
	struct listing listing = { .list = list, .unfinished = &unfinished, .places = &places, .dir = file->inode };
	struct inode inode;
	struct error why;
	char name[256];
	bool ok;

	if (file->inode == EMPTY_SUBVOLUME_INODE)
		return true;
	if (!tree_open(list->volume, file->subvolume, &listing.tree, err))
		return false;
	if (!inode_get_or_directory(&listing.tree, file->inode, file->inode == FIRST_FREE_ID, &inode, &why, err)) {
		escape_text(path, strlen(path), name, sizeof(name));
		return path[0] ? error_prefix(err, "%s", name) : false;
	}
	if (!unfinished_read(list->volume, &unfinished, err) ||
	    !member_places_read(list, &places, err) ||
	    !warn_place(&listing, subvolume_by_id(list, file->subvolume), err) ||
	    !link_source_choose(list, file->subvolume, &source, err) ||
	    !source_prove_path(&source, subvolume, path, &listing.path_differs, err))
		return false;
	listing.source = &source;
	listing.extents = source.extents;
	listing.is_closed = listing.start_is_closed = source_is_closed(&source);
	if (listing.is_closed)
		source_note_closed(subvolume_by_id(list, file->subvolume));
	listing.has_gap = why.kind != ERROR_NONE;
	if (listing.has_gap && !opt.recursive)
		tell(&listing, NULL, 0, &why);
	if (!S_ISDIR(inode.mode) || opt.directory)
		ok = print_file(&listing, path, err);
	else
		ok = opt.recursive ? print_below(&listing, file, path, err) : print_directory(&listing, err);
	inode_parents_free(&listing.parents);
	set64_free(&listing.unproven);
	if (ok && listing.n_bad == 0 && listing.n_too_long > 0 && source_accepted_nothing(err))
		return error_set(err, ERROR_REFUSED, "paths are too long, the listing is not complete");
	if (!ok || listing.n_bad == 0)
		return ok && source_accepted_nothing(err);
	return error_set(err, ERROR_CORRUPT, "%" PRIu64 " part%s damaged, the listing is not complete", listing.n_bad,
			 plural_is(listing.n_bad));
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = NULL;
	const struct subvolume *subvolume;
	const char *given = "";
	struct file_id file;
	char *path = NULL;

	const bool ok = (opt.by_size + opt.by_time + (opt.sort != NULL) < 2 || error_set(err, ERROR_USAGE, "only one of --sort, -S and -t")) &&
			ls_order_choose(opt.by_size ? "size" : opt.by_time ? "time" : opt.sort, opt.reverse, &opt.order, err) && image_open(operand[0], key_options_given() ? TREES_REPLAYED : TREES_ANYHOW, &volume, err) &&
			subvolumes_read(volume, &list, err) &&
			place_operands(&list, operand + 1, &subvolume, &given, err) &&
			path_operand(&list, subvolume->id, given, &path, &file, err) &&
			print_listing(&list, subvolume->id, &file, path, err);

	free(path);
	return ok;
}

const struct command cmd_ls = {
	.name = "ls",
	.operands = "IMAGE SUBVOL[:PATH] [PATH]",
	.summary = "list a directory of a subvolume",
	.options = options,
	.run = run,
};
