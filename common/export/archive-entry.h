/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an archive says about a file besides its bytes. */
#ifndef COMMON_EXPORT_ARCHIVE_ENTRY_H
#define COMMON_EXPORT_ARCHIVE_ENTRY_H

#include "common/export/out.h"

struct archive_entry;

struct archive_target {
	struct out *out;		/* is told what the format cannot keep */
	enum out_format format;
	struct archive_entry *entry;
};

/* Fills in the entry; what it had before is cleared. */
void archive_entry_describe(const struct archive_target *to, const struct out_entry *from);

#endif /* COMMON_EXPORT_ARCHIVE_ENTRY_H */
