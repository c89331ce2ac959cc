/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sealed domain as its items in the root tree describe it: header, slots, members; which subvolumes belong to it;
 * opening it with a key.  format/README.md, "The sealed format".
 */
#ifndef COMMON_FS_DOMAIN_H
#define COMMON_FS_DOMAIN_H

#include "common/crypto/key-schedule.h"
#include "common/crypto/key-slot.h"
#include "common/fs/subvolume.h"

struct domain {
	struct volume *volume;
	uint16_t number;
	struct crypt_header header;
	bool one_header_bad;		/* one copy is missing or bad: a warning */
	struct crypt_slot *slots;
	size_t n_slots;
	struct crypt_member *members;	/* by ascending id */
	size_t n_members;
	struct crypt_inode_flags *inode_flags;	/* by ascending (member, inode) */
	size_t n_inode_flags;
	/* after domain_open() */
	struct key_schedule *schedule;
	int slot_used;			/* -1: the volume key itself */
};

/* "aes-256-gcm@btrfs:75197c8e" */
void domain_tag_text(const struct domain *domain, char text[48]);

/* The domain that a subvolume is sealed in; *domain NULL (and true) where it is not sealed.  Reads items, checks layout, not MACs. */
bool domain_find(struct volume *volume, const struct subvolume_list *list, const struct subvolume *subvolume,
		 struct domain **domain, struct error *err) must_use;
/* All domain numbers of the filesystem, malloced. */
bool domain_numbers(struct volume *volume, uint16_t **numbers, size_t *n, struct error *err) must_use;
bool domain_read(struct volume *volume, uint16_t number, struct domain **domain, struct error *err) must_use;
void domain_free(struct domain *domain);
static inline void domain_cleanup(struct domain **p) { domain_free(*p); }
#define cleanup_domain __attribute__((cleanup(domain_cleanup)))

/*
 * Opens it: tries the slots (only slot `slot` where it is not -1) with secret, or takes volume_key; checks the key check value and the header's MACs.
 * ERROR_KEY: no slot opens.  ERROR_KEY_HEADER: header or slot not authentic.
 */
bool domain_open(struct domain *domain, const struct secret *secret, const struct secret *volume_key, int slot,
		 struct error *err) must_use;

/*
 * Is this subvolume part of the domain?  A member by its item (id and uuid), or a root with the domain's tag whose chain of parent uuids reaches a member.
 */
bool domain_has(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume);

#endif /* COMMON_FS_DOMAIN_H */
