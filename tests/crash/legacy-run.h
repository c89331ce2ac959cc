/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decrypting the format of 2016 on a disk in memory, in small steps. */
#ifndef TESTS_CRASH_LEGACY_RUN_H
#define TESTS_CRASH_LEGACY_RUN_H

#include "common/convert/legacy.h"
#include "tests/crash/disk.h"

/* Which subvolume, with everything that shares with it or is nested in it, and with which key. */
extern const char *legacy_set;
extern struct secret *legacy_key, *legacy_wrong_key;

#define LEGACY_NEVER (~0u)	/* stop */

/* The disk, also if something is unfinished. */
bool legacy_disk_open(struct disk *disk, struct volume **volume, struct error *err) must_use;
/* stop: at the how-manieth question whether to; then ERROR_STOPPED. */
bool legacy_disk_decrypt(struct disk *disk, unsigned stop, struct error *err) must_use;
bool legacy_disk_go_on(struct disk *disk, enum convert_goal goal, struct secret *with, struct error *err) must_use;

/* --- legacy-forged.c --- */
/*
 * States and records that somebody who has the key has changed, and such as were put back after the end, are refused, and nothing is written.
 * unfinished: stopped in phase DATA; home: as it ended. Tells what went wrong on standard error; returns how often.
 */
unsigned legacy_judge_forged(const struct disk *unfinished, const struct disk *home);

#endif /* TESTS_CRASH_LEGACY_RUN_H */
