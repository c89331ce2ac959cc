/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sealing, unsealing and undoing either, on a disk in memory that may be a bad device, and what must come of it. */
#ifndef TESTS_UNIT_WAYS_H
#define TESTS_UNIT_WAYS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/sealed/scan.h"
#include "tests/crash/faults.h"
#include "tests/crash/run.h"
#include "tests/unit/ok.h"

#define NODE_SIZE 4096u

/*
 * Which of many writes that are much the same are tried: `make torture` has more.  Under sanitizers, which look for other faults, everything takes ten
 * times as long: fewer, and on one image.
 */
#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif
#define EVERY(n) (IS_SANITIZED ? 10 * (n) : getenv("TORTURE") ? (n) / 12 : (n))
/* And how many are, where it is said so. */
#define TRIES(n) (IS_SANITIZED ? ((n) + 3) / 4 : getenv("TORTURE") ? 20 * (n) : (n))

enum way { SEALING, UNSEALING, UNDOING_SEALING, UNDOING_UNSEALING, WAYS };

/* Of the fixture: the top level of an image, plain and sealed. */
extern struct disk disk_plain, disk_sealed;
extern struct keys keys;
extern struct members members;
extern struct content plain_content;
extern unsigned n_mirrors;	/* of metadata */
extern unsigned n_wrong;	/* calls of way_wrong() */

const struct disk *way_start(enum way way);	/* of the conversion that is run, or undone */
/* Sealing or unsealing, stopped at the last point where it can be, or so many before that. */
void way_stopped(enum way way, unsigned before_last, struct disk *disk);
/* Undoing: much of it is done on a good disk before. */
void way_prepare(enum way way, struct disk *disk);
bool way_run(enum way way, struct disk *disk, struct error *err);
bool way_go_on(enum way way, struct disk *disk, struct error *err);
/* Is this what must come of it?  False with what is wrong. */
bool way_is_right(enum way way, struct disk *disk, struct error *err);
/* The writes of a run without faults. */
void way_record(enum way way, const struct disk *start, struct disk_log *log);
/* Of the disk that way_prepare() makes, returned in *start. Done once for all tests on an image, which only look at both. */
const struct disk_log *way_recorded(enum way way, const struct disk **start);
void way_wrong(enum way way, const struct faults *faults, const struct error *err);

bool write_is_data(const struct disk *start, uint64_t at);
bool write_is_wiping(const struct disk_write *write);

/* The tests on an image with two mirrors of metadata, and, but for sanitizers, on one with one. */
int ways_run_tests(const struct CMUnitTest *tests, size_t n);

#endif /* TESTS_UNIT_WAYS_H */
