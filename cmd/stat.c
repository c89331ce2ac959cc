/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt stat: everything about files, as the kernel would show it and as it is on disk. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/command.h"
#include "cmd/image.h"
#include "cmd/image-options.h"
#include "cmd/inode-text.h"
#include "cmd/key-options.h"
#include "cmd/link-target.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/stat-items.h"
#include "cmd/time-text.h"
#include "cmd/unfinished.h"
#include "common/crypto/secret.h"
#include "common/util/escape.h"

static struct {
	int extents;
} opt;

static const struct poptOption options[] = {
	{ "extents", 'e', POPT_ARG_NONE, &opt.extents, 0, "print every file extent as well", NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_source, 0, NULL, NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_image, 0, NULL, NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_time, 0, NULL, NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_format, 0, NULL, NULL },
	POPT_TABLEEND
};

struct subject {
	const char *path;	/* as it is in the image */
	struct file_id file;
	struct tree tree;
	struct inode inode;
	struct extent_totals extents;
	uint8_t *target;	/* of a symbolic link */
	size_t target_len;
	bool is_sealed_link;
	bool is_not_authenticated;	/* its subvolume is sealed, and no key was given */
	bool differs;			/* from what was sealed, which was accepted */
	const struct unfinished *conversion;	/* NULL: its subvolume is not being converted */
};

/* What is the same for all paths. */
struct looking {
	const struct subvolume_list *list;
	struct unfinished unfinished;
	struct stat_seal seal;
	struct member_places places;
	uint64_t chosen;	/* the subvolume to which source belongs; 0: none yet */
	struct source source;
};

static void print_part(uint64_t n, const char *name, const char **before)
{
	if (n == 0)
		return;
	printf("%s%" PRIu64 " %s", *before, n, name);
	*before = ", ";
}

/* "4 (3 zstd, 1 inline)" */
static void print_totals(const struct extent_totals *totals)
{
	const char *before = " (";

	printf("  extents:     %" PRIu64, totals->n);
	for (unsigned i = COMPRESS_ZLIB; i <= COMPRESS_ZSTD; i++)
		print_part(totals->n_compressed[i], compression_name((uint8_t)i), &before);
	print_part(totals->n_inline, "inline", &before);
	print_part(totals->n_prealloc, "prealloc", &before);
	print_part(totals->n_holes, "holes", &before);
	print_part(totals->n_sealed, "sealed", &before);
	print_part(totals->n_encrypted, "encrypted in another way", &before);
	printf("%s\n", before[0] == ',' ? ")" : "");
}

static void print_text(const struct subject *at, uint32_t sector_size)
{
	const struct inode *inode = &at->inode;
	char mode[11], flags[INODE_FLAGS_TEXT_SIZE], attributes[ATTRIBUTES_TEXT_SIZE], when[TIME_TEXT_SIZE];
	char *path = escape_new(at->path, strlen(at->path));

	printf("%s\n", path && path[0] ? path : "/");
	free(path);
	printf("  inode:       %" PRIu64 " of subvolume %" PRIu64 "\n", at->file.inode, at->file.subvolume);
	printf("  generation:  %" PRIu64 ", last changed in %" PRIu64 "\n", inode->generation, inode->transid);
	printf("  type:        %s\n", inode_type_name(inode->mode));
	inode_mode_text(inode->mode, mode);
	printf("  mode:        %04" PRIo32 " %s\n", inode->mode & 07777, mode);
	printf("  owner:       uid %" PRIu32 " gid %" PRIu32 "\n", inode->uid, inode->gid);
	printf("  links:       %" PRIu32 "\n", inode->n_links);
	printf("  size:        %" PRIu64 "\n", inode->size);
	printf("  nbytes:      %" PRIu64 " (%" PRIu64 " blocks)\n", inode->nbytes, inode_blocks(inode, sector_size));
	if (inode_is_device(inode->mode))
		printf("  device:      %u:%u\n", rdev_major(inode->rdev), rdev_minor(inode->rdev));
	printf("  flags:       0x%" PRIx64 " %s\n", inode->flags, inode_flags_text(inode->flags, flags));
	printf("  attributes:  %s\n", inode_attributes_text(inode->flags, attributes));
	printf("  accessed:    %s\n", inode_time_text(&inode->atime, when));
	printf("  modified:    %s\n", inode_time_text(&inode->mtime, when));
	printf("  changed:     %s\n", inode_time_text(&inode->ctime, when));
	printf("  created:     %s\n", inode_time_text(&inode->otime, when));
	if (at->target) {
		char *target = escape_new(at->target, at->target_len);

		printf("  target:      %s\n", target ? target : "?");
		wiped_free(target, target ? strlen(target) : 0);
	} else if (at->is_sealed_link) {
		printf("  target:      (sealed)\n");
	}
	if (at->is_not_authenticated)
		printf("  seal:        not authenticated: no key was given\n");
	else if (at->differs)
		printf("  seal:        not authenticated: not as it was sealed, which was accepted\n");
	if (at->conversion)
		printf("  conversion:  unfinished: %s, %u%% done\n", at->conversion->words.doing, at->conversion->status.percent);
	if (S_ISREG(inode->mode))
		print_totals(&at->extents);
}

