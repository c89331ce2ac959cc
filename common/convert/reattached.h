/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device that comes back after a conversion has gone on without it. */
#ifndef COMMON_CONVERT_REATTACHED_H
#define COMMON_CONVERT_REATTACHED_H

#include "common/volume/volume.h"
#include "format/crypt.h"

/*
 * ERROR_STATE: some devices are not marked, and some copy of the record that the state names is gone. The state is written only when the record is on
 * every mirror, and before anything else is changed it is on all devices. So it was not a power cut that left this: the state is on a device that was
 * missing while the others went on to the end. volume_devices_complete() sees this where the state had come to the primary superblocks.
 */
bool reattached_check(struct volume *volume, const struct crypt_state_tail *state, struct error *err) must_use;

#endif /* COMMON_CONVERT_REATTACHED_H */
