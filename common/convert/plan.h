/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an encryption would do: which subvolumes, what they hold, how much room it takes. */
#ifndef COMMON_CONVERT_PLAN_H
#define COMMON_CONVERT_PLAN_H

#include "common/convert/conversion.h"
#include "common/convert/survey.h"

struct encrypt_plan {
	uint64_t *ids;		/* ascending */
	size_t n_ids;
	struct survey survey;
};
void encrypt_plan_free(struct encrypt_plan *plan);

/*
 * Resolves names, widens the set as asked, and refuses what cannot be converted. Fills c->scan, c->flags, the members in c->list, and the
 * numbers of c->plan that need no allocator.
 */
bool plan_members(struct conversion *c, const char *const *names, const struct convert_encrypt_options *options,
		  struct encrypt_plan *plan, struct error *err) must_use;

/*
 * The tree blocks that the crypt items of this plan take, with what the extent and free space trees need to count them. If damage is
 * carried over, this includes as many bad-block items as there can be, because nobody knows beforehand how much damage there is.
 */
uint64_t plan_blocks_needed(const struct conversion *c, const struct encrypt_plan *plan);

/* Is there enough room, leaving the kernel's reserve alone? ERROR_NO_SPACE with the numbers. */
bool plan_check_space(struct conversion *c, const struct encrypt_plan *plan, struct error *err) must_use;

/*
 * Is there room to record n_more damaged blocks beyond those in the tree? Here the kernel's reserve counts as room: damage must not leave a
 * conversion stuck between going on and going back.
 */
bool plan_check_bad_blocks(struct conversion *c, uint64_t n_more, struct error *err) must_use;

/* Fills c->plan from c->scan, for reports of conversions that were planned earlier. */
bool plan_fill(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_PLAN_H */
