/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of a subvolume in the format of 2016: an extent source that decides for each extent whether it is encrypted. */
#ifndef COMMON_LEGACY_LEGACY_READER_H
#define COMMON_LEGACY_LEGACY_READER_H

#include "common/crypto/secret.h"
#include "common/fs/source.h"
#include "common/legacy/legacy.h"

/*
 * key NULL: only what is plain can be read, the rest is ERROR_KEY. The key is not needed any more afterwards. Nothing authenticates what was
 * decrypted. What is surely or perhaps encrypted with the IV of another file is reported to the volume as doubtful.
 */
struct legacy_reader;
bool legacy_reader_open(const struct legacy *legacy, const struct secret *key, struct legacy_reader **reader, struct extent_source **source,
			struct error *err) must_use;
void legacy_reader_close(struct legacy_reader *reader);		/* NULL is fine */
bool legacy_reader_has_key(const struct legacy_reader *reader);	/* false also for NULL */

#endif /* COMMON_LEGACY_LEGACY_READER_H */
