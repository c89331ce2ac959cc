/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The times of an archive entry, as far as its format has them. */
#ifndef COMMON_EXPORT_ARCHIVE_TIMES_H
#define COMMON_EXPORT_ARCHIVE_TIMES_H

#include "common/export/out.h"

struct archive_times {
	struct inode_time mtime, atime, ctime, otime;	/* as libarchive wants them */
	enum out_loss loss;	/* OUT_LOSSES: none */
};

struct archive_times archive_times(enum out_format format, const struct inode *inode);

#endif /* COMMON_EXPORT_ARCHIVE_TIMES_H */
