/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt stat: everything about files, as the kernel would show it and as it is on disk. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/command.h"
#include "cmd/image.h"
#include "cmd/image-options.h"
#include "cmd/key-options.h"
#include "cmd/key-shown.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "cmd/source-path.h"
#include "cmd/source-proof.h"
#include "cmd/source.h"
#include "cmd/stat-items.h"
#include "cmd/unfinished.h"
#include "cmd/value-text.h"
#include "common/crypto/secret.h"
#include "common/util/escape.h"

static struct {
	int extents;
} opt;

static const struct poptOption options[] = {
	{ "extents", 'e', POPT_ARG_NONE, &opt.extents, 0, "print every file extent as well", NULL },
	INCLUDE(options_source), INCLUDE(options_image), INCLUDE(options_time), INCLUDE(options_format),
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
	const struct stat_seal *seal;
	bool is_not_authenticated;	/* its subvolume is sealed or being converted, and was not opened */
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

static void put_part(const struct row *row, uint64_t n, const char *name, const char **before)
{
	if (n == 0)
		return;
	row_format(row, "%s%" PRIu64 " %s", *before, n, name);
	*before = ", ";
}

/* "4 (3 zstd, 1 inline)" */
static void put_totals(const struct row *row, const struct extent_totals *totals)
{
	const struct {
		const char *name;
		uint64_t n;
		const char *text;
	} kinds[] = {
		{ "inline", totals->n_inline, "inline" }, { "prealloc", totals->n_prealloc, "prealloc" }, { "holes", totals->n_holes, "holes" },
		{ "sealed", totals->n_sealed, "sealed" }, { totals->n_legacy ? "encrypted" : NULL, totals->n_legacy, "encrypted" }, { "otherwise_encrypted", totals->n_encrypted, "encrypted in another way" },
	};
	const struct row in = row_object(row, "extents");
	const char *before = " (";

	row_u64(&in, "items", "\n  extents:     ", totals->n);
	for (unsigned i = COMPRESS_NONE + 1; i <= COMPRESS_ZSTD; i++)
		put_part(&in, totals->n_compressed[i], compression_name((uint8_t)i), &before);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		row_u64(&in, kinds[i].name, NULL, kinds[i].n);
		put_part(&in, kinds[i].n, kinds[i].text, &before);
	}
	row_words(&in, before[0] == ',' ? ")" : "");

	const struct row compression = row_object(&in, "compression");

	for (unsigned i = COMPRESS_NONE; i <= COMPRESS_ZSTD; i++)
		row_u64(&compression, compression_name((uint8_t)i), NULL, totals->n_compressed[i]);
}

static void put_time(const struct row *row, const char *name, const char *before, const struct inode_time *at)
{
	char text[TIME_TEXT_SIZE];

	row_time(row, name, at);
	row_text(row, NULL, before, inode_time_text(at, text));
}

static void put_inode(const struct row *row, const struct inode *inode, uint32_t sector_size)
{
	char mode[11], text[INODE_FLAGS_TEXT_SIZE], attributes[ATTRIBUTES_TEXT_SIZE];

	row_u64(row, "generation", "\n  generation:  ", inode->generation);
	row_u64(row, "transid", ", last changed in ", inode->transid);
	row_u64(row, "sequence", NULL, inode->sequence);
	row_text(row, "type", "\n  type:        ", inode_type_name(inode->mode));
	inode_mode_text(inode->mode, mode);
	row_text(row, "mode", NULL, mode);
	row_value(row, "mode_octal", "\n  mode:        ", "%04" PRIo32, inode->mode & 07777);
	row_text(row, NULL, " ", mode);
	row_number(row, "uid", "\n  owner:       uid ", inode->uid);
	row_number(row, "gid", " gid ", inode->gid);
	row_number(row, "links", "\n  links:       ", inode->n_links);
	row_u64(row, "size", "\n  size:        ", inode->size);
	row_u64(row, "nbytes", "\n  nbytes:      ", inode->nbytes);
	row_u64(row, "blocks", " (", inode_blocks(inode, sector_size));
	row_words(row, " blocks)");
	if (inode_is_device(inode->mode))
		row_value(row, "device", "\n  device:      ", "%u:%u", rdev_major(inode->rdev), rdev_minor(inode->rdev));
	row_value(row, "flags", "\n  flags:       ", "0x%" PRIx64, inode->flags);
	row_text(row, "flags_names", " ", inode_flags_text(inode->flags, text));
	row_text(row, "attributes", "\n  attributes:  ", inode_attributes_text(inode->flags, attributes));
	put_time(row, "atime", "\n  accessed:    ", &inode->atime);
	put_time(row, "mtime", "\n  modified:    ", &inode->mtime);
	put_time(row, "ctime", "\n  changed:     ", &inode->ctime);
	put_time(row, "otime", "\n  created:     ", &inode->otime);
}

