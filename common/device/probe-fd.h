/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libblkid reads files only. What is no file gets one in memory, with the places of the device that libblkid looks at. A file is not opened
 * once more for it, so that a device can be searched while it is open for writing.
 */
#ifndef COMMON_DEVICE_PROBE_FD_H
#define COMMON_DEVICE_PROBE_FD_H

#include "common/device/device.h"

/*
 * A descriptor with the bytes of the device, which was opened at path, as far as they tell its partitions and what is in [offset, +length).
 * For reading, and to be closed by probe_fd_close(); -1: see err.
 */
int probe_fd(const char *path, struct device *device, uint64_t offset, uint64_t length, struct error *err);
void probe_fd_close(int fd);	/* -1 is fine */

#endif /* COMMON_DEVICE_PROBE_FD_H */
