/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening an image: which devices, which superblock. */
#include "cmd/image.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/foreign.h"
#include "cmd/header-option.h"
#include "cmd/image-found.h"
#include "cmd/image-options.h"
#include "cmd/print.h"
#include "cmd/unfinished.h"
#include "cmd/unpacked.h"
#include "common/convert/look.h"
#include "common/device/container.h"
#include "common/device/device-in-use.h"
#include "common/device/partition.h"
#include "common/fs/log-replay.h"
#include "common/fs/subvolume.h"
#include "common/tree/tree.h"
#include "common/util/escape.h"

#define SECTOR_BYTES 512u
#define PARTITIONS_MAX 16	/* named, if there are several to choose from */

static const struct reporter printer = { .take = print_report };
static struct reporter listener = { .take = print_report };
static const char *looked_at;	/* the image that was opened for reading; NULL: none */
static struct image_part seen;	/* the part of it that was read; without a device */
static char old_copies[128];	/* see image_old_copies() */
static bool is_degraded;		/* a device may be missing, and whoever goes on has to say so again */
static bool is_quiet;		/* it is opened once more, only for a hint */

static bool several(const char *path, const struct partitions *found, struct error *err)
{
	char text[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < found->n && i < PARTITIONS_MAX && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%spartition %d at %" PRIu64, i ? ", " : "", found->at[i].number,
					 found->at[i].offset);
	error_set(err, ERROR_USAGE, "%s: btrfs is in %s", path, text);
	return error_hint(err, "choose one with --image-offset");
}

/* What else people should know about the table that led to a partition. */
static void note_table(const struct partitions *table, uint64_t size)
{
	if (table->sector_size != 512)
		printf_note("the partition table counts in sectors of %u bytes", table->sector_size);
	if (table->size_before_cut > 0)
		printf_note("the image is cut off: the disk of its partition table had %" PRIu64 " bytes, the image has %" PRIu64,
			    table->size_before_cut, size);
}

/* If it is not btrfs itself, a disk with btrfs in one partition is that partition. */
static bool find_partition(struct image_part *part, bool to_write, struct error *err)
{
	struct partitions found;

	if (!foreign_check_container(part, err))
		return false;
	if (partition_is_btrfs(part->device, 0, part->size))
		return true;
	if (!partitions_find(part->opened, part->device, partition_has_btrfs, &found, err) ||
	    (found.n > 1 && !several(part->path, &found, err)))
		return false;
	if (found.n == 0)
		return foreign_check_content(part, err);
	part->partition = found.at[0];
	part->offset = found.at[0].offset;
	part->length = found.at[0].length;
	if (!is_quiet) {
		printf_note("partition %d is %s, at byte %" PRIu64 " of the image", part->partition.number, to_write ? "used" : "read", part->offset);
		note_table(&found, part->size);
	}
	return true;
}

/* If a kernel writes to it, it changes while it is read. */
static void warn_if_mounted(const char *path)
{
	char name[256], point[256], where[256];
	struct stat st;

	if (is_quiet || stat(path, &st) != 0 || !device_is_mounted(&st, point, sizeof(point)))
		return;
	escape_text(path, strlen(path), name, sizeof(name));
	escape_text(point, strlen(point), where, sizeof(where));
	printf_warning("%s: is mounted at %s: what is read may be inconsistent, and older than what is seen there", name, where);
}

/* What a virtual disk has is found through it, unless the image is to be used as it is: with --image-offset 0. */
static bool open_disk(const char *path, bool as_it_is, const struct image_conversion *how, struct device **device, struct error *err)
{
	struct container_options options = {
		.use = !how ? NBD_READ : how->writable ? NBD_WRITE : how->unfinished ? NBD_READ : NBD_PLAN,
		.allow_backing = image_options.allow_backing,
		/* Who goes on with a conversion was told when it began. */
		.allow_old_copies = !how || image_options.allow_old_copies || how->unfinished || how->keep_old,
	};

	if (as_it_is)
		return device_open(path, options.use == NBD_WRITE ? DEVICE_WRITABLE : DEVICE_READ_ONLY, device, err);
	if (!container_open(path, &options, device, err))
		return false;
	if (how && !how->keep_old && options.old_copies[0])
		memcpy(old_copies, options.old_copies, sizeof(old_copies));
	return true;
}

bool image_device_open_whole(const char *path, size_t i, struct device **device, struct error *err)
{
	path = image_device_name(path, i);
	return open_disk(path, !nbd_is_url(path), NULL, device, err);
}

