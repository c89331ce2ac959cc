/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where members were when they were sealed, and what their root items say. Anyone can change that without the key, in a directory above or
 * in a root item. It leads to warnings, but decides nothing.
 */
#ifndef COMMON_SEALED_DOMAIN_NAMES_H
#define COMMON_SEALED_DOMAIN_NAMES_H

#include "common/crypto/keyring.h"
#include "common/sealed/domain.h"
#include "common/sealed/member-places.h"

/* For all subvolumes at once, without a key. */
struct seal {
	enum domain_claim claim;
	uint16_t domain;
	bool has_wrong_tag;		/* a member whose root item has another tag than the domain's, or none */
	char tag[DOMAIN_TAG_TEXT_SIZE];	/* of the domain; "" if the domain has such a member but cannot be read */
	uint8_t *moved;			/* a member that is not where it was sealed: its path then, raw; otherwise NULL */
	size_t moved_len;
	uint64_t in_place_of;		/* the member that was sealed where this one is now; 0: none */
	char *replaced_text;		/* for what was put in the place of a nested member: the warning; otherwise NULL */
	char *doubt_text[PLACE_DOUBTS];	/* the warnings of member-places.h; NULL: none */
};
/* A domain that can be read, and its key. */
struct seal_key {
	struct crypt_header header;
	bool is_empty;			/* no subvolume is of it, or claims to be */
	struct keyring_found found;	/* after seals_find_keys() */
};
struct seals {
	const struct subvolume_list *list;
	struct seal *at;		/* parallel to list->at; NULL: nothing is known */
	struct seal_key *keys;
	size_t n_keys, keys_room;
	bool keys_are_found;
	struct member_places places;
};
/* A domain that cannot be read gives a warning. For a list without a volume (of a mounted filesystem) nothing is known. */
bool seals_read(const struct subvolume_list *list, struct seals *seals, struct error *err) must_use;
void seals_free(struct seals *seals);
#define cleanup_seals __attribute__((cleanup(seals_free)))	/* initialise with { 0 } */
const struct seal *seal_of(const struct seals *seals, const struct subvolume *subvolume);

/* Looks for the key of each domain in the kernel's keyrings. */
bool seals_find_keys(struct seals *seals, struct error *err) must_use;
/* NULL: they were not looked for, or the domain cannot be read. */
const struct keyring_found *seal_key_of(const struct seals *seals, const struct seal *seal);

/* The warning about a wrong tag, "the tag in its root item is ...", malloced. NULL: out of memory. */
char *seal_tag_text(const struct subvolume *subvolume, const char *tag);

#endif /* COMMON_SEALED_DOMAIN_NAMES_H */
