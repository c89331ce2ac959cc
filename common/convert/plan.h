/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an encryption would do: which subvolumes, what they hold, what room it takes. */
#ifndef COMMON_CONVERT_PLAN_H
#define COMMON_CONVERT_PLAN_H

#include "common/convert/conversion.h"

struct encrypt_plan {
	uint64_t *ids;		/* ascending */
	size_t n_ids;
	struct survey survey;
};
void encrypt_plan_free(struct encrypt_plan *plan);

/*
 * Resolves names, widens the set as asked, refuses what cannot be converted; fills c->scan, c->flags and c->list's members, and the numbers
 * of c->plan that need no allocator.
 */
bool plan_members(struct conversion *c, const char *const *names, const struct convert_encrypt_options *options,
		  struct encrypt_plan *plan, struct error *err) must_use;

/* "path (id N)" of a subvolume for people; the caller's buffer. */
const char *subvolume_name(const struct subvolume_list *list, uint64_t id, char name[160]);

/*
 * Tree blocks that the crypt items of this plan take, with what the extent and free space trees need to count them.  As many bad-block items as
 * there can be are among them where damage is carried over: nobody knows before how much there is.
 */
uint64_t plan_blocks_needed(const struct conversion *c, const struct encrypt_plan *plan);

/* Is there room, the kernel's reserve left alone?  ERROR_NO_SPACE with the numbers. */
bool plan_check_space(struct conversion *c, const struct encrypt_plan *plan, struct error *err) must_use;

/*
 * Is there room to note so many damaged blocks more than the tree has?  Here the kernel's reserve counts as room: what is damaged is not to be a
 * reason that a conversion can neither go on nor back.
 */
bool plan_check_bad_blocks(struct conversion *c, uint64_t n_more, struct error *err) must_use;

/* c->plan from what c->scan holds: for reports of conversions that were planned earlier. */
bool plan_fill(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_PLAN_H */
