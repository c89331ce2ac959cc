/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes at physical addresses: an image file, a block device, a partition of one, a network block device. What is below is a table of functions;
 * another container (a forensic image) is a file of its own with such a table and a function that opens it by device_new(). Tests have
 * two: tests/unit/memory-device.c and tests/unit/fault-device.c.
 */
#ifndef COMMON_DEVICE_DEVICE_H
#define COMMON_DEVICE_DEVICE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "format/error.h"

/*
 * What every function of the table may rely on, and what it must do:
 * - self is what device_new() was given. Addresses and lengths are in bytes, from the beginning of the device. device.c has checked that they
 *   lie inside it, and that a device that is written to is writable. Neither they nor the memory are aligned to anything; whoever needs that
 *   does it below.
 * - Everything that is asked for is done, or the function returns false: there are no short reads and writes. err then says what failed and
 *   where, without the device's name, which device.c adds: ERROR_IO for the medium, ERROR_SYSTEM or what error_system() makes of errno for
 *   the machine. Interrupted calls are repeated below. After a failed write the bytes may be old, new or a mixture.
 * - One thread calls, one function at a time. Calls may come from between two signals, never from a handler.
 * - read, write and flush must not allocate: after the first write of a conversion memory may be short.
 * - A function that may be missing is NULL; what then holds is said with it. A device that is only read has neither write nor flush.
 */
struct device_ops {
	/* Returns what was written last, flushed or not, by anybody who uses the same caches. */
	bool (*read)(void *self, void *bytes, size_t len, uint64_t at, struct error *err);
	/* Need not be durable before flush. Until then a power cut may leave any part of it, in sectors of 512 bytes, and in any order. */
	bool (*write)(void *self, const void *bytes, size_t len, uint64_t at, struct error *err);
	/* Returns true once all that was written before survives a power cut. If it fails, nobody knows what of that does: never tried again. */
	bool (*flush)(void *self, struct error *err);
	/* Reads from the medium, bypassing caches that show what was written. What was flushed must be there. NULL: use read. */
	bool (*read_medium)(void *self, void *bytes, size_t len, uint64_t at, struct error *err);
	/* Flushes and drops caches. NULL: there are none. */
	bool (*forget)(void *self, struct error *err);
	/* For the functions of the same name below. They cannot fail: who does not know says that there are data, and no hole. */
	uint64_t (*next_data)(void *self, uint64_t at);	/* NULL: at */
	uint64_t (*next_hole)(void *self, uint64_t at);	/* NULL: there are no holes */
	void (*punch)(void *self, uint64_t at, uint64_t len);	/* NULL: does nothing */
	/* Fills holes with zeros that take room, so that writing there cannot fail for want of it: ERROR_NO_SPACE. NULL: nobody can. */
	bool (*reserve)(void *self, uint64_t at, uint64_t len, struct error *err);
	uint64_t (*room)(void *self);	/* bytes that holes can be filled with; NULL: nobody knows */
	/* The same. NULL: nobody else can have it. */
	bool (*still_ours)(void *self, struct error *err);
	void (*share)(void *self);
	bool (*check_free)(void *self, struct error *err);
	bool (*locked_by)(void *self, pid_t *process);
	/* Frees self, whatever was flushed. */
	void (*close)(void *self);
};

struct device {
	const struct device_ops *ops;
	void *self;
	char *name;		/* as the user gave it */
	uint64_t size;		/* bytes */
	bool writable;
	bool flush_failed;	/* earlier writes may be lost, and the next flush would not say so */
	int fd;			/* an open file with the same bytes, for libraries that search them; -1: none. Not for writing */
	bool from_medium;	/* device_read() acts as device_read_medium() */
};

/* --- file-device.c --- */
/*
 * Opens path; a missing file is ERROR_NOT_FOUND. Read only: just O_RDONLY. Writable: takes the locks and the lease of device-lock.h, and
 * refuses (ERROR_BUSY) what is mounted as a device, attached to a loop device, locked, or open elsewhere. Both wait some seconds for a
 * lease that blocks opening the file. An image that is open for writing must not be opened again in the same process.
 */
enum device_access { DEVICE_READ_ONLY, DEVICE_WRITABLE };
bool device_open(const char *path, enum device_access access, struct device **device, struct error *err) must_use;

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
/* tell is called once, right before this process writes to a device for the first time. */
void device_before_first_write(void (*tell)(void));
bool device_write(struct device *device, const void *bytes, size_t len, uint64_t at, struct error *err) must_use;
bool device_flush(struct device *device, struct error *err) must_use;	/* once it has failed, it always fails */
bool device_read_medium(struct device *device, void *bytes, size_t len, uint64_t at, struct error *err) must_use;

/* The first byte at or after `at` that may be nonzero, or the device size if there is none. */
uint64_t device_next_data(const struct device *device, uint64_t at);
/* The first byte at or after `at` where a hole begins, or the device size if there is none. */
uint64_t device_next_hole(const struct device *device, uint64_t at);
/*
 * Makes sure that writing into holes there does not fail for want of room, if that can be done: otherwise does nothing. And how many bytes of holes
 * there is room for; UINT64_MAX: unknown.
 */
bool device_reserve(struct device *device, uint64_t at, uint64_t len, struct error *err) must_use;
uint64_t device_room(const struct device *device);
/* Gives space back that is zeros and flushed, best effort. */
void device_punch(struct device *device, uint64_t at, uint64_t len);

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
