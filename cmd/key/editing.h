/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key slots of a sealed subvolume while a verb changes them: opened, edited in memory, committed as one change, told of. */
#ifndef CMD_KEY_EDITING_H
#define CMD_KEY_EDITING_H

#include "cmd/key/domain-key.h"
#include "cmd/key/target.h"

struct editing {
	const char *image;
	struct key_target target;
	char path[DOMAIN_KEY_WHAT_SIZE];
	struct disk_crypt_slot slots[CRYPT_SLOTS_MAX];	/* as they will be, by ascending number */
	size_t n;
	uint32_t faults;		/* bit n: something is wrong with slot n, and stays as it is */
	struct secret *volume_key;
	struct key_source key;		/* what opened it; for remove and label */
};

void editing_close(struct editing *e);
#define cleanup_editing __attribute__((cleanup(editing_close)))

/* operand: IMAGE and SUBVOL. ERROR_NOT_FOUND: the slot of --key-slot is not in use. */
bool editing_open(const char *const *operand, struct editing *e, struct error *err) must_use;
enum editing_ask {
	EDITING_CHOSEN_SLOT = 0,	/* the slot of --key-slot has to open */
	EDITING_ANY_SLOT = 1 << 0,	/* --key-slot says which slot is meant, but another one may open */
	EDITING_KEEP_KEY = 1 << 1,	/* e->key gets what opened it */
};
/* ask: of enum editing_ask. */
bool editing_open_key(struct editing *e, unsigned ask, struct error *err) must_use;
/* Fills slots and faults. What is wrong shows for certain once a key has authenticated the header; editing_open_key() calls it. */
void editing_take_slots(struct editing *e);

/* The slot that is meant: --key-slot, or the one that the key opened. *i: where it is among e->slots, if nothing is wrong with it. */
bool editing_choose(const struct editing *e, unsigned *number, size_t *i, struct error *err) must_use;
/* The number for a new slot: --new-key-slot, or the first free one. */
bool editing_free_number(const struct editing *e, unsigned *number, struct error *err) must_use;
bool editing_is_fault(const struct editing *e, unsigned number);
/* One that can be read, as it is in the image. */
const struct crypt_slot *editing_slot(const struct editing *e, unsigned number);

/* The new secret of the options, or asked for, wrapped. label NULL: none. */
bool editing_make_slot(struct editing *e, unsigned number, const char *label, struct disk_crypt_slot *slot, struct error *err) must_use;
/* In place of what was there, if anything was. */
void editing_put(struct editing *e, const struct disk_crypt_slot *slot);
/* Writes them. wipe: a slot goes. */
bool editing_commit(struct editing *e, bool wipe, struct error *err) must_use;

/* "key slot 1 of vault added (passphrase)". type: of the slot; NULL: it was damaged. */
bool editing_tell(const struct editing *e, const char *verb, const char *done, unsigned number, const char *type, struct error *err) must_use;
bool editing_tell_slot(const struct editing *e, const char *verb, const char *done, const struct disk_crypt_slot *slot, struct error *err) must_use;

#endif /* CMD_KEY_EDITING_H */
