/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that appears complete or not at all; or standard output, or a pipe. */
#ifndef COMMON_EXPORT_OUT_FILE_H
#define COMMON_EXPORT_OUT_FILE_H

#include "format/error.h"

/* Initialise with { .fd = -1 }. Call out_file_close() also after a failure. */
struct out_file {
	int fd;
	char *path;		/* NULL: standard output, or something that existed */
	bool finished;
	char *temporary;	/* its name until it is finished, if the filesystem needs one */
};

/* "-": standard output. ERROR_REFUSED if a regular file, a disk or a directory of this name exists. */
bool out_file_open(struct out_file *file, const char *path, struct error *err) must_use;
/* Everything was written: gives the file its name and closes it. */
bool out_file_finish(struct out_file *file, struct error *err) must_use;
/* From errno, with a hint if the directory is missing. Always false. */
bool out_file_not_made(const char *path, struct error *err);
/* Removes an unfinished file. */
void out_file_close(struct out_file *file);

#endif /* COMMON_EXPORT_OUT_FILE_H */
