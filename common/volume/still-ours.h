/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A filesystem that is open for writing: does nobody else have it?  Between opening it and the first write may lie minutes, in which a
 * passphrase is typed.  What is durable at each moment at which this is asked: format/README.md, section 8.
 */
#ifndef COMMON_VOLUME_STILL_OURS_H
#define COMMON_VOLUME_STILL_OURS_H

#include "common/volume/volume.h"

/*
 * ERROR_BUSY where a filesystem of its uuid is mounted, unless the options said that this is another copy.  A device without files below it, as tests
 * have, is mounted by nobody.
 */
bool volume_not_mounted(const struct volume *volume, struct error *err) must_use;

/*
 * Does it still belong to this process alone, and is it what it was when it was opened?  Asked before the first write, before the superblocks are marked,
 * and before the first change in place.  ERROR_BUSY where the device is no longer ours (device.h), the filesystem is mounted, or a copy of the
 * superblock, read again from the device, is not the one that was read or written last.
 */
bool volume_still_ours(struct volume *volume, struct error *err) must_use;

#endif /* COMMON_VOLUME_STILL_OURS_H */
