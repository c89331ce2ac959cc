/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the units of single extents without reading all units of a domain: by binary search over the unit items, which are sorted by
 * address at sealing. Only if nothing is found there, it takes one pass over the items. See format/README.md, "Finding the units of an
 * extent".
 */
#ifndef COMMON_SEALED_UNIT_FIND_H
#define COMMON_SEALED_UNIT_FIND_H

#include "common/sealed/domain.h"
#include "common/sealed/unit-map.h"

/* Part of a file on disk, as its item says. */
struct unit_wanted {
	uint64_t address, length;	/* of the extent */
	uint64_t inode, file_offset;	/* of the byte of the file at which the extent's first byte would be */
	bool marked;
};

enum unit_trust {
	UNIT_BY_PLACE,	/* a marked extent that lies where one of this length was sealed is taken for that one */
	UNIT_BY_TAG,	/* only what a tag confirms or, for a marked extent, what nothing contradicts */
	/* The same, but the tag of any block counts, and locators are also used for unmarked extents: for callers that must not miss one. */
	UNIT_BY_ANY_TAG,
};

struct unit_seeker;
/* The opened domain must outlive it. */
bool unit_seeker_new(const struct domain *domain, struct unit_seeker **seeker, struct error *err) must_use;
void unit_seeker_free(struct unit_seeker *seeker);	/* NULL is fine */
static inline void unit_seeker_cleanup(struct unit_seeker **p) { unit_seeker_free(*p); }
#define cleanup_unit_seeker __attribute__((cleanup(unit_seeker_cleanup)))

/* number is not set in *group. *confirmed: by a tag, not only by its place. */
bool unit_find(struct unit_seeker *seeker, const struct unit_wanted *wanted, enum unit_trust trust, struct unit_group *group, bool *found,
	       bool *confirmed, struct error *err) must_use;

/*
 * For marked extents that unit_find() does not find, or not by a tag: whose units they may be, the likeliest first. First those whose
 * locator names this inode and file offset (*n_located of them), then others of the same length, at most UNIT_GUESSES_MAX.
 */
#define UNIT_GUESSES_MAX 64u
bool unit_guess(struct unit_seeker *seeker, const struct unit_wanted *wanted, struct unit_group guesses[UNIT_GUESSES_MAX], size_t *n,
		size_t *n_located, struct error *err) must_use;

/* How many passes over all unit items were made. */
unsigned unit_seeker_passes(const struct unit_seeker *seeker);

#endif /* COMMON_SEALED_UNIT_FIND_H */
