/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a reader meets and survives, on its way from the function that knows the bytes to whoever listens. Every room hands up the same struct:
 * one that knows more (a path, a subvolume) adds it, one that counts looks at the kind, and nobody turns one shape into another.
 * What ends the reading is an error, not a report. Where the listener decides whether to go on, there is a function of its own that returns bool.
 * The listener runs inside the reading function, in its thread. All that a report points to is borrowed for that long.
 */
#ifndef COMMON_UTIL_REPORT_H
#define COMMON_UTIL_REPORT_H

#include <stddef.h>

#include "format/error.h"

enum report_kind {
	REPORT_NOTE,
	REPORT_WARNING,		/* nothing is missing because of it */
	REPORT_MIRROR,		/* another copy of these bytes was used */
	REPORT_INVALID,		/* it was used all the same, or left out, because the reading is tolerant */
	REPORT_DOUBTFUL,	/* bytes of a file that were returned, although nothing shows them to be right */
	REPORT_LOST,		/* bytes of a file that cannot be read (zeros in an export), or a block */
	REPORT_DAMAGED,		/* something else about the file or directory, or about what is searched */
	REPORT_FAILED,		/* the file or directory: at most its name is left */
	REPORT_REFUSED,		/* the file, or what is in the directory, is beyond what can be done with it */
	/* Of an export: */
	REPORT_SEALED,		/* it was left out: sealed or not authenticated, and there is no key */
	REPORT_NESTED,		/* a nested subvolume, exported as an empty directory */
	REPORT_CIPHERTEXT,	/* exported as it is on disk */
	REPORT_CONVERTING,	/* it was left out: its subvolume is being converted, and there is no key */
	REPORT_UNPROVEN,	/* exported without proof that it is as it was sealed, which was accepted */
	REPORT_NOT_KEPT,	/* exported except for `loss`; sockets and the like are left out */
	REPORT_KINDS
};

struct report {
	enum report_kind kind;
	const uint8_t *path;		/* of the file or directory, any bytes; NULL: about none, or unknown to whoever reports */
	size_t path_len;
	uint64_t subvolume, inode;	/* inode 0: about none, or unknown */
	uint64_t first, end;		/* bytes [first, end) of the file; end 0: not about bytes */
	uint64_t logical, disk_length;	/* the bytes on disk that are to blame, or the first of them; disk_length 0: unknown, or none */
	unsigned loss;			/* REPORT_NOT_KEPT: an out_loss */
	const char *text;		/* why, for people; NULL: nothing to add */
};

struct reporter {
	void (*take)(void *context, const struct report *report);	/* NULL: nobody listens */
	void *context;
};

/* With the text and the place of damage that was survived. */
static inline struct report report_of(enum report_kind kind, const struct error *what)
{
	return (struct report){ .kind = kind, .logical = what->logical, .disk_length = what->disk_length, .text = what->text };
}

static inline void report_to(const struct reporter *reporter, const struct report *report)
{
	if (reporter->take)
		reporter->take(reporter->context, report);
}

#endif /* COMMON_UTIL_REPORT_H */
