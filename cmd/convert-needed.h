/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert --if-needed: is there anything to do? */
#ifndef CMD_CONVERT_NEEDED_H
#define CMD_CONVERT_NEEDED_H

#include "common/convert/convert.h"

/*
 * With --encrypt not, if all of these are sealed already under the key that is given, or asked for: ERROR_KEY if it is another one; if only some of
 * them are, the conversion refuses it. With --decrypt not, if it is an ordinary subvolume. *plan names them then.
 */
bool convert_is_needed(struct volume *volume, const char *image, const char *const *names, bool *needed, struct convert_plan *plan,
		       struct error *err) must_use;

#endif /* CMD_CONVERT_NEEDED_H */
