/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One image file or block device: bytes at physical addresses.  What stands below is a
 * table of functions, so that tests can put a recorder or memory there.
 */
#ifndef COMMON_VOLUME_DEVICE_H
#define COMMON_VOLUME_DEVICE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "format/error.h"

struct device_ops {
	bool (*read)(void *self, void *bytes, size_t len, uint64_t at, struct error *err);
	bool (*write)(void *self, const void *bytes, size_t len, uint64_t at, struct error *err);
	bool (*flush)(void *self, struct error *err);	/* everything written before is durable afterwards */
	/* Reads what the medium has, past caches that show what was written.  NULL: as read. */
	bool (*read_medium)(void *self, void *bytes, size_t len, uint64_t at, struct error *err);
	/* Flushes, and has caches forget what they show.  NULL: there are none. */
	bool (*forget)(void *self, struct error *err);
	/* The first byte at or after `at` that may be other than zero; the device size where there is none.  NULL: at. */
	uint64_t (*next_data)(void *self, uint64_t at);
	/* The first byte at or after `at` where a hole begins; the device size where there is none.  NULL: there is none. */
	uint64_t (*next_hole)(void *self, uint64_t at);
	/* Gives zeroed space back; best effort.  NULL: nothing. */
	void (*punch)(void *self, uint64_t at, uint64_t len);
	/* Those below; NULL: nobody else can have it. */
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
	bool flush_failed;	/* what was written before may be lost, and the next flush would not say so */
	bool from_medium;	/* device_read() is device_read_medium() */
};

/*
 * Opens path; "not found" is ERROR_NOT_FOUND.  Read only: O_RDONLY, nothing else.  Writable: takes the locks and the lease of device-lock.h and
 * refuses (ERROR_BUSY) what is mounted as a device, attached to a loop device, locked, or open elsewhere.  Both wait some seconds for one who keeps the
 * file from being opened by a lease.  An image that is open for writing must not be opened a second time in the same process.
 */
bool device_open(const char *path, bool writable, struct device **device, struct error *err) must_use;

/*
 * Of one that is open for writing: has nobody else come in since?  ERROR_BUSY where the lease was broken and cannot be had again, somebody uses
 * it, or its name leads elsewhere.
 */
bool device_still_ours(struct device *device, struct error *err) must_use;
/* From here on others may open it, too: gives up the lease. */
void device_share(struct device *device);

/* Of one that is open for reading: would it be ERROR_BUSY to open it for writing?  Keeps nothing. */
bool device_check_free(struct device *device, struct error *err) must_use;
/* Of one that is open for reading: does another process have it locked?  Which one, or 0 where it cannot be seen. */
bool device_locked_by(struct device *device, pid_t *process) must_use;

/* A device of the caller's own functions; takes self (ops->close frees it), also when it fails. */
bool device_new(const struct device_ops *ops, void *self, const char *name, uint64_t size, bool writable,
		struct device **device, struct error *err) must_use;
void device_close(struct device *device);	/* NULL is fine */

/* Bounds are checked here: outside the device is ERROR_CORRUPT, for addresses come from images. */
bool device_read(struct device *device, void *bytes, size_t len, uint64_t at, struct error *err) must_use;
bool device_write(struct device *device, const void *bytes, size_t len, uint64_t at, struct error *err) must_use;
bool device_flush(struct device *device, struct error *err) must_use;	/* once it has failed, it fails ever after */
bool device_read_medium(struct device *device, void *bytes, size_t len, uint64_t at, struct error *err) must_use;

/*
 * Has the medium what was written there and flushed?  Where not, it is written again, flushed and compared again; ERROR_IO where it differs once
 * more.  *again: it had to be.
 */
bool device_read_back(struct device *device, const void *bytes, size_t len, uint64_t at, bool *again, struct error *err) must_use;

/* After a flush that failed, maybe of a process that is gone, caches show what is not on the medium: from here on nobody believes them. */
bool device_forget(struct device *device, struct error *err) must_use;

#endif /* COMMON_VOLUME_DEVICE_H */
