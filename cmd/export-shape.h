/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an export makes, and that no file it makes is another one, or what is read. */
#ifndef CMD_EXPORT_SHAPE_H
#define CMD_EXPORT_SHAPE_H

#include "common/export/out.h"
#include "format/error.h"

/* As given on the command line; NULL if an option was not given. */
struct export_shape_options {
	const char *output, *archive, *compress;
};

struct export_shape {
	bool is_directory;
	enum out_format format;
	enum out_compression compression;
};

/* ERROR_USAGE if the options contradict each other or the name, ERROR_REFUSED for an archive to a terminal. */
bool export_shape_choose(const struct export_shape_options *opt, struct export_shape *shape, struct error *err) must_use;

/*
 * ERROR_USAGE if two of output, report and manifest (NULL: none) are the same file; ERROR_REFUSED if one is the image or a further device
 * of it.
 */
bool output_names_check(const char *output, const char *report, const char *manifest, const char *image, struct error *err) must_use;

#endif /* CMD_EXPORT_SHAPE_H */