static void json_totals(struct json_object *line, const struct extent_totals *totals)
{
	struct json_object *object = json_line(), *compression = json_line();

	json_u64(object, "items", totals->n);
	json_u64(object, "inline", totals->n_inline);
	json_u64(object, "prealloc", totals->n_prealloc);
	json_u64(object, "holes", totals->n_holes);
	json_u64(object, "sealed", totals->n_sealed);
	json_u64(object, "otherwise_encrypted", totals->n_encrypted);
	for (unsigned i = COMPRESS_NONE; i <= COMPRESS_ZSTD; i++)
		json_u64(compression, compression_name((uint8_t)i), totals->n_compressed[i]);
	json_member(object, "compression", compression);
	json_member(line, "extents", object);
}

static void print_json(const struct subject *at, uint32_t sector_size)
{
	const struct inode *inode = &at->inode;
	struct json_object *line = json_line();
	char mode[11], flags[INODE_FLAGS_TEXT_SIZE], attributes[ATTRIBUTES_TEXT_SIZE];

	json_text(line, "record", "inode");
	json_path(line, at->path, strlen(at->path));
	json_u64(line, "subvolume", at->file.subvolume);
	json_u64(line, "inode", at->file.inode);
	json_u64(line, "generation", inode->generation);
	json_u64(line, "transid", inode->transid);
	json_u64(line, "sequence", inode->sequence);
	json_text(line, "type", inode_type_name(inode->mode));
	inode_mode_text(inode->mode, mode);
	json_text(line, "mode", mode);
	json_format(line, "mode_octal", "%04" PRIo32, inode->mode & 07777);
	json_number(line, "uid", inode->uid);
	json_number(line, "gid", inode->gid);
	json_number(line, "links", inode->n_links);
	json_u64(line, "size", inode->size);
	json_u64(line, "nbytes", inode->nbytes);
	json_u64(line, "blocks", inode_blocks(inode, sector_size));
	if (inode_is_device(inode->mode))
		json_format(line, "device", "%u:%u", rdev_major(inode->rdev), rdev_minor(inode->rdev));
	json_format(line, "flags", "0x%" PRIx64, inode->flags);
	json_text(line, "flags_names", inode_flags_text(inode->flags, flags));
	json_text(line, "attributes", inode_attributes_text(inode->flags, attributes));
	json_time(line, "atime", &inode->atime);
	json_time(line, "mtime", &inode->mtime);
	json_time(line, "ctime", &inode->ctime);
	json_time(line, "otime", &inode->otime);
	if (at->target)
		json_name(line, "target", at->target, at->target_len);
	if (at->is_sealed_link)
		json_flag(line, "target_sealed", true);
	if (at->is_not_authenticated || at->differs)
		json_flag(line, "authenticated", false);
	if (at->conversion)
		unfinished_json(at->conversion, line);
	if (S_ISREG(inode->mode))
		json_totals(line, &at->extents);
	json_print(line, stdout);
}

/* The key is tried once for all paths of a subvolume. */
static bool choose_source(struct looking *looking, uint64_t subvolume, struct error *err)
{
	if (looking->chosen == subvolume)
		return true;
	if (!source_warn_place(&looking->places, subvolume_by_id(looking->list, subvolume), err))
		return false;
	source_close(&looking->source);
	looking->chosen = 0;
	if (!link_source_choose(looking->list, subvolume, &looking->source, err))
		return false;
	looking->chosen = subvolume;
	return true;
}

/* from: the subvolume in which the path begins. */
static bool read_subject(struct looking *looking, uint64_t from, struct subject *at, struct error *err)
{
	const struct subvolume_list *list = looking->list;
	const struct stat_file file = { &at->tree, at->file.inode, at->path };
	bool path_differs = false;

	if (!tree_open(list->volume, at->file.subvolume, &at->tree, err) || !inode_get(&at->tree, at->file.inode, &at->inode, err) ||
	    !stat_seal_read(list, at->file.subvolume, &looking->seal, err) || !choose_source(looking, at->file.subvolume, err) ||
	    !source_prove_path(&looking->source, from, at->path, &path_differs, err) ||
	    !source_prove(&looking->source, &at->tree, at->file.inode, S_ISDIR(at->inode.mode) ? INODE_ENTRY_DIRECTORY : INODE_ENTRY_FILE,
			  at->path, strlen(at->path), &at->differs, err))
		return false;
	at->differs |= path_differs;
	at->is_not_authenticated = looking->seal.is_sealed && source_is_closed(&looking->source);
	if (S_ISREG(at->inode.mode))
		return stat_extents(&file, at->inode.mode, &looking->seal, false, &at->extents, err) ||
		       volume_tolerates(list->volume, err);
	if (!S_ISLNK(at->inode.mode))
		return true;
	at->is_sealed_link = !looking->source.extents;
	return !looking->source.extents ||
	       link_target_read(looking->source.extents, &at->tree, at->file.inode, &at->target, &at->target_len, err) ||
	       volume_tolerates(list->volume, err);
}

