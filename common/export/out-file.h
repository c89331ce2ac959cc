/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that appears whole or not at all, or standard output, or a pipe. */
#ifndef COMMON_EXPORT_OUT_FILE_H
#define COMMON_EXPORT_OUT_FILE_H

#include "format/error.h"

/* Initialise with { .fd = -1 }; out_file_close() it also after a failure. */
struct out_file {
	int fd;
	char *path;		/* NULL: standard output, or something that was there */
	bool finished;
	char *temporary;	/* its name until it is finished, where the filesystem wants one */
};

/* "-": standard output.  A regular file, a disk or a directory that is there already: ERROR_REFUSED. */
bool out_file_open(struct out_file *file, const char *path, struct error *err) must_use;
/* Everything was written: gives it its name and closes it. */
bool out_file_finish(struct out_file *file, struct error *err) must_use;
/* Takes away what was not finished. */
void out_file_close(struct out_file *file);

#endif /* COMMON_EXPORT_OUT_FILE_H */
