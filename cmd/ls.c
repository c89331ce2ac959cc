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
#include "cmd/ls-listing.h"
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

static struct ls_how how;
static struct {
	int ignored, directory, by_size, by_time;
	char *sort;
} opt;

static const struct poptOption options[] = {
	{ "long", 'l', POPT_ARG_NONE, &how.detail, 0, "print type, mode, links, owner, size and time as well", NULL },
	{ NULL, 'a', POPT_ARG_NONE, &opt.ignored, 0, "no effect: names that begin with a dot are always printed", NULL },
	{ "human-readable", 'h', POPT_ARG_NONE, &how.human, 0, "with --long: sizes in KiB, MiB, GiB", NULL },
	{ "inode", 'i', POPT_ARG_NONE, &how.inode, 0, "print inode numbers as well", NULL },
	{ "recursive", 'R', POPT_ARG_NONE, &how.recursive, 0, "list the contents of directories and nested subvolumes as well", NULL },
	{ "directory", 'd', POPT_ARG_NONE, &opt.directory, 0, "list a directory itself, not its contents", NULL },
	{ "sort", 0, POPT_ARG_STRING, &opt.sort, 0, "in which order (default: none, as the index has them)", "none|name|size|time" },
	{ NULL, 'S', POPT_ARG_NONE, &opt.by_size, 0, "the same as --sort=size", NULL },
	{ NULL, 't', POPT_ARG_NONE, &opt.by_time, 0, "the same as --sort=time", NULL },
	{ "reverse", 'r', POPT_ARG_NONE, &how.reverse, 0, "reverse the order of --sort", NULL },
	INCLUDE(options_source_long), INCLUDE(options_image), INCLUDE(options_time), INCLUDE(options_format),
	POPT_TABLEEND
};

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
	if (how.recursive && subvolume)
		listing->n_bad += lost_places_count(&listing->places->lost, subvolume->id);
	return source_warn_place(listing->places, subvolume, err);
}

/* Links in a nested subvolume that is sealed as well stay closed: the key was for the subvolume asked for. */
static bool choose_nested(struct listing *listing, uint64_t id, struct error *err)
{
	const struct subvolume *subvolume = subvolume_by_id(listing->list, id);
	cleanup_domain struct domain *domain = NULL;

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
			listing_tell(listing, NULL, 0, err);
		else
			print_warning(NULL, err->text);
		*err = (struct error){ 0 };
		listing->is_closed = true;
	} else {
		/* Links are plain in the format of 2016, too. */
		listing->extents = domain ? NULL : &plain_source;
		listing->is_closed = domain != NULL;
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
	listing_tell(listing, entry->path, entry->path_len, what);
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
	const bool is_printed = listing_print(listing, &what);

	if ((!is_printed || listing->names_differ) && entry->tree->id == listing->start &&
	    !set64_add(&listing->unproven, entry->number, NULL, err))
		return false;
	return is_printed || survive_directory(listing, entry, &what, err);
}

static bool print_below(struct listing *listing, const struct file_id *file, const char *path, struct error *err)
{
	static const struct walk_visitor visitor = { .entry = walk_entry, .report = listing_hear };
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

static bool print_listing(const struct subvolume_list *list, uint64_t subvolume, const struct file_id *file, const char *path, struct error *err)
{
	cleanup_unfinished struct unfinished unfinished = { 0 };
	cleanup_source struct source source = { 0 };
	cleanup_member_places struct member_places places = { 0 };
	struct listing listing = { .how = &how, .list = list, .unfinished = &unfinished, .places = &places, .dir = file->inode };
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
	if (listing.has_gap && !how.recursive)
		listing_tell(&listing, NULL, 0, &why);
	if (!S_ISDIR(inode.mode) || opt.directory)
		ok = listing_print_one(&listing, path, err);
	else
		ok = how.recursive ? print_below(&listing, file, path, err) : listing_print(&listing, err);
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
			ls_order_choose(opt.by_size ? "size" : opt.by_time ? "time" : opt.sort, how.reverse, &how.order, err) &&
			image_open(operand[0], key_options_given() ? TREES_REPLAYED : TREES_ANYHOW, &volume, err) &&
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
