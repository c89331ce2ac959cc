/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Subvolumes, sealed or not, that cannot be reached from where they should be. */
#ifndef COMMON_SEALED_LOST_PLACES_H
#define COMMON_SEALED_LOST_PLACES_H

#include "common/fs/subvolume.h"

/*
 * A member that is missing, although its place in another member still says that it is there; or any subvolume of which the root tree and
 * the directory above it do not say the same.
 */
struct lost_place {
	uint64_t id;
	const struct member_place *member;	/* NULL: it was not sealed inside another one */
	uint64_t above;		/* the subvolume in which it is, or was sealed */
	uint64_t unlisted_in;	/* the directory in that which should list it and does not; 0: it is listed */
	bool has_no_parent;	/* it may have been anywhere: above is the top level */
	char *path;		/* where it is, or was sealed, escaped */
	char *text;		/* what is wrong, for people, without the path */
};

/* Initialise with { .list = ... }. */
struct lost_places {
	const struct subvolume_list *list;
	struct lost_place *at;	/* by id */
	size_t n, n_room;
	uint32_t *unlisted;	/* indexes of those with unlisted_in, by subvolume and directory */
	size_t n_unlisted;
};

/* Adds one. what says that it belongs here. Takes lost->path; NULL counts as out of memory. */
bool lost_places_add(struct lost_places *places, const struct lost_place *lost, const char *what, const char *wrong, struct error *err) must_use;
/* Call once, after the members were added: adds all other subvolumes that are lost, and sorts. */
bool lost_places_find(struct lost_places *places, struct error *err) must_use;
void lost_places_free(struct lost_places *places);

/* The lost ones that are, or are inside, this subvolume. Returns the one after last (NULL: the first); NULL: there are no more. */
const struct lost_place *lost_places_in(const struct lost_places *places, uint64_t id, const struct lost_place *last);
/* How many of them are inside it. */
size_t lost_places_count(const struct lost_places *places, uint64_t id);
/* The lost one that has or had this id; NULL: it is not lost. */
const struct lost_place *lost_places_of(const struct lost_places *places, uint64_t id);
/* The lost one that this directory does not list. Returns the one after last (NULL: the first); NULL: there are no more. */
const struct lost_place *lost_places_unlisted(const struct lost_places *places, uint64_t subvolume, uint64_t directory,
					      const struct lost_place *last);
/*
 * A directory in subvolume holder has the empty place of subvolume id. Returns why it should not be empty, for people; NULL: it is one
 * that every snapshot has.
 */
const char *lost_places_empty_wrong(const struct lost_places *places, uint64_t holder, uint64_t id);

#endif /* COMMON_SEALED_LOST_PLACES_H */
