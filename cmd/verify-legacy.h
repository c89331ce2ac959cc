/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify of a subvolume in the format of 2016: reads every file. */
#ifndef CMD_VERIFY_LEGACY_H
#define CMD_VERIFY_LEGACY_H

#include "common/legacy/legacy-key.h"

/* Names what cannot be read, does not match its checksum, or is encrypted for another file. ERROR_CORRUPT if there is any. */
bool verify_legacy(const struct legacy_named *named, struct error *err) must_use;

#endif /* CMD_VERIFY_LEGACY_H */
