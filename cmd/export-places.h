/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an export takes, and where it goes. */
#ifndef CMD_EXPORT_PLACES_H
#define CMD_EXPORT_PLACES_H

#include "cmd/export-sources.h"
#include "common/fs/path.h"

struct export_places {
	struct export_place {
		struct file_id start;
		bool name_differs;	/* its path is not as it was sealed; that was accepted */
		char *prefix;	/* of its names in what is exported; "" for the top */
	} *at;
	size_t n, capacity;
};

/*
 * Each operand is SUBVOL or SUBVOL:PATH.  with_snapshots: the same place in every subvolume of its chain of snapshots too, where it is there;
 * where it is not, a note says so.  Opens the sources of all: a wrong key is to be known before anything is made.
 * Initialise with { 0 }, free also after a failure.
 */
bool export_places_take(const struct subvolume_list *list, struct export_sources *sources, const char *const *operand, bool with_snapshots,
			struct export_places *places, struct error *err) must_use;
void export_places_free(struct export_places *places);

#endif /* CMD_EXPORT_PLACES_H */
