/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much room an encryption takes, and whether it is there. */
#ifndef COMMON_CONVERT_PLAN_ROOM_H
#define COMMON_CONVERT_PLAN_ROOM_H

#include "common/convert/plan.h"

/* Is there enough room, leaving the kernel's reserve alone? ERROR_NO_SPACE with the numbers. */
bool plan_check_space(struct conversion *c, const struct encrypt_plan *plan, struct error *err) must_use;

/*
 * Is there room to record n_more damaged blocks beyond those in the tree? Here the kernel's reserve counts as room: damage must not leave a
 * conversion stuck between going on and going back.
 */
bool plan_check_bad_blocks(struct conversion *c, uint64_t n_more, struct error *err) must_use;

#endif /* COMMON_CONVERT_PLAN_ROOM_H */
