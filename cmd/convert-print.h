/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `convert` prints for people and machines: plan, summary, status, progress. */
#ifndef CMD_CONVERT_PRINT_H
#define CMD_CONVERT_PRINT_H

#include "cmd/progress.h"
#include "common/convert/convert.h"

/* what: "sealed", "unsealed", "would be sealed", ... Goes to standard error if standard output cannot be written. */
void convert_print_plan(const char *what, const struct convert_plan *plan, bool planned_only);

/* Includes the way out of an unfinished conversion. image: the operand. */
/* members: the subvolumes that it is about, as far as is known; n may be 0. */
void convert_print_status(const char *image, const struct convert_status *status, const struct convert_plan *members);

/* A note, and a record in JSON. */
void convert_print_bad_block(const struct convert_bad_block *block);

void convert_print_progress(struct progress *progress, const struct convert_progress *at);

#endif /* CMD_CONVERT_PRINT_H */
