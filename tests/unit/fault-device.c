/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of a device that asks a test before it goes on to the one below. */
#include "tests/unit/fault-device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fault {
	const struct fault_hooks *hooks;
	struct device *below;
};

static bool fault_read(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct fault *fault = self;

	return device_read(fault->below, bytes, len, at, err) && (!fault->hooks->read || fault->hooks->read(bytes, len, at, err));
}

static bool fault_write(void *self, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct fault *fault = self;
	bool lost = false;

	return (!fault->hooks->write || fault->hooks->write(bytes, len, at, &lost, err)) &&
	       (lost || device_write(fault->below, bytes, len, at, err));
}

static bool fault_flush(void *self, struct error *err)
{
	const struct fault *fault = self;

	return (!fault->hooks->flush || fault->hooks->flush(err)) && device_flush(fault->below, err);
}

static bool fault_still_ours(void *self, struct error *err)
{
	const struct fault *fault = self;

	return !fault->hooks->still_ours || fault->hooks->still_ours(err);
}

static void fault_share(void *self)
{
	const struct fault *fault = self;

	if (fault->hooks->share)
		fault->hooks->share();
}

static void fault_close(void *self)
{
	struct fault *fault = self;

	device_close(fault->below);
	free(fault);
}

struct device *fault_device(const struct fault_hooks *hooks, const char *name, struct device *below)
{
	static const struct device_ops ops = {
		.read = fault_read, .write = fault_write, .flush = fault_flush, .still_ours = fault_still_ours, .share = fault_share,
		.close = fault_close,
	};
	struct fault *fault = malloc(sizeof(*fault));
	struct device *device;
	struct error err;

	assert_non_null(fault);
	*fault = (struct fault){ hooks, below };
	if (!device_new(&ops, fault, name, below->size, below->writable, &device, &err))
		fail_msg("%s", err.text);
	return device;
}
