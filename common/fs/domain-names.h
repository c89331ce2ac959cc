/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where members were when they were sealed, and what their root items say of them: what anyone can change without the key, in a
 * directory above or in a root item.  Warnings are made of it, and nothing is decided.
 */
#ifndef COMMON_FS_DOMAIN_NAMES_H
#define COMMON_FS_DOMAIN_NAMES_H

#include "common/fs/domain.h"
#include "common/fs/member-places.h"

/* Of all subvolumes at once, without a key. */
struct seal {
	enum domain_claim claim;
	uint16_t domain;
	bool has_wrong_tag;		/* of a member: its root item has another tag than the domain, or none */
	char tag[DOMAIN_TAG_TEXT_SIZE];	/* of the domain; "" where that cannot be read, though it has such a member */
	uint8_t *moved;			/* of a member that is not where it was sealed: the path where it was, raw; else NULL */
	size_t moved_len;
	uint64_t in_place_of;		/* the member that was sealed where it is, and that it is not; 0: none */
	char *replaced_text;		/* of what was put in the place of a nested member: the warning; else NULL */
	char *doubt_text[PLACE_DOUBTS];	/* the warnings of member-places.h; NULL: none */
};
struct seals {
	const struct subvolume_list *list;
	struct seal *at;		/* as list->at; NULL: nothing is known */
	struct member_places places;
};
/* A domain that cannot be read is a warning.  A list without a volume, of what is mounted, says nothing. */
bool seals_read(const struct subvolume_list *list, struct seals *seals, struct error *err) must_use;
void seals_free(struct seals *seals);
#define cleanup_seals __attribute__((cleanup(seals_free)))	/* initialise with { 0 } */
const struct seal *seal_of(const struct seals *seals, const struct subvolume *subvolume);

/* "the tag in its root item is ...": the warning of a wrong one, malloced; NULL: no memory. */
char *seal_tag_text(const struct subvolume *subvolume, const char *tag);

#endif /* COMMON_FS_DOMAIN_NAMES_H */
