/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is a file, a block device or a filesystem in use by the kernel?  For those who want to write to it, and for those who read what may change
 * meanwhile.  What cannot be found out counts as in use: without /sys loop devices and mounts are asked for in other ways, and where those fail
 * as well, the answer is ERROR_BUSY with the reason.
 */
#ifndef COMMON_VOLUME_DEVICE_IN_USE_H
#define COMMON_VOLUME_DEVICE_IN_USE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "format/error.h"
#include "format/ondisk.h"

/*
 * ERROR_BUSY, saying by whom, where st is mounted as a device or is the backing file or device of a loop device that is
 * attached read-write or itself in use.  Of a loop device, the same holds for what it shows.
 */
bool device_not_in_use(const struct stat *st, struct error *err) must_use;

/*
 * ERROR_BUSY where a filesystem of this uuid is mounted, from whatever device, also under a uuid of the kernel's own choice: then the one that
 * is asked for may be reached by a way that no table shows (through FUSE, an overlay, another machine).
 */
bool filesystem_not_mounted(const uint8_t fsid[FSID_SIZE], const uint8_t metadata_fsid[FSID_SIZE], struct error *err) must_use;

/* Is it, or a loop device that shows it, mounted for writing?  where is the mount point. */
bool device_is_mounted(const struct stat *st, char *where, size_t size) must_use;

#endif /* COMMON_VOLUME_DEVICE_IN_USE_H */
