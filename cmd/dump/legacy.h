/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What dump-tree knows of the tree that it prints, if that is a subvolume in the format of 2016: without it, numbers cannot be named. */
#ifndef CMD_DUMP_LEGACY_H
#define CMD_DUMP_LEGACY_H

#include "common/legacy/legacy-key.h"

struct dump_legacy;
/* key NULL: no IV is decrypted. Both are borrowed. */
bool dump_legacy_new(struct volume *volume, const struct secret *key, struct dump_legacy **legacy, struct error *err) must_use;
void dump_legacy_free(struct dump_legacy *legacy);	/* NULL is fine */

/* The tree that items are of from now on. What cannot be read of it counts as nothing. Warns, once, if the key is not that of the subvolume. */
void dump_legacy_choose(struct dump_legacy *legacy, uint64_t tree);

/* legacy NULL: false. The flags are those of the inode item in the tree that was chosen. */
bool dump_legacy_is_encrypted(struct dump_legacy *legacy, uint64_t inode, const struct file_extent *e);
/* False: there is no key for it. */
bool dump_legacy_iv(struct dump_legacy *legacy, const uint8_t disk_iv[LEGACY_IV_SIZE], uint8_t iv[LEGACY_IV_SIZE]);

#endif /* CMD_DUMP_LEGACY_H */
