/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What list, show and stat say about the key of something sealed: whether it is in a keyring of the kernel. */
#ifndef CMD_KEY_SHOWN_H
#define CMD_KEY_SHOWN_H

#include "cmd/row.h"
#include "common/crypto/keyring.h"

/*
 * Behind the key tag: " (594790215)", its serial number, or " (Key has been revoked)"; in JSON keyring_state, and keyring_serial or keyring_reason.
 * NULL: nothing. That this kernel has no keyrings is a note, once.
 */
void key_shown_put(const struct row *row, const struct keyring_found *key);

#endif /* CMD_KEY_SHOWN_H */
