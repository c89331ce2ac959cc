/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where members were when they were sealed, and what their root items say of them: what anyone can change without the key, in a
 * directory above or in a root item.  Warnings are made of it, and nothing is decided.
 */
#ifndef COMMON_FS_DOMAIN_NAMES_H
#define COMMON_FS_DOMAIN_NAMES_H

#include "common/fs/domain.h"

/*
 * The member item of a subvolume that is not where it was sealed; NULL where it is, and where it has none: snapshots made since have no place
 * of their own.  Longer paths than CRYPT_PATH_MAX are compared up to there.
 */
const struct crypt_member *domain_moved(const struct domain *domain, const struct subvolume *subvolume);
/* The warning, malloced; NULL: no memory. */
char *domain_moved_text(const struct subvolume *subvolume, const struct crypt_member *member);

/* Of all subvolumes at once, without a key. */
struct seal {
	enum domain_claim claim;
	uint16_t domain;
	bool has_wrong_tag;		/* of a member: its root item has another tag than the domain, or none */
	char tag[DOMAIN_TAG_TEXT_SIZE];	/* of the domain; "" where that cannot be read, though it has such a member */
	uint8_t *moved;			/* of a member that is not where it was sealed: the path where it was, raw; else NULL */
	size_t moved_len;
	char *moved_text;		/* the warning */
	char *replaced_text;		/* of what has the id of a member and another uuid: the warning; else NULL */
};
struct seals {
	const struct subvolume_list *list;
	struct seal *at;		/* as list->at; NULL: nothing is known */
};
/* A domain that cannot be read is a warning.  A list without a volume, of what is mounted, says nothing. */
bool seals_read(const struct subvolume_list *list, struct seals *seals, struct error *err) must_use;
void seals_free(struct seals *seals);
#define cleanup_seals __attribute__((cleanup(seals_free)))	/* initialise with { 0 } */
const struct seal *seal_of(const struct seals *seals, const struct subvolume *subvolume);

/* "the tag in its root item is ...": the warning of a wrong one, malloced; NULL: no memory. */
char *seal_tag_text(const struct subvolume *subvolume, const char *tag);

#endif /* COMMON_FS_DOMAIN_NAMES_H */
