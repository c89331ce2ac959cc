/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device over another one: a test sees what is read and written, and lets it fail, change or get lost. */
#ifndef TESTS_UNIT_FAULT_DEVICE_H
#define TESTS_UNIT_FAULT_DEVICE_H

#include "common/device/device.h"

/* Each may be NULL.  Returns false with the error that it ends with. */
struct fault_hooks {
	bool (*read)(void *bytes, size_t len, uint64_t at, struct error *err);	/* afterwards: may change the bytes */
	bool (*write)(const void *bytes, size_t len, uint64_t at, bool *lost, struct error *err);	/* before.  *lost: it goes no further */
	bool (*flush)(struct error *err);	/* before */
	bool (*still_ours)(struct error *err);
	void (*share)(void);
};

/* Has no caches, no holes, and what is not above.  The one below is closed with it. */
struct device *fault_device(const struct fault_hooks *hooks, const char *name, struct device *below);

#endif /* TESTS_UNIT_FAULT_DEVICE_H */
