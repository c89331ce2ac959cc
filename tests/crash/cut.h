/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Power cuts: which of the recorded writes are on the disk. */
#ifndef TESTS_CRASH_CUT_H
#define TESTS_CRASH_CUT_H

#include "tests/crash/disk.h"

struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t n);

enum cut_kind {
	CUT_PREFIX,	/* the first `at` writes */
	CUT_TORN,	/* and some parts of 512 bytes of the next one */
	CUT_SUBSET,	/* of the first `at` writes and the next one those that were flushed, and of the others some, some torn, in any order */
	CUT_MIRRORS,	/* of the first `at` writes and the next one all, but of those not flushed that are equal (mirrors) one is missing */
	CUT_KINDS,
};

struct cut {
	enum cut_kind kind;
	size_t at;
	uint64_t seed;
};

/* The disk that such a cut leaves; it borrows from start. */
void cut_apply(const struct disk *start, const struct disk_log *log, const struct cut *cut, struct disk *after);

/* n cuts of a log, those at turning points (superblocks, records, flushes) first among equals; all prefixes where n has room for them. */
struct cut *cuts_choose(const struct disk_log *log, size_t n, struct rng *rng);
struct cut cut_any(const struct disk_log *log, struct rng *rng);

#define CUT_TEXT_SIZE 96
void cut_text(const struct cut *cut, char text[CUT_TEXT_SIZE]);

#endif /* TESTS_CRASH_CUT_H */
