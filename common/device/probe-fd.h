/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libblkid reads files only. What is no file gets one in memory, with the places of the device that libblkid looks at. */
#ifndef COMMON_DEVICE_PROBE_FD_H
#define COMMON_DEVICE_PROBE_FD_H

#include "common/device/device.h"

/*
 * A descriptor with the bytes of the device, which was opened at path, as far as they tell its partitions and what is in [offset, +length).
 * The caller closes it; -1: see err.
 */
int probe_fd(const char *path, struct device *device, uint64_t offset, uint64_t length, struct error *err);

#endif /* COMMON_DEVICE_PROBE_FD_H */
