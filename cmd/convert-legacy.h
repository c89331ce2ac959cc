/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert --decrypt for the format of 2016. */
#ifndef CMD_CONVERT_LEGACY_H
#define CMD_CONVERT_LEGACY_H

#include "cmd/convert-ui.h"
#include "common/crypto/key-source.h"

/* Is that subvolume encrypted by the patches of 2016 or 2017, in any of their layouts? */
bool convert_is_legacy(struct volume *volume, const char *name, bool *is, struct error *err) must_use;
/* key: what the options, a keyring or the terminal gave, for convert_continue() as well: its volume key is the 16 bytes. */
bool convert_legacy_decrypt(struct volume *volume, const char *const *names, struct key_source *key, const struct convert_ui *ui,
			    struct convert_plan *plan, struct error *err) must_use;
/* Of an unfinished decryption: no keyring is looked at, because nothing there tells any more which key is meant. */
bool convert_legacy_read_key(const char *image, bool is_needed, struct key_source *key, struct error *err) must_use;
/* Options of convert that mean nothing there: ERROR_USAGE. And those that mean something only there. */
bool convert_legacy_check_options(bool is_legacy, struct error *err) must_use;

#endif /* CMD_CONVERT_LEGACY_H */
