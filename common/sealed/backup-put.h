/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts what a header backup has back into the root tree. */
#ifndef COMMON_SEALED_BACKUP_PUT_H
#define COMMON_SEALED_BACKUP_PUT_H

#include "common/crypto/key-schedule.h"
#include "common/sealed/header-backup.h"
#include "common/tree/transaction.h"

/*
 * Afterwards slots, members, inode flags and bad blocks are those of the backup, no others, and both copies of the header have a place: they
 * follow with domain_write_header(), in the same transaction. Of slots that the backup lacks, those of the tree stay that fit the hashes in its
 * header. What is right already is not touched. header: gets slot_hash and items_mac. ERROR_CORRUPT: the tree around them cannot be read.
 */
bool header_backup_put(struct transaction *tx, struct volume *volume, const struct key_schedule *schedule, const struct header_backup *backup,
		       struct crypt_header *header, struct error *err) must_use;

#endif /* COMMON_SEALED_BACKUP_PUT_H */
