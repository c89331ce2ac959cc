/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is this what was sealed with these units? Only a tag can tell. */
#ifndef COMMON_SEALED_UNIT_CONFIRM_H
#define COMMON_SEALED_UNIT_CONFIRM_H

#include "common/sealed/unit-map.h"

enum effort {
	EFFORT_FIRST,		/* the first blocks of the extent */
	EFFORT_SPREAD,		/* blocks all over it */
	EFFORT_EVERY,		/* block after block */
};

struct unit_trial {
	const struct key_schedule *schedule;
	uint64_t boundary;	/* as for unit_map_join() */
	enum effort effort;
};

/*
 * Does one of the blocks at this address, of an extent as long as the group's, have its tag on some mirror? Needs of the map only what
 * unit_map_visit() needs.
 */
bool unit_group_confirm(const struct unit_map *map, const struct unit_group *group, const struct unit_trial *trial, uint64_t address,
			bool *confirmed, struct error *err) must_use;

#endif /* COMMON_SEALED_UNIT_CONFIRM_H */
