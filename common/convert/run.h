/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of the phases. */
#ifndef COMMON_CONVERT_RUN_H
#define COMMON_CONVERT_RUN_H

#include "common/convert/conversion.h"

bool conversion_run(struct conversion *c, struct error *err) must_use;	/* does whatever is left to do in c->direction */

#endif /* COMMON_CONVERT_RUN_H */
