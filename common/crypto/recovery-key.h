/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recovery key in writing: 20 random bytes as eight groups of five characters, "7KQX2-...", the last of each being a check character.
 * format/README.md, "Recovery keys".
 */
#ifndef COMMON_CRYPTO_RECOVERY_KEY_H
#define COMMON_CRYPTO_RECOVERY_KEY_H

#include "common/crypto/secret.h"
#include "format/crypt.h"

#define RECOVERY_GROUPS		8u
#define RECOVERY_GROUP_CHARS	5u
#define RECOVERY_TEXT_LEN	(RECOVERY_GROUPS * (RECOVERY_GROUP_CHARS + 1) - 1)	/* with a hyphen between groups */

/* key: CRYPT_RECOVERY_SIZE bytes. *text: RECOVERY_TEXT_LEN bytes, without a NUL; the caller's. */
bool recovery_key_text(const struct secret *key, struct secret **text, struct error *err) must_use;

/*
 * Is the text a recovery key? Blanks, hyphens and case do not matter; O is 0, I and L are 1. *key: the caller's; NULL if it is none. A text
 * in which most groups are right but some are mistyped is ERROR_KEY, which names them: hardly any passphrase looks like that.
 */
bool recovery_key_read(const struct secret *text, struct secret **key, struct error *err) must_use;

#endif /* COMMON_CRYPTO_RECOVERY_KEY_H */
