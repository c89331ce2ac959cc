/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading an image during an unfinished conversion. Nothing is ever written. */
#ifndef COMMON_CONVERT_LOOK_H
#define COMMON_CONVERT_LOOK_H

#include "common/convert/convert.h"
#include "common/fs/source.h"

/*
 * Lays the last records over the trees of the volume, in memory, so that every subvolume that is not being converted reads correctly. No
 * key vouches for the records, so each block is checked like any other. ERROR_UNFINISHED if they cannot be read; the volume is then as it
 * is on disk.
 */
bool convert_replay_in_memory(struct volume *volume, struct error *err) must_use;

/*
 * Opens the subvolumes that are being converted, with the key. State, records and members are checked as a resume checks them
 * (ERROR_STATE). Then each block is completed by its tag in memory. Nobody may hold blocks of the volume. After a failure the volume is as
 * after convert_replay_in_memory().
 */
struct convert_look;
bool convert_look_open(struct volume *volume, const struct key_source *key, bool accept_unsealed, struct convert_look **look,
		       struct extent_source **source, struct error *err) must_use;
/*
 * Does the conversion vouch for what the subvolumes hold? Not if it is a decryption that was begun with changes or unsealed data accepted:
 * what it found then is not what was sealed. In that case reading data without a unit is ERROR_CORRUPT, unless accepted.
 */
bool convert_look_vouches(const struct convert_look *look);
void convert_look_close(struct convert_look *look);	/* NULL is fine */

#endif /* COMMON_CONVERT_LOOK_H */
