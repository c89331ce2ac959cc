/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices of a filesystem: those that were given, told apart by what their superblocks say, and those that are missing. */
#ifndef COMMON_VOLUME_DEVICES_H
#define COMMON_VOLUME_DEVICES_H

#include "common/volume/volume.h"

/*
 * Reads the superblocks of first and of options->others, checks that they are of one filesystem (or seeds), takes them into volume->devices and the
 * newest as volume->device, volume->copy and volume->super.  Owns the devices from the beginning.
 */
bool volume_devices_open(struct volume *volume, struct device *first, const struct volume_options *options, struct error *err) must_use;
void volume_devices_close(struct volume *volume);

/* NULL where none has this number and uuid. */
const struct volume_device *volume_device_find(const struct volume *volume, uint64_t devid, const uint8_t uuid[UUID_SIZE]);

/* A device that is named and was not given; an error where the filesystem has only one. */
bool volume_device_missing(struct volume *volume, uint64_t devid, const uint8_t uuid[UUID_SIZE], const struct volume_device **device,
			   struct error *err) must_use;

/* The item that the chunk tree has of a device. */
bool volume_device_item(struct volume *volume, struct cursor *item, struct error *err) must_use;

/* After the chunk tree: seeds that were given are named by it, and each device that is missing is warned of. */
bool volume_devices_check(const struct volume *volume, struct error *err) must_use;

/* Do tree blocks of this fsid belong to the filesystem? */
bool volume_has_fsid(const struct volume *volume, const uint8_t fsid[FSID_SIZE]);

#endif /* COMMON_VOLUME_DEVICES_H */
