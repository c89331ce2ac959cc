/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --header: a header backup in place of a header in the image that is damaged. */
#ifndef CMD_HEADER_OPTION_H
#define CMD_HEADER_OPTION_H

#include <popt.h>

#include "common/sealed/header-backup.h"

extern struct poptOption options_header[];	/* for the tables of commands that open what is sealed */

bool header_option_given(void);
/* Reads a file as a header backup. The error names the file. */
bool header_backup_open(const char *path, struct header_backup **backup, struct error *err) must_use;
/* If the option was given, the volume gets that backup, which lives as long as the program. */
bool header_option_use(struct volume *volume, struct error *err) must_use;

#endif /* CMD_HEADER_OPTION_H */
