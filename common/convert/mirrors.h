/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The members' tree blocks on every mirror. */
#ifndef COMMON_CONVERT_MIRRORS_H
#define COMMON_CONVERT_MIRRORS_H

#include "common/convert/conversion.h"

/*
 * Checks that the members' tree blocks are right on every mirror, and makes the mirrors equal. Called before anything is removed
 * that could tell a wrong one. ERROR_CORRUPT if they are not right, or if two valid mirrors differ and nothing tells which is right: then
 * nothing is chosen.
 */
bool mirrors_check(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_MIRRORS_H */
