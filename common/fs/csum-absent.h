/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data of files for which the csum tree has no checksum and should have: a kernel refuses to read them. */
#ifndef COMMON_FS_CSUM_ABSENT_H
#define COMMON_FS_CSUM_ABSENT_H

#include "common/fs/extent-part.h"

/*
 * Each part of a file whose inode says that it has checksums, where sectors that it refers to have none; in the order of the leaves, parts that
 * follow each other as one.  Without any may be: what is preallocated, parts of an extent that no file refers to, inodes with NODATASUM.
 * over: what cannot be read, of the files or of the csum tree, is passed by, for those to whom it is told elsewhere; else it is an error.
 */
typedef bool csum_absent_visit(void *context, const struct tree *subvolume, uint64_t inode, const struct extent_part *part, uint64_t logical,
			       struct error *err);
bool csum_absent(const struct scan *scan, bool over, csum_absent_visit *visit, void *context, struct error *err) must_use;

#endif /* COMMON_FS_CSUM_ABSENT_H */
