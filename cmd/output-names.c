/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An existing file is identified by its device and inode, any other by its name and the device and inode of its directory. */
#include "cmd/output-names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/image-options.h"

struct place {
	const char *option, *name;
	dev_t device;
	ino_t inode;		/* of the file, or of the directory in which it will be */
	const char *last;	/* NULL: the file exists */
	size_t last_len;
	bool is_known;
};

static bool locate_parent(struct place *place, const char *end, struct stat *st)
{
	const char *last = end;
	char *directory;
	bool ok;

	while (last > place->name && last[-1] != '/')
		last--;
	directory = last > place->name ? strndup(place->name, (size_t)(last - place->name)) : strdup(".");
	ok = directory && stat(directory, st) == 0;
	free(directory);
	place->last = last;
	place->last_len = (size_t)(end - last);
	return ok;
}

static void locate(struct place *place)
{
	const char *end = place->name ? place->name + strlen(place->name) : NULL;
	struct stat st;

	if (!place->name || strcmp(place->name, "-") == 0)
		return;
	while (end > place->name + 1 && end[-1] == '/')
		end--;
	if (stat(place->name, &st) == 0)
		/* Two pipes, or /dev/null twice, are not a mistake. */
		place->is_known = !S_ISCHR(st.st_mode);
	else
		place->is_known = locate_parent(place, end, &st);
	place->device = st.st_dev;
	place->inode = st.st_ino;
}

static bool is_same(const struct place *a, const struct place *b)
{
	return a->is_known && b->is_known && a->device == b->device && a->inode == b->inode && !a->last == !b->last &&
	       (!a->last || (a->last_len == b->last_len && memcmp(a->last, b->last, a->last_len) == 0));
}

bool output_names_check(const char *output, const char *report, const char *manifest, const char *image, struct error *err)
{
	struct place made[] = { { "--output", output, .is_known = false }, { "--report", report, .is_known = false },
				{ "--manifest", manifest, .is_known = false } };

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		locate(&made[i]);
		for (size_t k = 0; k < i; k++) {
			if (is_same(&made[i], &made[k]))
				return error_set(err, ERROR_USAGE, "%s and %s are the same file", made[k].option, made[i].option);
		}
		for (size_t k = 0; k < image_n_devices(); k++) {
			struct place read = { .name = image_device_name(image, k) };

			locate(&read);
			if (!read.last && is_same(&made[i], &read))
				return error_set(err, ERROR_REFUSED, "%s is the image that is read", made[i].option);
		}
	}
	return true;
}
