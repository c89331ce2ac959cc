/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For canonical_open(): of no extent and of no payload there are units. */
#ifndef TESTS_UNIT_NO_UNITS_H
#define TESTS_UNIT_NO_UNITS_H

#include "common/sealed/canonical-item.h"

static bool no_extent(void *context, const struct key *key, const struct file_extent *extent, unit_visit *visit, void *visit_context,
		      bool *found, struct error *err)
{
	(void)context, (void)key, (void)extent, (void)visit, (void)visit_context, (void)err;
	*found = false;
	return true;
}

static bool no_payload(void *context, const struct inline_payload *payload, struct crypt_inline_unit *unit, bool *found, struct error *err)
{
	(void)context, (void)payload, (void)unit, (void)err;
	*found = false;
	return true;
}

#endif /* TESTS_UNIT_NO_UNITS_H */