/* A power cut may leave a mixture of sectors of the medium: only if they are those of the filesystem can that be put in order. */
static bool check_sectors(const struct image_part *part, const struct image_conversion *how, struct error *err)
{
	return !how || (how->unfinished && !how->writable) || part->offset % SECTOR_BYTES == 0 ||
	       error_set(err, ERROR_REFUSED, "%s: offset %" PRIu64 " is no multiple of %u: a filesystem there can only be read", part->path, part->offset,
			 SECTOR_BYTES);
}

/* The part of it that has the filesystem: from the option, or by searching. Takes the whole. */
static bool open_part(struct image_part *part, size_t i, bool has_offset, const struct image_conversion *how, struct device **device,
		      struct error *err)
{
	const bool ok = has_offset ? (part->offset < part->size && partition_is_btrfs(part->device, part->offset, part->length)) ||
					     foreign_check_offset(part, err) :
				     find_partition(part, how, err);

	if (!ok || !check_sectors(part, how, err)) {
		device_close(part->device);
		return false;
	}
	if (command_has_option("report"))
		image_found_set(i, part);
	if (!has_offset && part->offset == 0) {
		*device = part->device;
		return true;
	}
	return device_window(part->device, part->offset, part->length, device, err);
}

/* What is packed is only read. Takes the disk. */
static bool open_packed(struct image_part *part, size_t i, const struct image_conversion *how, struct device *disk, struct error *err)
{
	if (!how)
		return unpacked_open(&part->opened, i == 0 ? image_options.member : NULL, disk, &part->device, err);
	part->device = disk;
	if (!is_packed(disk, err))
		return true;
	device_close(disk);
	return false;
}

/* how: NULL if it is only read */
static bool open_device(const char *path, size_t i, const struct image_conversion *how, struct device **device, struct error *err)
{
	const bool has_offset = i == 0 && image_options.offset;
	struct image_part part;
	struct device *disk;
	uint64_t offset = 0;

	path = image_device_name(path, i);
	part = (struct image_part){ .path = path, .opened = path };
	if (!option_bytes("--image-offset", image_options.offset, 0, INT64_MAX, &offset, err) ||
	    !open_disk(path, has_offset && offset == 0, how, &disk, err))
		return false;
	if (!how)
		warn_if_mounted(path);
	if (!open_packed(&part, i, how, disk, err))
		return false;
	part.size = part.device->size;
	part.in_container = part.device->fd < 0;
	part.offset = has_offset ? offset : 0;
	part.length = part.offset < part.size ? part.size - part.offset : 1;
	if (!open_part(&part, i, has_offset, how, device, err))
		return false;
	if (i == 0) {
		seen = part;
		seen.device = NULL;
	}
	return true;
}

bool image_device_open(const char *path, size_t i, struct device **device, struct error *err)
{
	return open_device(path, i, NULL, device, err);
}

/* Takes the words before. value NULL: the option has none. */
static char *add_word(char *before, const char *option, const char *value)
{
	char *const word = value ? shell_word(value) : strdup("");
	char *words = NULL;

	if (before && word && asprintf(&words, value ? "%s %s=%s" : "%s %s%s", before, option, word) < 0)
		words = NULL;
	free(word);
	free(before);
	return words;
}

char *image_word(const char *path)
{
	const bool is_unpacked = seen.path && strcmp(seen.path, path) == 0 && strcmp(seen.opened, path) != 0;
	char *words = is_unpacked ? strdup("UNPACKED") : shell_word(path);

	if (image_options.offset)
		words = add_word(words, "--image-offset", image_options.offset);
	for (size_t i = 1; i < image_n_devices(); i++)
		words = add_word(words, "--device", image_device_name(path, i));
	return is_degraded ? add_word(words, "--degraded", NULL) : words;
}

const char *image_old_copies(void)
{
	return old_copies;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	if (stat(a, &x) != 0 || stat(b, &y) != 0 || S_ISBLK(x.st_mode) != S_ISBLK(y.st_mode))
		return false;
	return S_ISBLK(x.st_mode) ? x.st_rdev == y.st_rdev : x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The second opening would be told that the first one uses it. */
static bool check_given_once(const char *path, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			const char *const a = image_device_name(path, k), *const b = image_device_name(path, i);

			if (is_same_file(a, b))
				return error_set(err, ERROR_REFUSED, "%s: is the same device as %s", b, a);
		}
	}
	return true;
}

