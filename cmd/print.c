/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all commands print in the same way. */
#include "cmd/print.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/json.h"
#include "common/util/escape.h"

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

static struct reporter listener;

void print_hear(const struct reporter *reporter)
{
	listener = reporter ? *reporter : (struct reporter){ 0 };
}

const char *report_name(enum report_kind kind)
{
	static const char *const names[REPORT_KINDS] = {
		[REPORT_NOTE] = "note",
		[REPORT_WARNING] = "warning",
		[REPORT_MIRROR] = "other-mirror",
		[REPORT_INVALID] = "invalid",
		[REPORT_DOUBTFUL] = "doubtful",
		[REPORT_LOST] = "lost",
		[REPORT_DAMAGED] = "damaged",
		[REPORT_FAILED] = "failed",
		[REPORT_REFUSED] = "refused",
		[REPORT_SEALED] = "sealed",
		[REPORT_NESTED] = "nested-subvolume",
		[REPORT_CIPHERTEXT] = "ciphertext",
		[REPORT_CONVERTING] = "being-converted",
		[REPORT_UNPROVEN] = "not-authenticated",
		[REPORT_NOT_KEPT] = "not-kept",
	};

	return names[kind];
}

static void put_line(enum report_kind kind, const char *text, FILE *out)
{
	if (format_is_json()) {
		struct json_object *line = json_line();

		json_text(line, report_name(kind), text);
		json_print(line, out);
	} else {
		fprintf(out, "btrfs-crypt %s: %s: %s\n", command_name ? command_name : "", report_name(kind), text);
	}
}

void print_note_to(FILE *out, const char *text)
{
	put_line(REPORT_NOTE, text, out);
}

static void print_line(enum report_kind kind, const char *text)
{
	struct error ignored;	/* the end of main() tells */

	report_to(&listener, &(struct report){ .kind = kind, .text = text });
	(void)!stdout_flush(&ignored);
	put_line(kind, text, stderr);
}

void print_warning(void *context, const char *text)
{
	(void)context;
	print_line(REPORT_WARNING, text);
}

void print_note(void *context, const char *text)
{
	(void)context;
	print_line(REPORT_NOTE, text);
}

static void print_made(void (*print)(void *context, const char *text), const char *words, va_list args)
{
	char *text;

	if (vasprintf(&text, words, args) < 0)
		return;
	print(NULL, text);
	free(text);
}

void printf_warning(const char *words, ...)
{
	va_list args;

	va_start(args, words);
	print_made(print_warning, words, args);
	va_end(args);
}

void printf_note(const char *words, ...)
{
	va_list args;

	va_start(args, words);
	print_made(print_note, words, args);
	va_end(args);
}

void print_report(void *context, const struct report *report)
{
	char text[1200];

	switch (report->kind) {
	case REPORT_INVALID:
		command_status = ERROR_CORRUPT;
		print_line(REPORT_INVALID, report->text);
		break;
	case REPORT_DOUBTFUL:
		snprintf(text, sizeof(text), "inode %" PRIu64 " bytes %" PRIu64 " to %" PRIu64 ": %s", report->inode, report->first, report->end - 1,
			 report->text);
		print_warning(context, text);
		break;
	default:
		print_warning(context, report->text);
	}
}

void print_damage(const struct report *report, const char *top)
{
	char text[sizeof(((struct error *)0)->text) + 300], name[256];

	escape_text(report->path, report->path_len, name, sizeof(name));
	snprintf(text, sizeof(text), "%s: %s", name[0] ? name : top, report->text);
	print_warning(NULL, text);
}

static void print_error_json(const struct error *err, FILE *out)
{
	struct json_object *line = json_line();

	json_text(line, "error", error_name(err));
	json_number(line, "status", err->kind);
	if (command_name)
		json_text(line, "command", command_name);
	json_text(line, "text", err->text);
	if (err->kind == ERROR_STOPPED)
		json_flag(line, "resumable", err->resumable);
	if (err->hint[0])
		json_text(line, "hint", err->hint);
	json_print(line, out);
}

void error_show(const struct error *err, FILE *out)
{
	const char *const space = command_name ? " " : "", *const name = command_name ? command_name : "";

	if (format_is_json()) {
		print_error_json(err, out);
		return;
	}
	fprintf(out, "btrfs-crypt%s%s: %s\n", space, name, err->text);
	if (err->hint[0])
		fprintf(out, "btrfs-crypt%s%s: hint: %s\n", space, name, err->hint);
}
