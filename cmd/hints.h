/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hint of an error, complete, before the error is printed or written to a report. */
#ifndef CMD_HINTS_H
#define CMD_HINTS_H

#include "format/error.h"

/* For an error of the running command about the image. What has a hint keeps it, so a second call changes nothing. */
void hints_complete(const char *image, struct error *err);
/* For an error on the command line: where help is. */
void hint_help(struct error *err);

#endif /* CMD_HINTS_H */
