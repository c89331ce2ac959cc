/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ran, when, and on which images: for a report that is kept as evidence. */
#ifndef CMD_REPORT_LINES_H
#define CMD_REPORT_LINES_H

#include <stdio.h>
#include <time.h>

#include "cmd/export-report.h"
#include "common/volume/volume.h"

/*
 * For the report and the manifest, if one is wanted: size and hash of each file or device, with whatever else it holds, and in the report
 * the partition that was read. with_hash false: nothing is read. If a hash cannot be computed, this fails for the manifest; the report
 * says why.
 */
bool report_images(struct export_report *report, const char *path, bool with_hash, struct error *err) must_use;

/*
 * One line: tool, version and command line (which never has a secret), begin and end, the image and where the filesystem begins in it, fsid and label.
 * volume NULL: it could not be opened.
 */
void report_run_print(const char *image, const struct volume *volume, time_t begin, FILE *out);

#endif /* CMD_REPORT_LINES_H */
