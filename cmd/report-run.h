/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ran, when, and on what: for a report that is kept as evidence. */
#ifndef CMD_REPORT_RUN_H
#define CMD_REPORT_RUN_H

#include <stdio.h>
#include <time.h>

#include "common/volume/volume.h"

/*
 * One line: tool, version and command line (which never has a secret), begin and end, the image and where the filesystem begins in it, fsid and label.
 * volume NULL: it could not be opened.
 */
void report_run_print(const char *image, const struct volume *volume, time_t begin, FILE *out);

#endif /* CMD_REPORT_RUN_H */
