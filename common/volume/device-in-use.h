/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is a file or block device in use by the kernel?  For those who want to write to it, and for those who read what may change meanwhile. */
#ifndef COMMON_VOLUME_DEVICE_IN_USE_H
#define COMMON_VOLUME_DEVICE_IN_USE_H

#include <stddef.h>
#include <sys/stat.h>

#include "format/error.h"

/*
 * ERROR_BUSY, saying by whom, where st is mounted as a device or is the backing file or device of a loop device that is
 * attached read-write or itself in use.  Of a loop device, the same holds for what it shows.
 */
bool device_not_in_use(const struct stat *st, struct error *err) must_use;

/* Is it, or a loop device that shows it, mounted for writing?  where is the mount point. */
bool device_is_mounted(const struct stat *st, char *where, size_t size) must_use;

#endif /* COMMON_VOLUME_DEVICE_IN_USE_H */
