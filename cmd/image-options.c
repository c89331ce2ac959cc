/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options that say how an image is read. */
#include "cmd/image-options.h"

#include <stdlib.h>

#include "cmd/command.h"
#include "common/util/number.h"
#include "common/volume/volume.h"

struct image_options image_options;

void image_add_devices(const char *const *operand)
{
	const size_t n = image_n_devices() - 1;
	size_t n_more = 0;
	char **more;

	while (operand[n_more])
		n_more++;
	more = n_more > 0 ? reallocarray(image_options.devices, n + n_more + 1, sizeof(*more)) : NULL;
	image_options.no_memory = n_more > 0 && !more;
	for (size_t i = 0; more && i <= n_more; i++)
		more[n + i] = (char *)operand[i];
	image_options.devices = more ? more : image_options.devices;
}

static struct poptOption options_further[] = {
	{ "device", 0, POPT_ARG_ARGV, &image_options.devices, 0, "a further device of the filesystem, in any order; repeatable", "=PATH" },
	POPT_TABLEEND
};

#define BACKING_OPTION \
	{ "allow-backing", 0, POPT_ARG_NONE, &image_options.allow_backing, 0, "also open files that a virtual disk names: backing and data files", NULL }

static struct poptOption options_container[] = { BACKING_OPTION, POPT_TABLEEND };

#define OFFSET_OPTION \
	{ "image-offset", 0, POPT_ARG_STRING, &image_options.offset, 0, "the filesystem begins at this byte of IMAGE", "BYTES" }

struct poptOption options_image_change[] = {
	INCLUDE(options_further),
	OFFSET_OPTION,
	BACKING_OPTION,
	{ "allow-old-copies", 0, POPT_ARG_NONE, &image_options.allow_old_copies, 0,
	  "go on although a virtual disk keeps what is overwritten: snapshots, compressed clusters, a backing file", NULL },
	POPT_TABLEEND
};

static struct poptOption options_root[] = {
	{ "backup-root", 0, POPT_ARG_STRING, &image_options.backup_root, 0, "read the trees of this backup root of the superblock, 0 to 3", "N" },
	{ "tolerant", 0, POPT_ARG_NONE, &image_options.tolerant, 0, "go on at what is invalid: use what is there, and say what is wrong with it", NULL },
	POPT_TABLEEND
};

static struct poptOption options_log[] = {
	{ "with-log", 0, POPT_ARG_NONE, &image_options.with_log, 0, "show what was fsynced last, from the log tree", NULL },
	POPT_TABLEEND
};

static struct poptOption options_where[] = {
	OFFSET_OPTION,
	{ "member", 0, POPT_ARG_STRING, &image_options.member, 0, "IMAGE is an archive, and this is the image in it", "NAME" },
	POPT_TABLEEND
};

#define SUPER_OPTION(letter) { "super", letter, POPT_ARG_STRING, &image_options.super, 0, "only this copy of the superblock, 0 to 2", "N" }

static struct poptOption options_device[] = { INCLUDE(options_further), INCLUDE(options_where), INCLUDE(options_container), SUPER_OPTION(0), POPT_TABLEEND };
struct poptOption options_copies[] = { INCLUDE(options_further), INCLUDE(options_where), INCLUDE(options_container), SUPER_OPTION('s'), POPT_TABLEEND };

struct poptOption options_blocks[] = {
	INCLUDE(options_device), INCLUDE(options_root), POPT_TABLEEND
};

struct poptOption options_image[] = {
	INCLUDE(options_blocks), INCLUDE(options_log), POPT_TABLEEND
};

bool image_options_none(bool is_changed, const char *why, struct error *err)
{
	const struct {
		const char *option;
		bool is_given, may_change;
	} all[] = {
		{ "--device", image_options.devices, true }, { "--image-offset", image_options.offset, true },
		{ "--member", image_options.member, false }, { "--super", image_options.super, false },
		{ "--backup-root", image_options.backup_root, false }, { "--tolerant", image_options.tolerant, false },
		{ "--with-log", image_options.with_log, false },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].is_given && !(is_changed && all[i].may_change))
			return error_set(err, ERROR_USAGE, "%s: %s", all[i].option, why);
	}
	return true;
}

bool image_is_tolerant(void)
{
	return image_options.tolerant;
}

size_t image_n_devices(void)
{
	size_t n = 0;

	while (image_options.devices && image_options.devices[n])
		n++;
	return n + 1;
}

const char *image_device_name(const char *path, size_t i)
{
	return i == 0 ? path : image_options.devices[i - 1];
}

bool image_super_copy(unsigned *copy, struct error *err)
{
	uint64_t n = 0, at;

	/* Its address names a copy as well. */
	for (unsigned i = 0; image_options.super && bytes_parse(image_options.super, &at) && i < SUPER_COPIES; i++) {
		if (at == superblock_offset(i)) {
			*copy = i + 1;
			return true;
		}
	}
	if (!option_number("--super", image_options.super, 0, SUPER_COPIES - 1, &n, err))
		return false;
	*copy = image_options.super ? (unsigned)n + 1 : CHOOSE_BY_ITSELF;
	return true;
}

bool image_options_read(struct volume_options *options, struct error *err)
{
	uint64_t n = 0;

	if (!image_super_copy(&options->super_copy, err) || !option_number("--backup-root", image_options.backup_root, 0, SUPER_BACKUPS - 1, &n, err))
		return false;
	options->backup_root = image_options.backup_root ? (unsigned)n + 1 : CHOOSE_BY_ITSELF;
	return true;
}