typedef bool open_function(struct device *device, const struct volume_options *options, struct volume **volume, struct error *err);

/* Once all devices are open, they belong to whoever opens the volume. */
static bool open_all(const char *path, const struct image_conversion *how, struct volume_options *options, open_function *open_it, struct volume **volume,
		     struct error *err)
{
	const size_t n = image_n_devices();
	struct device **device = calloc(n, sizeof(*device));
	bool ok = ((device && !image_options.no_memory) || error_memory(err)) && image_options_read(options, err) &&
		  (!options->to_convert || check_given_once(path, n, err));

	for (size_t i = 0; ok && i < n; i++)
		ok = open_device(path, i, how, &device[i], err);
	if (ok) {
		options->others = device + 1;
		options->n_others = n - 1;
		ok = open_it(device[0], options, volume, err);
	} else if (device) {
		for (size_t i = 0; i < n; i++)
			device_close(device[i]);
	}
	if (!ok && (err->kind == ERROR_CORRUPT || err->kind == ERROR_NOT_FOUND) && !err->hint[0])
		foreign_hint_split(path, err);
	free(device);
	return ok;
}

/* All of the tree of roots, where the headers of sealings are as well. */
static bool roots_read(struct volume *volume, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;
	bool ok = tree_open(volume, ROOT_TREE_ID, &tree, err) && tree_seek(&tree, &(struct key){ 0, 0, 0 }, &iter, err);

	while (ok && iter.valid)
		ok = tree_next(&iter, err);
	return ok;
}

/* Can the trees be reached, with this backup root, or tolerantly? */
static bool trees_read(const char *path, unsigned backup_root, bool tolerant, uint64_t *generation)
{
	struct volume_options quiet = { .unfinished = true, .tolerant = tolerant };
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = NULL;
	char number[16], *const given = image_options.backup_root;
	struct error ignored = { 0 };

	snprintf(number, sizeof(number), "%u", backup_root - 1);
	image_options.backup_root = backup_root == CHOOSE_BY_ITSELF ? given : number;
	is_quiet = true;

	const bool ok = open_all(path, NULL, &quiet, volume_open, &volume, &ignored) && subvolume_list_read(volume, &list, &ignored) &&
			(tolerant || roots_read(volume, &ignored));

	is_quiet = false;
	image_options.backup_root = given;
	if (ok && backup_root != CHOOSE_BY_ITSELF)
		*generation = le64(volume->super.disk.backup[backup_root - 1].tree_root_gen);
	return ok;
}

void image_hint_damage(struct error *err)
{
	uint64_t best = 0, generation;
	unsigned which = 0;

	if (err->kind != ERROR_CORRUPT || err->hint[0] || !looked_at || image_options.tolerant || !command_has_option("tolerant") ||
	    trees_read(looked_at, CHOOSE_BY_ITSELF, false, &generation) || !trees_read(looked_at, CHOOSE_BY_ITSELF, true, &generation))
		return;
	for (unsigned n = 1; n <= SUPER_BACKUPS && !image_options.backup_root; n++) {
		if (trees_read(looked_at, n, false, &generation) && generation > best) {
			best = generation;
			which = n;
		}
	}
	if (which > 0)
		error_hint(err, "--backup-root %u reads an earlier commit, of generation %" PRIu64 "; --tolerant reads what is left of this one",
			   which - 1, best);
	else
		error_hint(err, "--tolerant reads what is left");
}

static bool open_image(const char *path, const struct image_conversion *how, struct volume_options *options, struct volume **volume, struct error *err)
{
	struct volume_options quiet = { .unfinished = true };
	cleanup_volume struct volume *superblocks = NULL;
	struct error ignored;

	if (open_all(path, how, options, volume_open, volume, err))
		return true;
	/* Looks once more, quietly: a user who is refused wants to know why. */
	is_quiet = true;
	if (err->kind == ERROR_UNFINISHED && open_all(path, NULL, &quiet, volume_open_super, &superblocks, &ignored))
		unfinished_error(superblocks, path, err);
	is_quiet = false;
	return false;
}

/* No other tree has what is in a log tree, so a message must say that it is not shown. */
static bool see_to_log(struct volume *volume, const char *path, struct error *err)
{
	if (!log_is_there(volume))
		return true;
	if (image_options.with_log)
		return log_replay(volume, err) || error_prefix(err, "%s", path) || volume_tolerates(volume, err);
	print_warning(NULL, command_has_option("with-log") ?
		      "the filesystem was not unmounted: what was fsynced last is in its log tree only, and shown only with --with-log" :
		      "the filesystem was not unmounted: what was fsynced last is in its log tree only, and in no other tree");
	return true;
}

