/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors: a kind, which is the exit status, and a sentence. */
#include "format/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct error *err, enum error_kind kind, const char *format, va_list args)
{
	err->kind = kind;
	err->hint[0] = '\0';
	err->name = NULL;
	err->logical = err->disk_length = 0;
	vsnprintf(err->text, sizeof(err->text), format, args);
}

bool error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, kind, format, args);
	va_end(args);
	return false;
}

bool error_system(struct error *err, const char *format, ...)
{
	const int number = errno;
	va_list args;
	size_t used;

	va_start(args, format);
	fill(err, number == ENOMEM ? ERROR_MEMORY : ERROR_IO, format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(number));
	return false;
}

bool error_memory(struct error *err)
{
	return error_set(err, ERROR_MEMORY, "out of memory");
}

bool error_prefix(struct error *err, const char *format, ...)
{
	char text[sizeof(err->text)];
	va_list args;
	size_t used;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	used = strlen(text);
	if (used + 3 < sizeof(text)) {
		memcpy(text + used, ": ", 3);
		used += 2;
		const size_t room = sizeof(text) - used - 1;
		const size_t len = strnlen(err->text, room);

		memcpy(text + used, err->text, len);
		text[used + len] = '\0';
	}
	memcpy(err->text, text, sizeof(text));
	return false;
}

bool error_hint(struct error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->hint, sizeof(err->hint), format, args);
	va_end(args);
	return false;
}

bool error_at(struct error *err, uint64_t logical, uint64_t disk_length)
{
	err->logical = logical;
	err->disk_length = disk_length;
	return false;
}

bool error_named(struct error *err, const char *name)
{
	err->name = name;
	return false;
}

const char *error_name(const struct error *err)
{
	return err->name ? err->name : error_kind_name(err->kind);
}

const char *error_kind_name(enum error_kind kind)
{
	static const char *const names[] = {
		[ERROR_NONE] = "done",
		[ERROR_USAGE] = "usage",
		[ERROR_KEY] = "wrong-key",
		[ERROR_MEMORY] = "out-of-memory",
		[ERROR_NOT_FOUND] = "not-found",
		[ERROR_BUSY] = "busy",
		[ERROR_CORRUPT] = "damaged",
		[ERROR_UNFINISHED] = "unfinished-conversion",
		[ERROR_STOPPED] = "stopped",
		[ERROR_REFUSED] = "refused",
		[ERROR_NO_SPACE] = "no-space",
		[ERROR_IO] = "io-error",
		[ERROR_STATE] = "state-not-authentic",
		[ERROR_KEY_HEADER] = "key-header-damaged",
	};

	return kind <= ERROR_KIND_MAX ? names[kind] : "unknown";
}
