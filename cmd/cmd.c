/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all commands share: the output format, warnings, and opening an image. */
#include "cmd/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/json.h"
#include "cmd/unfinished.h"
#include "common/util/escape.h"

const char *command_name;
int command_status;

static char *format;

struct poptOption options_format[] = {
	{ "format", 0, POPT_ARG_STRING, &format, 0, "how to print: text (default) or json, one object per line", "text|json" },
	POPT_TABLEEND
};

bool format_is_json(void)
{
	return format && strcmp(format, "json") == 0;
}

bool format_check(struct error *err)
{
	if (!format || format_is_json() || strcmp(format, "text") == 0)
		return true;
	return error_set(err, ERROR_USAGE, "--format: text or json");
}

bool option_number(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *number, struct error *err)
{
	unsigned long long value;
	char given[64];

	if (!text)
		return true;
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (text[0] && strspn(text, "0123456789") == strlen(text) && errno == 0 && value >= least && value <= most) {
		*number = value;
		return true;
	}
	escape_text(text, strlen(text), given, sizeof(given));
	return error_set(err, ERROR_USAGE, "%s: \"%s\" is not a number from %" PRIu64 " to %" PRIu64, option, given, least, most);
}

static void print_line(const char *kind, const char *text)
{
	fflush(stdout);
	if (format_is_json()) {
		struct json_object *line = json_line();

		json_text(line, kind, text);
		json_print(line, stderr);
	} else {
		fprintf(stderr, "btrfs-crypt %s: %s: %s\n", command_name ? command_name : "", kind, text);
	}
}

void print_warning(void *context, const char *text)
{
	(void)context;
	print_line("warning", text);
}

void print_note(void *context, const char *text)
{
	(void)context;
	print_line("note", text);
}

/* The texts of both rooms below begin with the path. */
bool image_open_super(const char *path, bool writable, struct volume **volume, struct error *err)
{
	const struct volume_options options = { .unfinished = true, .warn = print_warning };
	struct device *device = NULL;

	return device_open(path, writable, &device, err) && volume_open_super(device, &options, volume, err);
}

bool image_open(const char *path, bool writable, bool unfinished, struct volume **volume, struct error *err)
{
	const struct volume_options options = { .unfinished = unfinished, .warn = print_warning };
	cleanup_volume struct volume *superblocks = NULL;
	struct device *device = NULL;
	struct error ignored;

	if (!device_open(path, writable, &device, err))
		return false;
	if (volume_open(device, &options, volume, err))
		return true;
	/* Looked at once more, quietly: whoever is refused wants to know by what. */
	if (err->kind == ERROR_UNFINISHED && device_open(path, false, &device, &ignored) &&
	    volume_open_super(device, &(struct volume_options){ .unfinished = true }, &superblocks, &ignored))
		unfinished_error(&superblocks->super, path, err);
	return false;
}

bool not_sealed(const char *subvolume, struct error *err)
{
	char name[256];

	escape_text(subvolume, strlen(subvolume), name, sizeof(name));
	return error_set(err, ERROR_REFUSED, "%s is not an encrypted subvolume", name);
}

bool sealed_already(const char *subvolume, struct error *err)
{
	char name[256];

	escape_text(subvolume, strlen(subvolume), name, sizeof(name));
	return error_set(err, ERROR_REFUSED, "%s is an encrypted subvolume already", name);
}
