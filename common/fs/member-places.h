/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the members of all domains were when they were sealed, beside the subvolumes that are there now: numbers and places that others have taken,
 * and sealed subvolumes that cannot be reached any more.  From member items, without a key.
 */
#ifndef COMMON_FS_MEMBER_PLACES_H
#define COMMON_FS_MEMBER_PLACES_H

#include "common/fs/subvolume.h"

struct member_place {
	uint16_t domain;
	uint64_t id;
	uint8_t uuid[UUID_SIZE];
	uint8_t *path;
	uint16_t path_len;
	bool path_cut;
};

/* A member whose place in another one still says that it is there, and that is not. */
struct lost_member {
	const struct member_place *place;
	uint64_t above;		/* the member that it was sealed in */
	char *path;		/* escaped, where it was sealed */
	char *text;		/* what is wrong, for people, without the path */
};

/* Initialise with { 0 }. */
struct member_places {
	const struct subvolume_list *list;
	struct member_place *at;	/* by id, then domain */
	size_t n, n_room;
	uint32_t *by_path;		/* their indexes, by path, then domain */
	uint32_t *above;		/* of each the index of the one of its domain nearest above it; PATH_ABOVE_NONE: none */
	struct lost_member *lost;	/* by id */
	size_t n_lost, n_lost_room;
	uint64_t n_followed;	/* components of paths, to find them */
};

/* Items that cannot be read say nothing here.  A list without a volume, of what is mounted, has no places. */
bool member_places_read(const struct subvolume_list *list, struct member_places *places, struct error *err) must_use;
void member_places_free(struct member_places *places);
#define cleanup_member_places __attribute__((cleanup(member_places_free)))

enum place_doubt {
	PLACE_MOVED,	/* a member that is not where it was sealed */
	PLACE_NUMBER,	/* it has the number of a member that is gone, and is another one */
	PLACE_TAKEN,	/* it stands where a member was sealed, and is another one */
	PLACE_CUT,	/* a member whose path is longer than what is kept of it, and was compared as far as that */
	PLACE_DOUBTS
};
struct place_finding {
	enum place_doubt doubt;
	const struct subvolume *subvolume;
	const struct member_place *place;	/* of the member that it is about */
};
typedef bool place_tell(void *context, const struct place_finding *finding, const char *text, struct error *err);
/* What there is to say of one subvolume.  Snapshots made since have no place of their own. */
bool member_places_tell(const struct member_places *places, const struct subvolume *subvolume, place_tell *tell, void *context,
			struct error *err) must_use;

/* Is it a lost member, or one that is lost in it?  The next of them, NULL: there are no more; last NULL: the first. */
const struct lost_member *member_places_lost_in(const struct member_places *places, uint64_t id, const struct lost_member *last);
/* Is the member that has or had this id lost?  NULL: no. */
const struct lost_member *member_places_lost(const struct member_places *places, uint64_t id);

#endif /* COMMON_FS_MEMBER_PLACES_H */
