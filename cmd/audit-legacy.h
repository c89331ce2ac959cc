/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit of a subvolume in the format of 2016: what can be read of it without any key. */
#ifndef CMD_AUDIT_LEGACY_H
#define CMD_AUDIT_LEGACY_H

#include "common/legacy/legacy.h"

/* output: a directory for what was recovered; NULL: nothing is written. */
bool audit_legacy(const struct subvolume_list *list, const struct subvolume *subvolume, const struct legacy *legacy, const char *output,
		  struct error *err) must_use;

#endif /* CMD_AUDIT_LEGACY_H */
