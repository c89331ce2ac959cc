/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an export makes, and where: what --archive, --compress and the suffixes of its name say must not contradict each other. */
#include "cmd/export-shape.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/image-options.h"

static const char *const archive_name[] = { [OUT_TAR] = "tar", [OUT_ZIP] = "zip", [OUT_CPIO] = "cpio", [OUT_MTREE] = "mtree" };
static const char *const compression_name[] = { [OUT_PLAIN] = "none", [OUT_ZSTD] = "zstd", [OUT_GZIP] = "gzip", [OUT_XZ] = "xz" };
#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct { const char *suffix; int format, compression; } suffixes[] = {
	{ ".tar", OUT_TAR, -1 }, { ".zip", OUT_ZIP, -1 }, { ".cpio", OUT_CPIO, -1 }, { ".mtree", OUT_MTREE, -1 },
	{ ".tgz", OUT_TAR, OUT_GZIP }, { ".tzst", OUT_TAR, OUT_ZSTD }, { ".txz", OUT_TAR, OUT_XZ },
	{ ".gz", -1, OUT_GZIP }, { ".zst", -1, OUT_ZSTD }, { ".xz", -1, OUT_XZ },
};

/* Stores what the last suffix of the first *len bytes says, and takes it off. -1: it says nothing. */
static void take_suffix(const char *name, size_t *len, int *format, int *compression)
{
	for (size_t i = 0; i < N(suffixes); i++) {
		const size_t n = strlen(suffixes[i].suffix);

		if (*len <= n || memcmp(name + *len - n, suffixes[i].suffix, n) != 0)
			continue;
		*len -= n;
		if (suffixes[i].format >= 0)
			*format = suffixes[i].format;
		if (suffixes[i].compression >= 0)
			*compression = suffixes[i].compression;
		return;
	}
}

static int find_name(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(name, names[i]) == 0)
			return (int)i;
	}
	return -1;
}

static bool choose_archive(const struct export_shape_options *opt, int format, int compression, int given, struct export_shape *shape,
			   struct error *err)
{
	const int given_compression = opt->compress ? find_name(opt->compress, compression_name, N(compression_name)) : -1;

	if (opt->compress && given_compression <= OUT_PLAIN)
		return error_set(err, ERROR_USAGE, "--compress takes zstd, gzip or xz");
	if (given >= 0 && format >= 0 && given != format)
		return error_set(err, ERROR_USAGE, "the name %s says %s, not %s", opt->output, archive_name[format], archive_name[given]);
	if (given_compression >= 0 && compression >= 0 && given_compression != compression)
		return error_set(err, ERROR_USAGE, "the name %s says %s, not %s", opt->output, compression_name[compression],
				 compression_name[given_compression]);
	shape->format = given >= 0 ? (enum out_format)given : format >= 0 ? (enum out_format)format : OUT_TAR;
	shape->compression = given_compression >= 0 ? (enum out_compression)given_compression
						     : compression >= 0 ? (enum out_compression)compression : OUT_PLAIN;
	if (shape->format == OUT_ZIP && shape->compression != OUT_PLAIN)
		return error_set(err, ERROR_USAGE, "a zip archive compresses by itself");
	return true;
}

bool export_shape_choose(const struct export_shape_options *opt, struct export_shape *shape, struct error *err)
{
	size_t len;
	struct stat st;
	int format = -1, compression = -1, given = -1;

	if (!opt->output)
		return error_set(err, ERROR_USAGE, "-o OUT is missing");
	if (opt->archive && strcmp(opt->archive, "dir") != 0) {
		given = find_name(opt->archive, archive_name, N(archive_name));
		if (given < 0)
			return error_set(err, ERROR_USAGE, "--archive takes tar, zip, cpio, mtree or dir");
	}
	len = strlen(opt->output);
	shape->is_directory = opt->archive ? given < 0 : len > 0 && (opt->output[len - 1] == '/' ||
								   (stat(opt->output, &st) == 0 && S_ISDIR(st.st_mode)));
	if (shape->is_directory)
		return !opt->compress || error_set(err, ERROR_USAGE, "a directory is not compressed");
	take_suffix(opt->output, &len, &format, &compression);
	if (format < 0 && compression >= 0)
		take_suffix(opt->output, &len, &format, &compression);
	if (strcmp(opt->output, "-") == 0 && isatty(STDOUT_FILENO)) {
		error_set(err, ERROR_REFUSED, "an archive is not written to a terminal");
		return error_hint(err, "redirect the output to a file, or name one after -o");
	}
	return choose_archive(opt, format, compression, given, shape, err);
}

struct named_file {
	const char *option, *name;
	dev_t device;
	ino_t inode;		/* of the file, or of the directory in which it will be */
	const char *last;	/* NULL: the file exists */
	size_t last_len;
	bool is_known;
};

static bool locate_parent(struct named_file *file, const char *end, struct stat *st)
{
	const char *last = end;
	char *directory;
	bool ok;

	while (last > file->name && last[-1] != '/')
		last--;
	directory = last > file->name ? strndup(file->name, (size_t)(last - file->name)) : strdup(".");
	ok = directory && stat(directory, st) == 0;
	free(directory);
	file->last = last;
	file->last_len = (size_t)(end - last);
	return ok;
}

static void locate(struct named_file *file)
{
	const char *end = file->name ? file->name + strlen(file->name) : NULL;
	struct stat st;

	if (!file->name || strcmp(file->name, "-") == 0)
		return;
	while (end > file->name + 1 && end[-1] == '/')
		end--;
	if (stat(file->name, &st) == 0)
		/* Two pipes, or /dev/null twice, are not a mistake. */
		file->is_known = !S_ISCHR(st.st_mode);
	else
		file->is_known = locate_parent(file, end, &st);
	file->device = st.st_dev;
	file->inode = st.st_ino;
}

static bool is_same(const struct named_file *a, const struct named_file *b)
{
	return a->is_known && b->is_known && a->device == b->device && a->inode == b->inode && !a->last == !b->last &&
	       (!a->last || (a->last_len == b->last_len && memcmp(a->last, b->last, a->last_len) == 0));
}

bool output_names_check(const char *output, const char *report, const char *manifest, const char *image, struct error *err)
{
	struct named_file made[] = { { "--output", output, .is_known = false }, { "--report", report, .is_known = false },
				{ "--manifest", manifest, .is_known = false } };

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		locate(&made[i]);
		for (size_t k = 0; k < i; k++) {
			if (is_same(&made[i], &made[k]))
				return error_set(err, ERROR_USAGE, "%s and %s are the same file", made[k].option, made[i].option);
		}
		for (size_t k = 0; k < image_n_devices(); k++) {
			struct named_file read = { .name = image_device_name(image, k) };

			locate(&read);
			if (!read.last && is_same(&made[i], &read))
				return error_set(err, ERROR_REFUSED, "%s is the image that is read", made[i].option);
		}
	}
	return true;
}
