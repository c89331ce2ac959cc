/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks that the files a command makes are neither each other nor what it reads. */
#ifndef CMD_OUTPUT_NAMES_H
#define CMD_OUTPUT_NAMES_H

#include "format/error.h"

/*
 * ERROR_USAGE if two of output, report and manifest (NULL: none) are the same file; ERROR_REFUSED if one is the image or a further device
 * of it.
 */
bool output_names_check(const char *output, const char *report, const char *manifest, const char *image, struct error *err) must_use;

#endif /* CMD_OUTPUT_NAMES_H */
