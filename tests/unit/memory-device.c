/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes in memory behind the table of a device. */
#include "tests/unit/memory-device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool memory_read(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	struct memory_device *memory = self;
	const uint64_t start = at > memory->at ? at : memory->at;
	const uint64_t end = at + len < memory->at + memory->len ? at + len : memory->at + memory->len;

	memory->n_reads++;
	if (memory->fails)
		return error_set(err, ERROR_IO, "fails");
	if (start != at || end != at + len)
		memset(bytes, 0, len);
	if (start < end)
		memcpy((uint8_t *)bytes + (start - at), memory->bytes + (start - memory->at), end - start);
	return true;
}

static bool memory_write(void *self, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	struct memory_device *memory = self;

	(void)err;
	memory->n_writes++;
	assert_true(at >= memory->at && at + len <= memory->at + memory->len);
	memcpy(memory->bytes + (at - memory->at), bytes, len);
	return true;
}

static bool memory_flush(void *self, struct error *err)
{
	struct memory_device *memory = self;

	(void)err;
	memory->n_flushes++;
	return true;
}

static uint64_t memory_next_data(void *self, uint64_t at)
{
	const struct memory_device *memory = self;

	if (at < memory->at)
		at = memory->at;
	while (at < memory->at + memory->len && memory->bytes[at - memory->at] == 0)
		at++;
	return at < memory->at + memory->len ? at : memory->size;
}

static void memory_close(void *self)
{
	struct memory_device *memory = self;

	memory->n_closed++;
}

struct device *memory_device(struct memory_device *memory, const char *name, uint64_t size, bool writable)
{
	static const struct device_ops ops = {
		.read = memory_read, .write = memory_write, .flush = memory_flush, .next_data = memory_next_data, .close = memory_close,
	};
	struct device *device;
	struct error err;

	memory->size = size;
	if (!device_new(&ops, memory, name, size, writable, &device, &err))
		fail_msg("%s", err.text);
	return device;
}