static void print_subject(const struct subject *at, uint32_t sector_size)
{
	const struct row row = row_begin("inode");

	row_path(&row, "", at->path, strlen(at->path));
	row_u64(&row, "subvolume", NULL, at->file.subvolume);
	row_u64(&row, "inode", "\n  inode:       ", at->file.inode);
	row_u64(&row, NULL, " of subvolume ", at->file.subvolume);
	put_inode(&row, &at->inode, sector_size);
	if (at->target)
		row_name(&row, "target", "\n  target:      ", at->target, at->target_len);
	if (at->is_sealed_link)
		row_flag(&row, "target_sealed", at->target ? NULL : "\n  target:      (sealed)", true);
	if (at->seal->legacy.legacy.layout != LEGACY_NONE)
		legacy_shown_put(&row, "\n  encryption:  ", &at->seal->legacy);
	if (at->seal->tag[0]) {
		row_text(&row, "encryption", "\n  encryption:  ", at->seal->tag);
		key_shown_put(&row, key_options_no_keyring() ? NULL : &at->seal->key);
	}
	if (at->is_not_authenticated || at->differs)
		row_flag(&row, "authenticated", NULL, false);
	row_flag(&row, NULL, "\n  seal:        not authenticated: no key was given", at->is_not_authenticated);
	row_flag(&row, NULL, "\n  seal:        not authenticated: not as it was sealed, which was accepted", at->differs && !at->is_not_authenticated);
	if (at->conversion)
		unfinished_put(at->conversion, "\n  conversion:  unfinished: ", &row);
	if (S_ISREG(at->inode.mode))
		put_totals(&row, &at->extents);
	row_end(&row);
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
	struct to_prove what = { .inode = at->file.inode, .name = at->path, .len = strlen(at->path) };
	bool path_differs = false;

	if (!tree_open(list->volume, at->file.subvolume, &at->tree, err) || !inode_get(&at->tree, at->file.inode, &at->inode, err) ||
	    !stat_seal_read(list, at->file.subvolume, &looking->seal, err) || !choose_source(looking, at->file.subvolume, err) ||
	    !source_prove_path(&looking->source, from, at->path, &path_differs, err))
		return false;
	what.kind = S_ISDIR(at->inode.mode) ? INODE_ENTRY_DIRECTORY : INODE_ENTRY_FILE;
	if (!source_prove(&looking->source, &at->tree, what, &at->differs, err))
		return false;
	at->differs |= path_differs;
	at->is_not_authenticated = looking->seal.is_sealed && !looking->source.reader;
	if (S_ISREG(at->inode.mode))
		return stat_extents(&file, &at->inode, &looking->seal, EXTENTS_COUNTED, &at->extents, err) ||
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
	struct subject at = { .path = path, .file = *file, .seal = &looking->seal, .conversion = is_converting ? &looking->unfinished : NULL };

	if (file->inode == EMPTY_SUBVOLUME_INODE)
		return error_set(err, ERROR_NOT_FOUND, "it is the empty place of a nested subvolume in a snapshot, and has no inode");

	const struct stat_file subject = { &at.tree, file->inode, path };
	const bool ok = read_subject(looking, from, &at, err);

	if (ok)
		print_subject(&at, list->volume->super.sector_size);
	wiped_free(at.target, at.target_len);
	return ok && (stat_xattrs(&subject, err) || volume_tolerates(list->volume, err)) &&
	       (!opt.extents || stat_extents(&subject, &at.inode, &looking->seal, EXTENTS_PRINTED, &at.extents, err) ||
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
