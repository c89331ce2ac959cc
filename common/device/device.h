/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One image file or block device: bytes at physical addresses. What is below is a table of functions, so that tests can put a recorder or
 * memory there.
 */
#ifndef COMMON_DEVICE_DEVICE_H
#define COMMON_DEVICE_DEVICE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "format/error.h"

struct device_ops {
	bool (*read)(void *self, void *bytes, size_t len, uint64_t at, struct error *err);
	bool (*write)(void *self, const void *bytes, size_t len, uint64_t at, struct error *err);
	bool (*flush)(void *self, struct error *err);	/* makes everything written before durable */
	/* Reads from the medium, bypassing caches that show what was written. NULL: use read. */
	bool (*read_medium)(void *self, void *bytes, size_t len, uint64_t at, struct error *err);
	/* Flushes and drops caches. NULL: there are none. */
	bool (*forget)(void *self, struct error *err);
	/* The first byte at or after `at` that may be nonzero, or the device size if there is none. NULL: at. */
	uint64_t (*next_data)(void *self, uint64_t at);
	/* The first byte at or after `at` where a hole begins, or the device size if there is none. NULL: there are no holes. */
	uint64_t (*next_hole)(void *self, uint64_t at);
	/* Gives zeroed space back, best effort. NULL: does nothing. */
	void (*punch)(void *self, uint64_t at, uint64_t len);
	/* For the functions of the same name below. NULL: nobody else can have it. */
	bool (*still_ours)(void *self, struct error *err);
	void (*share)(void *self);
	bool (*check_free)(void *self, struct error *err);
	bool (*locked_by)(void *self, pid_t *process);
	void (*close)(void *self);
};

struct device {
	const struct device_ops *ops;
	void *self;
	char *name;		/* as the user gave it */
	uint64_t size;		/* bytes */
	bool writable;
	bool flush_failed;	/* earlier writes may be lost, and the next flush would not say so */
	bool from_medium;	/* device_read() acts as device_read_medium() */
};

/* --- file-device.c --- */
/*
 * Opens path; a missing file is ERROR_NOT_FOUND. Read only: just O_RDONLY. Writable: takes the locks and the lease of device-lock.h, and
 * refuses (ERROR_BUSY) what is mounted as a device, attached to a loop device, locked, or open elsewhere. Both wait some seconds for a
 * lease that blocks opening the file. An image that is open for writing must not be opened again in the same process.
 */
bool device_open(const char *path, bool writable, struct device **device, struct error *err) must_use;

/* --- device.c --- */
/*
 * For a device open for writing: has nobody else come in since? ERROR_BUSY if the lease was broken and cannot be taken again, if somebody
 * uses it, or if its name leads elsewhere.
 */
bool device_still_ours(struct device *device, struct error *err) must_use;
/* Gives up the lease: from here on others may open it too. */
void device_share(struct device *device);

/* For a device open for reading: would opening it for writing be ERROR_BUSY? Holds nothing. */
bool device_check_free(struct device *device, struct error *err) must_use;
/* For a device open for reading: has another process locked it? *process: which one; 0: not visible. */
bool device_locked_by(struct device *device, pid_t *process) must_use;

/* A device with the caller's own functions. Takes self (ops->close frees it), even on failure. */
bool device_new(const struct device_ops *ops, void *self, const char *name, uint64_t size, bool writable,
		struct device **device, struct error *err) must_use;
void device_close(struct device *device);	/* NULL is fine */

/* Bounds are checked here: outside the device is ERROR_CORRUPT, because addresses come from images. */
bool device_read(struct device *device, void *bytes, size_t len, uint64_t at, struct error *err) must_use;
bool device_write(struct device *device, const void *bytes, size_t len, uint64_t at, struct error *err) must_use;
bool device_flush(struct device *device, struct error *err) must_use;	/* once it has failed, it always fails */
bool device_read_medium(struct device *device, void *bytes, size_t len, uint64_t at, struct error *err) must_use;

/*
 * Does the medium have what was written there and flushed? If not, it is written again, flushed and compared again; ERROR_IO if it still
 * differs. *again: this was necessary.
 */
bool device_read_back(struct device *device, const void *bytes, size_t len, uint64_t at, bool *again, struct error *err) must_use;

/*
 * After a failed flush, perhaps of a process that has ended, caches may show data that are not on the medium. From here on they are not
 * used.
 */
bool device_forget(struct device *device, struct error *err) must_use;

#endif /* COMMON_DEVICE_DEVICE_H */
