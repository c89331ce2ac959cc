/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of `key`, and the options that only some of them have. */
#ifndef CMD_KEY_VERBS_H
#define CMD_KEY_VERBS_H

#include "common/crypto/keyring.h"

struct key_verb {
	const char *name, *summary;
	const char *options;		/* of those that not all verbs have: their letters in key.c */
	unsigned n_operands;		/* with IMAGE and SUBVOL */
	bool (*run)(const char *const *operand, struct error *err);	/* operand[0]: IMAGE */
};
extern const struct key_verb key_verb_add, key_verb_change, key_verb_remove, key_verb_label, key_verb_recovery;
extern const struct key_verb key_verb_list, key_verb_in, key_verb_out, key_verb_status, key_verb_export_volume_key, key_verb_backup, key_verb_restore;

struct key_options {
	const struct keyring *keyring;	/* --keyring; NULL: not given */
	uint32_t timeout;		/* --timeout, seconds; 0: none */
	int slot;			/* --key-slot; KEY_SLOT_ANY: not given */
	int new_slot;			/* --new-key-slot, the same */
	const char *label;		/* --label; NULL: not given */
	bool forget, batch, force, no_slots, wipe_free;	/* --forget, --batch-mode, --force, --no-slots, --wipe-free */
};
extern struct key_options key_options;	/* as given; valid while a verb runs */

#endif /* CMD_KEY_VERBS_H */
