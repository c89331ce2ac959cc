/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One error, owned by main(). A function that can fail takes it as its last argument, fills it once and returns false. Only cmd/main.c
 * prints it.
 */
#ifndef FORMAT_ERROR_H
#define FORMAT_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#define must_use __attribute__((warn_unused_result))

/* The values are the exit statuses of btrfs-crypt(8): stable. */
enum error_kind {
	ERROR_NONE = 0,
	ERROR_USAGE = 1,	/* the command line */
	ERROR_KEY = 2,		/* wrong or missing key */
	ERROR_MEMORY = 3,	/* out of memory */
	ERROR_NOT_FOUND = 4,	/* no such thing, or not a btrfs filesystem */
	ERROR_BUSY = 5,		/* mounted or locked */
	ERROR_CORRUPT = 6,	/* the image is damaged or fails authentication, or plain text was found in it */
	ERROR_UNFINISHED = 7,	/* an unfinished conversion is present */
	ERROR_STOPPED = 8,	/* stopped at a safe point, resumable */
	ERROR_REFUSED = 9,	/* not supported or not safe */
	ERROR_NO_SPACE = 10,	/* the filesystem lacks room */
	ERROR_IO = 11,		/* the machine: open, read, write */
	ERROR_STATE = 12,	/* the unfinished conversion's state fails authentication */
	ERROR_KEY_HEADER = 13,	/* key header damaged */
	ERROR_KIND_MAX = ERROR_KEY_HEADER,
};

struct error {
	enum error_kind kind;
	char text[512];		/* lower case, no full stop, names escaped */
	char hint[512];		/* the cure, if one is known */
	const char *name;	/* for JSON, more exact than that of the kind; NULL: that one */
	bool resumable;		/* ERROR_STOPPED: the image has an unfinished conversion */
	uint64_t logical, disk_length;	/* the bytes that it is about; disk_length 0: unknown, or none */
};

/* Always false, so that a failed check reads: return error_set(err, ...); */
bool error_set(struct error *err, enum error_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Like error_set(), followed by ": " and the text of errno (kind: ERROR_IO, or ERROR_MEMORY for ENOMEM). */
bool error_system(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool error_memory(struct error *err);

/* Prefixes the existing text with "what: ". Always false. */
bool error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the hint. Always false. */
bool error_hint(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the place on disk. Always false. */
bool error_at(struct error *err, uint64_t logical, uint64_t disk_length);

/* Sets the name, one of those below. Always false. */
bool error_named(struct error *err, const char *name);
#define ERROR_NAME_ALREADY_SEALED "already-sealed"

/* The name in JSON errors, for example "wrong-key". */
const char *error_name(const struct error *err);
const char *error_kind_name(enum error_kind kind);

#endif /* FORMAT_ERROR_H */
