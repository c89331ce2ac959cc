/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the leaves of the members hold. */
#ifndef COMMON_CONVERT_SURVEY_H
#define COMMON_CONVERT_SURVEY_H

#include "common/sealed/scan.h"
#include "format/crypt.h"

struct survey {
	uint64_t n_inline_units;
	uint64_t n_index_most;	/* upper limit of index entries */
	struct crypt_inode_flags *flags;
	size_t n_flags;
};
bool survey_run(const struct scan *scan, struct survey *survey, struct error *err) must_use;

#endif /* COMMON_CONVERT_SURVEY_H */
