/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cutting items out of the root tree leaves behind. */
#ifndef COMMON_CONVERT_ROOT_LEAKS_H
#define COMMON_CONVERT_ROOT_LEAKS_H

#include "common/volume/volume.h"

struct root_leak {
	uint64_t logical;
	uint8_t level;
};
struct root_leaks {	/* initialise with { 0 }; at is the caller's to free */
	struct root_leak *at;
	size_t n, room;
};

/* Blocks that belong to the root tree according to the extent tree, but that the root tree does not reach. */
bool root_leaks_find(struct volume *volume, struct root_leaks *leaks, struct error *err) must_use;

#endif /* COMMON_CONVERT_ROOT_LEAKS_H */
