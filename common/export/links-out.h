/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbolic links that were exported: nothing may follow under their names, or what unpacks an archive writes where they lead. */
#ifndef COMMON_EXPORT_LINKS_OUT_H
#define COMMON_EXPORT_LINKS_OUT_H

#include "common/util/set64.h"

struct links_out {
	struct set64 paths;	/* hashes: two paths of one hash only make somebody's odd image lose an entry, and that is told */
};

bool links_out_add(struct links_out *links, const char *path, struct error *err) must_use;
/* Is path one of them?  with_above: or a directory that it is in. */
bool links_out_has(const struct links_out *links, const char *path, bool with_above);
void links_out_free(struct links_out *links);

#endif /* COMMON_EXPORT_LINKS_OUT_H */
