/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sealed subvolume that a command about keys is about. */
#ifndef CMD_KEY_TARGET_H
#define CMD_KEY_TARGET_H

#include "common/sealed/domain.h"

struct key_target {		/* begins with { 0 } */
	struct volume *volume;
	struct subvolume_list list;
	const struct subvolume *subvolume;
	struct domain *domain;
};
/* operand: IMAGE SUBVOL. ERROR_REFUSED: it is not sealed. */
bool key_target_open(const char *const *operand, struct key_target *target, struct error *err) must_use;
bool key_target_open_to_change(const char *const *operand, struct key_target *target, struct error *err) must_use;	/* for writing */
void key_target_close(struct key_target *target);
#define cleanup_key_target __attribute__((cleanup(key_target_close)))

/* Asks whether to go on, unless --batch-mode says so. ERROR_REFUSED: the answer is no, or nobody is there to be asked; nothing was changed yet. */
bool key_confirm(const char *question, struct error *err) must_use;

#endif /* CMD_KEY_TARGET_H */
