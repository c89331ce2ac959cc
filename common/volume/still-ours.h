/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks that nobody else uses a filesystem that is open for writing. Minutes may pass between opening it and the first write, while a
 * passphrase is typed. format/README.md, section 8, says what is durable at each check.
 */
#ifndef COMMON_VOLUME_STILL_OURS_H
#define COMMON_VOLUME_STILL_OURS_H

#include "common/volume/volume.h"

/*
 * ERROR_BUSY if a filesystem with its uuid is mounted, unless the options said that this is another copy. A device without files below it,
 * as in tests, is not mounted by anybody.
 */
bool volume_not_mounted(const struct volume *volume, struct error *err) must_use;

/*
 * Does it still belong to this process alone, and is it the same as when it was opened? Asked before the first write, before the
 * superblocks are marked, and before the first change in place. ERROR_BUSY if the device is no longer ours (device.h), the filesystem is
 * mounted, or a superblock copy read again from the device differs from what was last read or written.
 */
bool volume_still_ours(struct volume *volume, struct error *err) must_use;
/* For one that is open for reading: does another process convert it? As device_locked_by(). */
bool volume_locked_by(const struct volume *volume, pid_t *process) must_use;
/* For one that is open for reading: could all of it be opened for writing? As device_check_free(). */
bool volume_check_free(const struct volume *volume, struct error *err) must_use;
/* Once all copies are marked: gives up the lease of every device. */
void volume_share(struct volume *volume);

#endif /* COMMON_VOLUME_STILL_OURS_H */
