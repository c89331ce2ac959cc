/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does the kernel use a file, a block device or a filesystem? For callers that want to write to it, or that read what may change meanwhile.
 * If this cannot be determined, it counts as in use: without /sys, loop devices and mounts are queried in other ways, and if those fail
 * too, the result is ERROR_BUSY with the reason.
 */
#ifndef COMMON_DEVICE_DEVICE_IN_USE_H
#define COMMON_DEVICE_DEVICE_IN_USE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "format/error.h"
#include "format/ondisk.h"

/*
 * ERROR_BUSY, naming the user, if st is mounted as a device, or if it is the backing file or device of a loop device that is attached
 * read-write or in use itself. For a loop device, the same applies to what it shows.
 */
bool device_not_in_use(const struct stat *st, struct error *err) must_use;

/*
 * ERROR_BUSY if a filesystem with this uuid is mounted, from any device, or under a temporary uuid that the kernel chose: the one asked for
 * may then be in use in a way that no table shows (FUSE, an overlay, another machine).
 */
bool filesystem_not_mounted(const uint8_t fsid[FSID_SIZE], const uint8_t metadata_fsid[FSID_SIZE], struct error *err) must_use;

/* Is it, or a loop device that shows it, mounted for writing? where: the mount point. */
bool device_is_mounted(const struct stat *st, char *where, size_t size) must_use;

#endif /* COMMON_DEVICE_DEVICE_IN_USE_H */
