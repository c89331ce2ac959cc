/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase FINISH. */
#ifndef COMMON_CONVERT_FINISH_H
#define COMMON_CONVERT_FINISH_H

#include "common/convert/conversion.h"

bool finish_run(struct conversion *c, struct error *err) must_use;	/* reads back, wipes, clears */
bool finish_tell(const struct conversion *c, struct error *err) must_use;	/* afterwards: false if all is converted but something is damaged */

#endif /* COMMON_CONVERT_FINISH_H */
