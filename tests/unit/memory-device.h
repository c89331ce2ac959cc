/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device in memory: bytes at one place of it, zeros everywhere else.  It counts what is done to it. */
#ifndef TESTS_UNIT_MEMORY_DEVICE_H
#define TESTS_UNIT_MEMORY_DEVICE_H

#include "common/device/device.h"

struct memory_device {
	uint8_t *bytes;		/* the caller's */
	uint64_t at;		/* where they are on the device; written is nothing else */
	size_t len;
	bool fails;		/* reading it is an I/O error */
	uint64_t size;		/* of the device */
	unsigned n_reads, n_writes, n_flushes, n_closed;
};

struct device *memory_device(struct memory_device *memory, const char *name, uint64_t size, bool writable);

#endif /* TESTS_UNIT_MEMORY_DEVICE_H */
