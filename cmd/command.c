/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all commands share: the output format and warnings. */
#include "cmd/command.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/json.h"
#include "common/util/escape.h"
#include "common/util/number.h"

const char *command_name;
const struct poptOption *command_options;
int command_status;

static char *format;

struct poptOption options_format[] = {
	{ "format", 0, POPT_ARG_STRING, &format, 0, "how to print: text (default) or json, one object per line", "text|json" },
	POPT_TABLEEND
};

void format_before_command(const char *how)
{
	format = strdup(how);
}

bool format_is_json(void)
{
	return format && strcmp(format, "json") == 0;
}

bool format_check(struct error *err)
{
	if (!format || format_is_json() || strcmp(format, "text") == 0)
		return true;
	return error_set(err, ERROR_USAGE, "--format takes text or json");
}

bool stdout_flush(struct error *err)
{
	static int first;	/* the stream itself only knows that there was one */

	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	first = first ? first : errno;
	errno = first;
	return errno ? error_system(err, "standard output") : error_set(err, ERROR_IO, "standard output: not all of it could be written");
}

static volatile sig_atomic_t has_no_reader;

static void on_pipe(int number)
{
	(void)number;
	has_no_reader = 1;
}

void pipe_watch(void)
{
	const struct sigaction action = { .sa_handler = on_pipe };
	struct sigaction before;

	if (sigaction(SIGPIPE, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
		sigaction(SIGPIPE, &action, NULL);
}

bool pipe_is_gone(void)
{
	return has_no_reader;
}

const struct poptOption *option_find(const struct poptOption *table, const char *name, char letter)
{
	for (; table && (table->longName || table->shortName || table->arg); table++) {
		const bool is_table = (table->argInfo & POPT_ARG_MASK) == POPT_ARG_INCLUDE_TABLE;
		const struct poptOption *found = is_table ? option_find(table->arg, name, letter) : table;

		if (found && (is_table || (name && found->longName && strcmp(found->longName, name) == 0) ||
			      (letter && found->shortName == letter)))
			return found;
	}
	return NULL;
}

const char *option_argument(const struct poptOption *option)
{
	return option->argDescrip + (option->argDescrip[0] == '=');
}

bool command_has_option(const char *name)
{
	return option_find(command_options, name, 0);
}

bool command_has_letter(char letter)
{
	return option_find(command_options, NULL, letter);
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

bool option_bytes(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *number, struct error *err)
{
	uint64_t value;
	char given[64];

	if (!text)
		return true;

	const bool is_number = bytes_parse(text, &value);

	if (is_number && value >= least && value <= most) {
		*number = value;
		return true;
	}
	escape_text(text, strlen(text), given, sizeof(given));
	error_set(err, ERROR_USAGE, "%s: \"%s\" is not a number from %" PRIu64 " to %" PRIu64, option, given, least, most);
	return !is_number && error_hint(err, "4096, 0x1000, 4K and 4KiB are the same; M, G, T, P and E are understood as well");
}

static void (*line_heard)(void *context, const char *kind, const char *text);
static void *line_context;

void print_hear(void (*heard)(void *context, const char *kind, const char *text), void *context)
{
	line_heard = heard;
	line_context = context;
}

static void print_line(const char *kind, const char *text)
{
	struct error ignored;	/* the end of main() tells */

	if (line_heard)
		line_heard(line_context, kind, text);
	(void)!stdout_flush(&ignored);
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

void print_invalid(void *context, const char *text)
{
	(void)context;
	command_status = ERROR_CORRUPT;
	print_line("invalid", text);
}

void print_damage(const uint8_t *path, size_t len, const char *top, const struct error *what)
{
	char text[sizeof(what->text) + 300], name[256];

	escape_text(path, len, name, sizeof(name));
	snprintf(text, sizeof(text), "%s: %s", name[0] ? name : top, what->text);
	print_warning(NULL, text);
}

bool not_sealed(const char *subvolume, struct error *err)
{
	char name[256];

	escape_text(subvolume, strlen(subvolume), name, sizeof(name));
	return error_set(err, ERROR_REFUSED, "%s is not sealed", name);
}

bool sealed_already(const char *subvolume, struct error *err)
{
	char name[256];

	escape_text(subvolume, strlen(subvolume), name, sizeof(name));
	error_set(err, ERROR_REFUSED, "%s is sealed already", name);
	return error_named(err, ERROR_NAME_ALREADY_SEALED);
}
