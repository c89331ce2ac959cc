/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbolic links that were exported. Nothing may follow under their names, or unpacking the archive would write to where they lead. */
#ifndef COMMON_EXPORT_LINKS_OUT_H
#define COMMON_EXPORT_LINKS_OUT_H

#include "common/util/set64.h"

struct links_out {
	struct set64 paths;	/* hashes: if two paths collide, an unusual image loses an entry, and this is reported */
};

bool links_out_add(struct links_out *links, const char *path, struct error *err) must_use;
/* Is path one of them? with_above: or a directory above it. */
bool links_out_has(const struct links_out *links, const char *path, bool with_above);
void links_out_free(struct links_out *links);

#endif /* COMMON_EXPORT_LINKS_OUT_H */
