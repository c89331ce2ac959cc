/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds file data that should have a checksum in the csum tree, but have none: a kernel refuses to read them. */
#ifndef COMMON_SEALED_CSUM_ABSENT_H
#define COMMON_SEALED_CSUM_ABSENT_H

#include "common/sealed/extent-part.h"

/*
 * Called for each part of a file whose inode says it has checksums, if sectors it refers to have none, in the order of the leaves, adjacent
 * parts merged. Preallocated data, parts of an extent that no file refers to, and inodes with NODATASUM need none.
 * over: parts of files or of the csum tree that cannot be read are skipped, because they are reported elsewhere. Otherwise they are an
 * error.
 */
typedef bool csum_absent_visit(void *context, const struct tree *subvolume, uint64_t inode, const struct extent_part *part, uint64_t logical,
			       struct error *err);
bool csum_absent(const struct scan *scan, bool over, csum_absent_visit *visit, void *context, struct error *err) must_use;

#endif /* COMMON_SEALED_CSUM_ABSENT_H */
