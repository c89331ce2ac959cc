/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares where the members of all domains were sealed with the current subvolumes: numbers and places that others have taken, and
 * subvolumes that cannot be reached any more. Uses member items, without a key.
 */
#ifndef COMMON_SEALED_MEMBER_PLACES_H
#define COMMON_SEALED_MEMBER_PLACES_H

#include "common/sealed/lost-places.h"

struct member_place {
	uint16_t domain;
	uint64_t id;
	uint8_t uuid[UUID_SIZE];
	uint8_t *path;
	uint16_t path_len;
	bool path_cut;
};

/* Initialise with { 0 }. */
struct member_places {
	const struct subvolume_list *list;
	struct member_place *at;	/* by id, then domain */
	size_t n, n_room;
	uint32_t *by_path;		/* their indexes, sorted by path, then domain */
	uint32_t *above;		/* for each: the index of the nearest one above it in its domain; PATH_ABOVE_NONE: none */
	struct lost_places lost;
	uint64_t n_followed;	/* components of paths that were followed to find them */
};

/* Items that cannot be read do not count here. A list without a volume (of a mounted filesystem) has no places. */
bool member_places_read(const struct subvolume_list *list, struct member_places *places, struct error *err) must_use;
void member_places_free(struct member_places *places);
#define cleanup_member_places __attribute__((cleanup(member_places_free)))

enum place_doubt {
	PLACE_MOVED,	/* a member that is not where it was sealed */
	PLACE_NUMBER,	/* it has the number of a member that is gone, but is not that member */
	PLACE_TAKEN,	/* it is where another member was sealed, but is not that member */
	PLACE_CUT,	/* a member whose path is longer than the recorded part, and was compared only that far */
	PLACE_DOUBTS
};
struct place_finding {
	enum place_doubt doubt;
	const struct subvolume *subvolume;
	const struct member_place *place;	/* of the member concerned */
};
typedef bool place_tell(void *context, const struct place_finding *finding, const char *text, struct error *err);
/* Reports what there is to say about one subvolume. Snapshots made since have no place of their own. */
bool member_places_tell(const struct member_places *places, const struct subvolume *subvolume, place_tell *tell, void *context,
			struct error *err) must_use;

#endif /* COMMON_SEALED_MEMBER_PLACES_H */
