/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removing the sealing without subvolumes of a disk in memory, the first on it. */
#ifndef TESTS_CRASH_PURGE_RUN_H
#define TESTS_CRASH_PURGE_RUN_H

#include "common/convert/purge.h"
#include "tests/crash/disk.h"

struct volume *purge_run_open(struct disk *disk);
bool purge_run(struct disk *disk, struct error *err);
/* Without a key. */
bool purge_run_continue(struct disk *disk, enum convert_goal goal, struct error *err);

/* --- purge-forged.c --- */
/* Whatever somebody puts into the state and the records, with right hashes: nobody goes on with it, and nothing is written. How many failed. */
unsigned purge_judge_forged(const struct disk *unfinished);

#endif /* TESTS_CRASH_PURGE_RUN_H */
