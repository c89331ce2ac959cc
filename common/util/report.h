/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a reader meets and survives, on its way from the function that knows the bytes to whoever listens. Every room hands up the same struct:
 * one that knows more (a path, a subvolume) adds it, one that counts looks at the kind, and nobody turns one shape into another.
 * What ends the reading is an error, not a report. Where the listener decides whether to go on, there is a function of its own that returns bool.
 * The listener runs inside the reading function, in its thread. All that a report points to is borrowed for that long.
 */
#ifndef COMMON_UTIL_REPORT_H
#define COMMON_UTIL_REPORT_H

#include <stdint.h>

enum report_kind {
	REPORT_WARNING,		/* nothing is missing because of it */
	REPORT_MIRROR,		/* another copy of these bytes was used */
	REPORT_INVALID,		/* it was used all the same, or left out, because the reading is tolerant */
	REPORT_DOUBTFUL,	/* bytes of a file that were returned, although nothing shows them to be right */
};

struct report {
	enum report_kind kind;
	uint64_t inode;			/* 0: not about one */
	uint64_t first, end;		/* bytes [first, end) of the file */
	uint64_t logical, disk_length;	/* the bytes on disk that are to blame; disk_length 0: unknown, or none */
	const char *text;		/* why, for people */
};

struct reporter {
	void (*take)(void *context, const struct report *report);	/* NULL: nobody listens */
	void *context;
};

static inline void report_to(const struct reporter *reporter, const struct report *report)
{
	if (reporter->take)
		reporter->take(reporter->context, report);
}

#endif /* COMMON_UTIL_REPORT_H */
