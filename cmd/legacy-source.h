/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How commands open a subvolume in the format of 2016: with what the options give, or with a key in the kernel's keyrings. */
#ifndef CMD_LEGACY_SOURCE_H
#define CMD_LEGACY_SOURCE_H

#include "common/legacy/legacy-key.h"
#include "common/legacy/legacy-reader.h"

struct legacy_ask {
	bool is_needed;			/* ERROR_KEY if there is none; with --kdf a passphrase is asked for at the terminal */
	bool no_keyring;
	const struct keyring *only;	/* this keyring, or not at all; NULL: any */
};
/* *key NULL: there is none. A given one may be wrong, one from a keyring is not. */
bool legacy_key_get(const struct legacy_named *named, const struct legacy_ask *ask, struct secret **key, struct error *err) must_use;

/* Why no key was found in the keyrings, or in that one. Always false. */
bool legacy_key_missing(const struct legacy_named *named, enum keyring_state state, struct error *err);

/*
 * A reader with that key; NULL: only what is plain can be read. ERROR_KEY if the key is wrong, ERROR_REFUSED if this version cannot decrypt
 * the subvolume. Notes what little, or what doubtful, vouches for the key.
 */
bool legacy_source_open(const struct legacy_named *named, const struct secret *key, struct legacy_reader **reader, struct extent_source **source,
			struct error *err) must_use;

#define LEGACY_KEY_REJECTED "Key was rejected by service"

#endif /* CMD_LEGACY_SOURCE_H */
