/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks of a file or block device that is opened for writing, and who else has it.
 *
 * Locks belong to the file at the bottom: of a loop device every layer is locked, down to the file that the last one shows, so that two who reach
 * the same bytes by different names find each other.  A regular file that is opened itself gets a write lease as well: the kernel refuses it
 * while anybody has the file open, by whatever name or path, and holds up whoever opens the file later, until the lease is given up (or for
 * /proc/sys/fs/lease-break-time, 45 seconds).  Reading it a second time in this process would break it, so an image is opened once.
 * Where there can be no lease (file systems without them, files of other users, network file systems, loop and block devices) the other
 * ways of finding somebody have to do.
 */
#ifndef COMMON_VOLUME_DEVICE_LOCK_H
#define COMMON_VOLUME_DEVICE_LOCK_H

#include <sys/stat.h>
#include <sys/types.h>

#include "common/volume/loop-device.h"

struct device_lock {
	int below[LOOP_DEPTH_MAX];	/* open files that the loop device shows */
	unsigned n_below;
	bool is_leased;
};

/* Exclusive locks on fd, which is st, and on what it shows; ERROR_BUSY where somebody else has one.  A zeroed lock is none. */
bool device_lock_take(struct device_lock *lock, int fd, const struct stat *st, struct error *err) must_use;
void device_lock_close(struct device_lock *lock);	/* what it opened; fd stays the caller's */

/* Would device_lock_take() succeed?  fd is open for reading; takes nothing for longer than the question. */
bool device_lock_ask(int fd, const struct stat *st, struct error *err) must_use;

/* Is it locked, by which process?  0: one that cannot be seen. */
bool device_lock_holder(int fd, const struct stat *st, pid_t *process) must_use;

/*
 * Takes a write lease on a regular file, if there can be one, or checks that it is still whole: one that somebody waits for is given up and taken again.
 * ERROR_BUSY, saying who has the file open, where that does not succeed within the patience of device_lock_patience().
 */
bool device_lease_hold(struct device_lock *lock, int fd, const struct stat *st, struct error *err) must_use;
void device_lease_end(struct device_lock *lock, int fd);

/* Has anybody else the file open?  As device_lease_hold(), without waiting, and it is given back at once. */
bool device_lease_ask(int fd, const struct stat *st, struct error *err) must_use;

/*
 * open(), which waits where somebody else has a lease on the file.  ERROR_BUSY where it is not given up in time, or, with exclusive, where its owner has a
 * lock as well.  -1 with err->kind ERROR_NONE: errno says why.
 */
int device_open_leased(const char *path, int flags, bool exclusive, struct error *err);

/* How long is waited for others, in milliseconds; 5000.  For tests. */
extern unsigned device_lock_patience;

#endif /* COMMON_VOLUME_DEVICE_LOCK_H */
