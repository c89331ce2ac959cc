/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people may ask for, once something is unfinished. */
#ifndef COMMON_CONVERT_GOAL_H
#define COMMON_CONVERT_GOAL_H

#include "common/convert/convert.h"

/* May an operation that stands there be finished, or undone, as they ask? Otherwise ERROR_REFUSED. Not for changes of key slots. */
bool convert_goal_fits(const struct crypt_state_tail *at, enum convert_goal goal, struct error *err) must_use;

#endif /* COMMON_CONVERT_GOAL_H */
