/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The images that were read, each as a whole: for evidence. */
#ifndef CMD_REPORT_IMAGE_H
#define CMD_REPORT_IMAGE_H

#include "cmd/export-report.h"

/*
 * For the report and the manifest, if one is wanted: size and hash of each file or device, with whatever else it holds, and in the report
 * the partition that was read. with_hash false: nothing is read. If a hash cannot be computed, this fails for the manifest; the report
 * says why.
 */
bool report_images(struct export_report *report, const char *path, bool with_hash, struct error *err) must_use;

#endif /* CMD_REPORT_IMAGE_H */
