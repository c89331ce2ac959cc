/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of key slots on a disk in memory. All that goes wrong in the harness itself ends it. */
#ifndef TESTS_CRASH_KEY_RUN_H
#define TESTS_CRASH_KEY_RUN_H

#include "common/convert/key-change.h"
#include "common/sealed/header-backup.h"
#include "tests/crash/run.h"

struct slots {
	struct disk_crypt_slot at[CRYPT_SLOTS_MAX];
	size_t n;
	uint32_t kept;		/* of a change: numbers under which nothing is changed */
};

/* The disk, also if something is unfinished. */
struct volume *key_run_open(struct disk *disk);
/* A slot for this secret in the sealing of the disk, by the cheapest KDF there is. A recovery key needs none. */
struct disk_crypt_slot key_run_slot(struct disk *disk, const struct keys *keys, const struct secret *secret, enum crypt_slot_type type, unsigned number);
/* Opened by the volume key; the slots are those afterwards. ui may be NULL. */
bool key_run_change(struct disk *disk, const struct keys *keys, const struct slots *slots, bool wipe, const struct convert_ui *ui, struct error *err);
/* A header backup of it, freed by header_backup_free(); and restoring that, which wipes. */
struct header_backup *key_run_backup(struct disk *disk, bool no_slots);
bool key_run_restore(struct disk *disk, const struct keys *keys, const struct header_backup *backup, struct error *err);
/* Those in the root tree. */
void key_run_slots(struct disk *disk, struct slots *slots);
bool slots_same(const struct slots *a, const struct slots *b);

/* Is salt, commitment or wrapped key of the slot, what an attacker would guess against, anywhere on the disk? */
bool disk_has_slot(const struct disk *disk, const struct disk_crypt_slot *slot);

#endif /* TESTS_CRASH_KEY_RUN_H */
