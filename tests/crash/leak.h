/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is any plain text of the sealed set left on a disk?  Learned from the disk before sealing. */
#ifndef TESTS_CRASH_LEAK_H
#define TESTS_CRASH_LEAK_H

#include "tests/crash/content.h"

struct leaks;
struct leaks *leaks_learn(struct disk *plain, const struct members *members);
void leaks_free(struct leaks *leaks);

/* False where some 16 bytes of the set's data, or the beginning of an inline payload, are found: *at says where. */
bool leaks_none(const struct leaks *leaks, const struct disk *disk, uint64_t *at);

#endif /* TESTS_CRASH_LEAK_H */
