/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --progress and --progress-frequency, for commands that may run long. */
#ifndef CMD_PROGRESS_OPTIONS_H
#define CMD_PROGRESS_OPTIONS_H

#include <popt.h>
#include <stdbool.h>

#include "cmd/progress.h"
#include "format/error.h"

extern struct poptOption options_progress[];

/* On standard error, as the options say; also for unpacking a packed image. */
bool progress_choose(struct progress *progress, struct error *err) must_use;

#endif /* CMD_PROGRESS_OPTIONS_H */
