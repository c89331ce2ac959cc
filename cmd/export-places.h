/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an export takes, and where it goes. */
#ifndef CMD_EXPORT_PLACES_H
#define CMD_EXPORT_PLACES_H

#include "cmd/export-sources.h"
#include "common/fs/path.h"

struct export_places {
	struct export_place {
		struct file_id start;
		bool name_differs;	/* its path is not as it was sealed, which was accepted */
		char *prefix;	/* prefix of its names in the export; "" for the top */
		bool is_nowhere;	/* its subvolume has no path, so it is in no other place */
		bool is_within;		/* another place has it */
		bool is_reached;	/* it was met there */
	} *at;
	size_t n, n_within, capacity;
};

/*
 * Each operand is SUBVOL or SUBVOL:PATH. with_snapshots: also the same place in every subvolume of its chain of snapshots that has it; a
 * note names the others. Opens the sources of all of them, so that a wrong key is noticed before anything is made. What was named twice is
 * taken once; what is inside another one, through nested subvolumes only if recursive or if it is such a subvolume, is_within. Initialise
 * with { 0 }. Free also after a failure.
 */
bool export_places_take(const struct subvolume_list *list, struct export_sources *sources, const char *const *operand, bool with_snapshots,
			bool recursive, struct export_places *places, struct error *err) must_use;
/* Is it a subvolume that is exported where another place meets it? */
bool export_places_enters(const struct export_places *places, uint64_t subvolume);
/*
 * Notes that an entry was met in the place with that prefix. It is a place of its own only under that place's path: another name of the same
 * inode is not what was named.
 */
void export_places_meet(const struct export_places *places, const char *prefix, const struct walk_entry *entry);
/* After all that are in no other one: what should have been met and was not, the outer ones first, as others may be met in them. NULL: none. */
const struct export_place *export_places_next_unmet(const struct export_places *places);
void export_places_free(struct export_places *places);

#endif /* CMD_EXPORT_PLACES_H */