static bool see_to_unfinished(struct volume *volume, const char *path, enum image_trees trees, struct error *err)
{
	cleanup_unfinished struct unfinished unfinished = { 0 };
	struct error why = { 0 };

	if (!volume_is_unfinished(volume))
		return true;
	if (!convert_replay_in_memory(volume, &why) && (trees == TREES_REPLAYED || why.kind == ERROR_MEMORY)) {
		*err = why;
		if (why.kind == ERROR_UNFINISHED && !unfinished_error(volume, path, err) && strcmp(err->text, why.text) != 0)
			snprintf(err->text + strlen(err->text), sizeof(err->text) - strlen(err->text), "; %s", why.text);
		return false;
	}
	if (!unfinished_read(volume, &unfinished, err))
		return false;
	unfinished_warn(&unfinished, path);
	if (why.kind != ERROR_NONE)
		print_warning(NULL, why.text);
	return true;
}

void image_hear(const struct reporter *reporter)
{
	listener = reporter ? *reporter : printer;
}

bool image_open(const char *path, enum image_trees trees, struct volume **volume, struct error *err)
{
	struct volume_options options = {
		.unfinished = true, .reporter = listener, .tolerant = image_options.tolerant,
	};

	looked_at = path;
	return open_image(path, NULL, &options, volume, err) && header_option_use(*volume, err) && see_to_unfinished(*volume, path, trees, err) &&
	       see_to_log(*volume, path, err);
}

bool image_open_blocks(const char *path, struct volume **volume, struct error *err)
{
	struct volume_options options = {
		.unfinished = true, .reporter = printer, .tolerant = image_options.tolerant, .open_only = true,
	};

	looked_at = path;
	return open_image(path, NULL, &options, volume, err) && see_to_log(*volume, path, err);
}

bool image_open_to_convert(const char *path, struct image_conversion how, struct volume **volume, struct error *err)
{
	struct volume_options options = {
		.unfinished = how.unfinished, .to_convert = true, .mounted_copy_allowed = how.mounted_copy, .degraded = how.degraded,
		.reporter = printer,
	};

	is_degraded = how.degraded;
	/* What was read by an older root, say, must not be written over what is there now. */
	return image_options_none(true, "only for what reads", err) &&
	       (open_image(path, &how, &options, volume, err) || (how.writable && convert_busy(err))) && header_option_use(*volume, err);
}

void image_hint_unfinished(const char *path, bool goes_on, struct error *err)
{
	struct volume_options quiet = { .unfinished = true, .to_convert = true };
	const struct image_conversion how = { .unfinished = true };
	cleanup_volume struct volume *superblocks = NULL;
	struct crypt_state_tail state;
	struct error ignored;
	bool is_there;

	/* Whoever goes on with a conversion knows that, and has a hint what to do else. */
	if (goes_on && err->hint[0] && err->kind != ERROR_IO)
		return;
	is_quiet = true;
	is_there = open_all(path, &how, &quiet, volume_open_super, &superblocks, &ignored);
	is_quiet = false;
	if (!is_there || !volume_is_unfinished(superblocks) ||
	    !crypt_state_read(volume_unfinished_super(superblocks)->disk.tail, &state, &ignored))
		return;
	err->resumable = true;

	/* hint_commands() makes commands of it that can be run. */
	const struct unfinished_words words = unfinished_words(&state);
	const char *const undo = words.can_undo ? "`convert --abort` undoes it" : "";
	char first[sizeof(err->hint)];

	/* Where the end did not reach the device, what is left to do says more than that all is done. */
	strcpy(first, err->kind == ERROR_IO && state.phase == CRYPT_PHASE_FINISHED ? "" : err->hint);
	if (err->kind == ERROR_STOPPED)
		error_hint(err, "`convert %s` goes on%s%s", words.resume, undo[0] ? ", " : "", undo);
	else if (strstr(first, "`convert "))
		error_hint(err, "%s; the conversion is unfinished%s%s", first, undo[0] ? ": " : "", undo);
	else
		error_hint(err, "%s%sthe conversion is unfinished: `convert %s` tries to go on%s%s", first, first[0] ? ", then: " : "", words.resume,
			   undo[0] ? ", " : "", undo);
}
