/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices of a filesystem: the given ones, identified by their superblocks, and the missing ones. */
#ifndef COMMON_VOLUME_DEVICES_H
#define COMMON_VOLUME_DEVICES_H

#include "common/volume/volume.h"

/*
 * Reads the superblocks of first and of options->others and checks that they belong to the same filesystem (or are seeds). Puts them into
 * volume->devices, and the newest into volume->device, volume->copy and volume->super. Owns the devices from the beginning.
 */
bool volume_devices_open(struct volume *volume, struct device *first, const struct volume_options *options, struct error *err) must_use;
void volume_devices_close(struct volume *volume);

/* NULL if none has this number and uuid. */
const struct volume_device *volume_device_find(const struct volume *volume, uint64_t devid, const uint8_t uuid[UUID_SIZE]);

/* A device that is named but was not given. An error if the filesystem has only one. */
bool volume_device_missing(struct volume *volume, uint64_t devid, const uint8_t uuid[UUID_SIZE], const struct volume_device **device,
			   struct error *err) must_use;

/* Takes the chunk tree's item about a device. */
bool volume_device_item(struct volume *volume, struct cursor *item, struct error *err) must_use;

/* Called after the chunk tree: checks that it names the given seeds, and warns of each missing device. */
bool volume_devices_check(const struct volume *volume, struct error *err) must_use;

/*
 * Is every device there, whole, and of the last commit, so that it can be written to? Otherwise ERROR_REFUSED. Degraded: those that are missing are
 * not necessary for any chunk. ERROR_STATE: the superblocks say that one of the devices was not there while a conversion went on.
 */
bool volume_devices_complete(const struct volume *volume, struct error *err) must_use;
/* Always false: a device has come back that was missing while a conversion went on. */
bool volume_reattached(const struct volume *volume, struct error *err);

/* Do tree blocks of this fsid belong to the filesystem? */
bool volume_has_fsid(const struct volume *volume, const uint8_t fsid[FSID_SIZE]);

#endif /* COMMON_VOLUME_DEVICES_H */