static bool print_one(struct looking *looking, uint64_t from, const char *path, const struct file_id *file, struct error *err)
{
	const struct subvolume_list *list = looking->list;
	const bool is_converting = unfinished_has(&looking->unfinished, list, subvolume_by_id(list, file->subvolume));
	struct subject at = { .path = path, .file = *file, .conversion = is_converting ? &looking->unfinished : NULL };

	if (file->inode == EMPTY_SUBVOLUME_INODE)
		return error_set(err, ERROR_NOT_FOUND, "it is the empty place of a nested subvolume in a snapshot, and has no inode");

	const struct stat_file subject = { &at.tree, file->inode, path };
	const bool ok = read_subject(looking, from, &at, err);

	if (ok)
		(format_is_json() ? print_json : print_text)(&at, list->volume->super.sector_size);
	wiped_free(at.target, at.target_len);
	return ok && (stat_xattrs(&subject, err) || volume_tolerates(list->volume, err)) &&
	       (!opt.extents || stat_extents(&subject, at.inode.mode, &looking->seal, true, &at.extents, err) ||
		volume_tolerates(list->volume, err));
}

/* Does the error begin with the path already, or with a directory above that is to blame? */
static bool is_named(const struct error *err, const char *path)
{
	size_t len = strlen(path);

	while (len > 0 && !(strncmp(err->text, path, len) == 0 && strncmp(err->text + len, ": ", 2) == 0)) {
		do
			len--;
		while (len > 0 && path[len] != '/');
	}
	return len > 0;
}

static bool print_path(struct looking *looking, uint64_t subvolume, const char *operand, struct error *err)
{
	struct file_id file;
	char *path = NULL, name[256];
	if (!path_operand(looking->list, subvolume, operand, &path, &file, err)) {
		if (err->kind == ERROR_NOT_FOUND)	/* which says what is not found */
			return false;
	} else {
		const bool ok = print_one(looking, subvolume, path, &file, err);

		free(path);
		if (ok)
			return true;
	}
	operand += strspn(operand, "/");
	escape_text(operand[0] ? operand : "/", operand[0] ? strlen(operand) : 1, name, sizeof(name));
	return is_named(err, name) ? false : error_prefix(err, "%s", name);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = NULL;
	struct looking looking = { .list = &list };
	const struct subvolume *subvolume;
	const char *given;
	bool ok;

	if (!check_has_path(operand, err) || !image_open(operand[0], key_options_given() ? TREES_REPLAYED : TREES_ANYHOW, &volume, err) ||
	    !subvolumes_read(volume, &list, err) ||
	    !place_operand(&list, operand[1], &subvolume, &given, err) ||
	    !unfinished_read(volume, &looking.unfinished, err) || !member_places_read(&list, &looking.places, err))
		return false;
	const bool are_places = given[0];	/* SUBVOL:PATH, all of them */

	ok = true;
	for (size_t i = are_places ? 1 : 2; operand[i]; i++) {
		struct error what = { 0 };

		given = operand[i];
		if ((!are_places || place_operand(&list, operand[i], &subvolume, &given, &what)) && print_path(&looking, subvolume->id, given, &what))
			continue;
		/* With --tolerant, a name that is not there is still an error. */
		if (what.kind != ERROR_NOT_FOUND && volume_tolerates(volume, &what))
			continue;
		/* The others are still printed. main() prints the first one. */
		if (ok)
			*err = what;
		else
			print_warning(NULL, what.text);
		ok = false;
		if (what.kind == ERROR_MEMORY)
			break;
	}
	ok = ok && source_accepted_nothing(err);
	source_close(&looking.source);
	stat_seal_free(&looking.seal);
	member_places_free(&looking.places);
	unfinished_free(&looking.unfinished);
	return ok;
}

const struct command cmd_stat = {
	.name = "stat",
	.operands = "IMAGE SUBVOL[:PATH] [PATH...]",
	.summary = "show everything about files of a subvolume",
	.options = options,
	.run = run,
};
