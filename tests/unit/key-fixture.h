/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests that change the key slots of one sealed disk, and cut that off: two passphrases, and what each does afterwards. */
#ifndef TESTS_UNIT_KEY_FIXTURE_H
#define TESTS_UNIT_KEY_FIXTURE_H

#include <stddef.h>

#include "common/convert/convert.h"
#include "tests/crash/key-run.h"

enum { FIRST, SECOND, PHRASES };	/* also the number of the slot that each opens */

extern struct key_fixture {
	struct keys keys;
	struct disk plain, sealed;	/* sealed: with no slot but the volume key */
	struct secret *phrase[PHRASES];
} key_fixture;

/* Makes all that, runs the tests, and returns how many failed. */
struct CMUnitTest;
int key_fixture_run(const struct CMUnitTest *tests, size_t n);

/* The domain gets these slots and no others. */
void set_slots(struct disk *disk, bool first, bool second);
/*
 * Goes on after a power cut with this passphrase. *refused: an abort came too late, or so late that the copies of the key slots are wiped and
 * only the new one opens. Returns false if nothing had begun.
 */
bool go_on(struct disk *disk, enum convert_goal goal, unsigned with, bool *refused);
bool opens(struct disk *disk, unsigned which);

/* before: with the first slot; log: what replacing it by the second one writes. Both are the caller's. */
void record_change(struct disk *before, struct disk_log *log);
/* The disk as the first prefix of the log leaves it that is unfinished in this phase, on this way. */
void stopped_in(const struct disk *before, const struct disk_log *log, enum crypt_phase phase, enum crypt_direction direction, struct disk *disk);
/* With the volume key; nothing is written. */
void expect_refusal(struct disk *disk, enum convert_goal goal, enum error_kind kind, const char *text);

#endif /* TESTS_UNIT_KEY_FIXTURE_H */
