/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks of a file or block device that is opened for writing, and who else has it open.
 *
 * Locks belong to the file at the bottom: for a loop device every layer is locked, down to the file that the last one shows, so that two
 * users of the same bytes under different names notice each other. A regular file that is opened directly also gets a write lease: the
 * kernel refuses it while anybody has the file open, under any name or path, and blocks later opens until the lease is given up (or for
 * /proc/sys/fs/lease-break-time, 45 seconds). A second open for reading in this process would break it, so an image is opened only once. If
 * no lease is possible (file systems without leases, files of other users, network file systems, loop and block devices), the other ways of
 * detecting users must suffice.
 */
#ifndef COMMON_DEVICE_DEVICE_LOCK_H
#define COMMON_DEVICE_DEVICE_LOCK_H

#include <sys/stat.h>
#include <sys/types.h>

#include "common/device/loop-device.h"

struct device_lock {
	int below[LOOP_DEPTH_MAX];	/* open files that the loop devices show */
	unsigned n_below;
	bool is_leased;
};

/* Takes exclusive locks on fd, whose stat is st, and on what it shows. ERROR_BUSY if somebody else has one. A zeroed lock holds nothing. */
bool device_lock_take(struct device_lock *lock, int fd, const struct stat *st, struct error *err) must_use;
void device_lock_close(struct device_lock *lock);	/* closes what it opened; fd stays with the caller */

/* Would device_lock_take() succeed? fd is open for reading. Holds nothing after the check. */
bool device_lock_ask(int fd, const struct stat *st, struct error *err) must_use;

/* Is it locked, and by which process? 0: not visible. */
bool device_lock_holder(int fd, const struct stat *st, pid_t *process) must_use;

/*
 * Takes a write lease on a regular file if possible, or checks that it is still intact: if somebody waits for it, it is given up and taken
 * again. ERROR_BUSY, saying who has the file open, if that does not succeed within device_lock_patience.
 */
bool device_lease_hold(struct device_lock *lock, int fd, const struct stat *st, struct error *err) must_use;
void device_lease_end(struct device_lock *lock, int fd);

/* Does anybody else have the file open? Like device_lease_hold(), but without waiting, and the lease is given back at once. */
bool device_lease_ask(int fd, const struct stat *st, struct error *err) must_use;

/*
 * Like open(), but waits if somebody else has a lease on the file. ERROR_BUSY if it is not given up in time or, with exclusive, if its
 * owner also has a lock. -1 with err->kind ERROR_NONE: see errno.
 */
int device_open_leased(const char *path, int flags, bool exclusive, struct error *err);

/* How long to wait for others, in milliseconds: 5000. Changed by tests. */
extern unsigned device_lock_patience;

#endif /* COMMON_DEVICE_DEVICE_LOCK_H */
