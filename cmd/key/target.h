/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subvolume that a command about keys is about: sealed or, for some, in the format of 2016. */
#ifndef CMD_KEY_TARGET_H
#define CMD_KEY_TARGET_H

#include "common/legacy/legacy-key.h"
#include "common/sealed/domain.h"

struct key_target {		/* begins with { 0 } */
	struct volume *volume;
	struct subvolume_list list;
	const struct subvolume *subvolume;
	struct domain *domain;
	struct legacy legacy;	/* if domain is NULL */
};
/* operand: IMAGE SUBVOL. ERROR_REFUSED: it is not sealed. */
bool key_target_open(const char *const *operand, struct key_target *target, struct error *err) must_use;
/* The same, but it may also be in the format of 2016, and one that this version can decrypt. */
bool key_target_open_any(const char *const *operand, struct key_target *target, struct error *err) must_use;
bool key_target_open_to_change(const char *const *operand, struct key_target *target, struct error *err) must_use;	/* for writing */
static inline struct legacy_named key_target_named(const struct key_target *target)
{
	return (struct legacy_named){ target->volume, target->subvolume, &target->legacy };
}
void key_target_close(struct key_target *target);
/* After a change of IMAGE that failed: closes it and, if that is unfinished, hints at what goes on with it. Always false. */
bool key_target_leave(struct key_target *target, const char *image, struct error *err);
#define cleanup_key_target __attribute__((cleanup(key_target_close)))

/* Asks whether to go on, unless --batch-mode says so. ERROR_REFUSED: the answer is no, or nobody is there to be asked; nothing was changed yet. */
bool key_confirm(const char *question, struct error *err) must_use;

#endif /* CMD_KEY_TARGET_H */
