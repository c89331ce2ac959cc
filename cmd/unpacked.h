/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images that must be unpacked before they can be read. */
#ifndef CMD_UNPACKED_H
#define CMD_UNPACKED_H

#include "cmd/progress.h"
#include "common/device/device.h"

/*
 * The device to be read where the one at path is packed, is to be because a member is named, or was unpacked already; else the same.  Takes the device, also
 * when it fails.  *path, where it is another from then on, stays valid.
 */
bool unpacked_open(const char **path, const char *member, struct device *packed, struct device **device, struct error *err) must_use;

/* The name in its archive of what was unpacked to this path; NULL: it was in none, or nothing was unpacked to it. */
const char *unpacked_member(const char *at);

/* How the unpacking to come is shown, for commands that have options for that; else a bar on a terminal. */
void unpacked_progress(enum progress_mode mode, double every);

/* What is to be changed must be unpacked: ERROR_REFUSED.  False where it need not be. */
bool is_packed(struct device *device, struct error *err);

#endif /* CMD_UNPACKED_H */
