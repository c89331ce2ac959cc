/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an export makes: a directory, or an archive with its format and compression. */
#ifndef CMD_EXPORT_SHAPE_H
#define CMD_EXPORT_SHAPE_H

#include "common/export/out.h"

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

#endif /* CMD_EXPORT_SHAPE_H */
