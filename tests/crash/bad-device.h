/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole runs on a device that loses or changes a write, or fails one or a flush; data are read back in all of them. */
#ifndef TESTS_CRASH_BAD_DEVICE_H
#define TESTS_CRASH_BAD_DEVICE_H

#include "tests/crash/faults.h"
#include "tests/crash/record.h"

struct bad_device {
	enum fault_kind kind;
	size_t at;		/* which write, or flush */
	uint64_t seed;
	bool cut;		/* lost, changed: the power goes some time later */
};

/* Some write or flush of the run of this chain. */
struct bad_device bad_device_any(const struct chain *chain, struct rng *rng);

/*
 * Lost and changed: the run says that it is done, and everything is right; cut: whatever the power leaves is recovered as after any power cut.
 * Failed: the run says so; whoever goes on with the caches as they are comes to the right end, and so does whoever goes on after a power cut.
 */
void bad_device_judge(const struct chain *chain, const struct bad_device *bad, struct judge *judge);

#define BAD_DEVICE_TEXT_SIZE 96
void bad_device_text(const struct bad_device *bad, char text[BAD_DEVICE_TEXT_SIZE]);

#endif /* TESTS_CRASH_BAD_DEVICE_H */
