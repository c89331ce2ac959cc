/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sealed domain as its items in the root tree describe it: header, slots, members; which subvolumes belong to it; opening it with a key.
 * See format/README.md, "The sealed format".
 */
#ifndef COMMON_SEALED_DOMAIN_H
#define COMMON_SEALED_DOMAIN_H

#include "common/crypto/key-schedule.h"
#include "common/crypto/key-slot.h"
#include "common/crypto/key-source.h"
#include "common/fs/subvolume.h"

#define DOMAIN_INODE_FLAGS_MAX (8u << 20)	/* the most memory that one domain may cost */

/* What the root tree, or a header backup, has under the number of a key slot; see domain-slots.h. */
struct domain_slot_item {
	bool is_there;
	uint8_t hash[CRYPT_SLOT_HASH_SIZE];
	char wrong[160];		/* why it is no slot of this number; "": it is one */
};

struct domain {
	struct volume *volume;
	uint16_t number;
	struct crypt_header header;	/* the newest copy that fits the items; after domain_open(), the newest authentic one */
	struct crypt_header copy[2];
	bool copy_valid[2];		/* by layout */
	uint64_t copy_block[2];		/* address of the tree block that has it; 0: not there */
	bool one_header_bad;		/* one copy is missing, bad or older: only a warning */
	bool unfinished;		/* from domain_read_unfinished() */
	const struct header_backup *backup;	/* it was read from there, borrowed; NULL: from the image */
	struct domain_slot_item slot_item[CRYPT_SLOTS_MAX];
	struct crypt_slot *slots;	/* all that can be read, by number, whatever the header vouches for */
	size_t n_slots;
	uint64_t far_slot;		/* a number that no slot has, of an item */
	bool has_far_slot, slots_told;
	struct crypt_member *members;	/* by ascending id */
	size_t n_members;
	uint32_t *member_by_uuid;	/* their indexes, sorted by uuid, then id */
	uint32_t *member_above;		/* for each: index of the nearest member above it where it was sealed; PATH_ABOVE_NONE: none */
	struct crypt_inode_flags *inode_flags;	/* sorted by (member, inode) */
	size_t n_inode_flags;
	/* after domain_open() */
	struct key_schedule *schedule;
	int slot_used;			/* -1: the volume key itself */
};

/* What its key is called in a keyring: "btrfs:75197c8e". */
#define DOMAIN_KEY_NAME_SIZE 16
void domain_key_name(const struct domain *domain, char name[DOMAIN_KEY_NAME_SIZE]);
/* "aes-256-gcm@btrfs:75197c8e" */
#define DOMAIN_TAG_TEXT_SIZE 32
void domain_tag_text(const struct domain *domain, char text[DOMAIN_TAG_TEXT_SIZE]);

/* Is some of it plain text? True if it comes from domain_read_unfinished(), or if its header says so and nothing tells more. */
static inline bool domain_is_being_converted(const struct domain *domain)
{
	return domain->unfinished || (domain->header.state != CRYPT_STATE_SEALED && volume_is_unfinished(domain->volume));
}

/* How a subvolume comes to be part of a domain; the higher values win. */
enum domain_claim {
	DOMAIN_NONE,
	DOMAIN_TAG,		/* its root item has the domain's tag, which anyone can write: without the key nothing more is known */
	DOMAIN_SNAPSHOT,	/* and its chain of parent uuids reaches a member */
	DOMAIN_REPLACED,	/* a member item has its id but another uuid, and a directory of another member still leads to it: damage */
	DOMAIN_MEMBER,		/* a member item has its id and uuid, whatever its tag says */
};
enum domain_claim domain_claims(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume);

/*
 * Decides, for all callers, in which domain a subvolume is sealed. *domain is NULL (with true) if it is not sealed. Reads items and checks
 * their layout, but no MACs. A member item wins over every tag; if its domain cannot be read, that is the error, never "not sealed". A
 * member item with only the id of the subvolume belongs to another subvolume, which is gone. But it is ERROR_CORRUPT if the subvolume was
 * put in the place of a nested member (DOMAIN_REPLACED) and no other domain has both. A tagged root that no domain has, although one has
 * its tag (the snapshot between it and its source was deleted), gets that domain; what it really is shows when its data are opened. Our tag
 * without any domain is ERROR_CORRUPT. During an unfinished conversion, its own domain comes from domain_read_unfinished(), for the
 * subvolumes that have its tag or are in its member items.
 */
bool domain_find(struct volume *volume, const struct subvolume_list *list, const struct subvolume *subvolume,
		 struct domain **domain, struct error *err) must_use;
/*
 * The same for all subvolumes of a list, reading every domain once. malloced, parallel to list->at. claim DOMAIN_NONE: it is not sealed.
 * must_ask: call domain_find() to learn what it is or what is wrong: for what is being converted, cannot be read, or has no domain.
 */
struct domain_found {
	enum domain_claim claim;
	uint16_t number;
	bool must_ask;
	bool is_of_unread;	/* it is named by a member item of a domain that cannot be read */
};
bool domain_find_all(const struct subvolume_list *list, struct domain_found **found, struct error *err) must_use;
/*
 * For callers about to rely on the superblocks: does the header of a domain say that its conversion has not finished, although
 * volume_is_unfinished() is false? ERROR_STATE. Headers that cannot be read do not count. but: a domain that was opened and is known; or
 * NULL.
 */
bool domain_check_finished(struct volume *volume, const struct domain *but, struct error *err) must_use;
/* The error for a domain whose header says so. Always false. */
bool domain_is_unfinished_error(const struct domain *domain, struct error *err);
/* The same, for callers about to seal. In addition, nothing may be sealed yet if a copy of the superblock is_doubted: ERROR_STATE. */
bool domain_check_may_seal(struct volume *volume, struct error *err) must_use;
/* All domain numbers of the filesystem, malloced. */
bool domain_numbers(struct volume *volume, uint16_t **numbers, size_t *n, struct error *err) must_use;
/*
 * ERROR_NOT_FOUND if there are no such items; ERROR_KEY_HEADER if no copy of the header fits the items. Key slots need not be right. What volume->backup is of comes from
 * there, unless the image has a newer header that fits; ERROR_KEY_HEADER if what the image has under that number is something else.
 */
bool domain_read(struct volume *volume, uint16_t number, struct domain **domain, struct error *err) must_use;
/*
 * Reads header and slots from the copies that an unfinished conversion keeps outside the root tree; no members. Tries every mirror.
 * ERROR_STATE if the state in the superblock does not lead there, ERROR_KEY_HEADER if no mirror is intact.
 */
bool domain_read_unfinished(struct volume *volume, struct domain **domain, struct error *err) must_use;
/* From a header backup, whatever the image has; the domain borrows it. */
bool domain_read_backup(struct volume *volume, const struct header_backup *backup, struct domain **domain, struct error *err) must_use;
/* Is volume->backup, unless it is NULL, of what this subvolume is sealed in? ERROR_KEY_HEADER. */
bool domain_check_backup(const struct subvolume_list *list, const struct subvolume *subvolume, struct error *err) must_use;
/* The same if no copy is intact: reads the first readable header and the readable slots beside it. What opens with right MACs is right. */
bool domain_read_damaged_keys(struct volume *volume, struct domain **domain, struct error *err) must_use;
/* There are two copies; the second one begins in the middle of the place. */
static inline uint64_t domain_keys_second(uint64_t length) { return length / 2; }
/*
 * One copy, malloced: header | n_slots le32 | slots | SHA-256 of everything before. While key slots are changed, the slots are those that the
 * header vouches for, which are the old ones, and after them the new ones.
 */
#define DOMAIN_KEYS_SLOTS_MAX (2 * CRYPT_SLOTS_MAX)
#define DOMAIN_KEYS_MAX (sizeof(struct disk_crypt_header) + 4 + DOMAIN_KEYS_SLOTS_MAX * sizeof(struct disk_crypt_slot) + 32)
bool domain_keys_encode(const struct crypt_header *header, const struct disk_crypt_slot *slots, size_t n_slots, uint8_t **bytes,
			size_t *len, struct error *err) must_use;
void domain_free(struct domain *domain);
static inline void domain_cleanup(struct domain **p) { domain_free(*p); }
#define cleanup_domain __attribute__((cleanup(domain_cleanup)))

/*
 * Opens the domain: uses the volume key or, if there is none, tries the slots with the secret (unless KEY_SLOT_ANY, only that slot). Checks
 * the key check value and the header's MACs (but not the items' MAC while unfinished). ERROR_KEY: no slot opens, or another volume key.
 * ERROR_KEY_HEADER: header or items are not authentic, or the header does not vouch for the slot that opens. The newest authentic copy of the
 * header is used. Warns of what is wrong with any slot.
 */
bool domain_open(struct domain *domain, const struct key_source *key, struct error *err) must_use;
/* The same for callers that need the volume key itself. *from_slot: the caller's; NULL if it is key->volume_key. */
bool domain_open_key(struct domain *domain, const struct key_source *key, struct secret **from_slot, struct error *err) must_use;
/* Is the key check value of the header right with this volume key? The header itself is not authenticated. */
bool domain_is_key(const struct domain *domain, const struct secret *volume_key, bool *is, struct error *err) must_use;

/* Does more than a tag claim the subvolume? */
bool domain_has(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume);
/*
 * The same for all at once: for each subvolume of the list, the id of the member that it is, or that its chain reaches first; 0 if
 * domain_has() is false. malloced.
 */
bool domain_sources(const struct domain *domain, const struct subvolume_list *list, uint64_t **sources, struct error *err) must_use;

/* domain_claims() for all at once, malloced. */
bool domain_all_claims(const struct domain *domain, const struct subvolume_list *list, enum domain_claim **claims, struct error *err) must_use;

/* Does the root item carry this domain's tag (algorithm and key hash)? Anyone can write that. */
bool domain_has_tag(const struct domain *domain, const struct root *root);
/* The same for a domain of which one header can be read, even if nothing else can. */
bool domain_header_has_tag(struct volume *volume, uint16_t number, const struct root *root, bool *has, struct error *err) must_use;
/* Does it have the name of one of our ciphers, whatever the hash? */
bool root_has_our_tag(const struct root *root);
/* The member item of a subvolume id; NULL: none. */
const struct crypt_member *domain_member(const struct domain *domain, uint64_t id);
/* The member that a subvolume is, by id and uuid: a kernel may reuse the id of a subvolume that is gone. NULL: none. */
const struct crypt_member *domain_member_of(const struct domain *domain, const struct subvolume *subvolume);
/* The nearest other member above the place where this one was sealed. NULL: none. */
const struct crypt_member *domain_member_above(const struct domain *domain, const struct crypt_member *member);
/* ERROR_CORRUPT: it is DOMAIN_REPLACED. */
bool domain_check_replaced(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume,
			   struct error *err) must_use;
/* Checks all members. The error names the first one that was replaced. */
bool domain_check_all_replaced(const struct domain *domain, const struct subvolume_list *list, struct error *err) must_use;
/* Visits the readable member items of a domain that cannot be read as a whole. */
bool domain_visit_members(struct volume *volume, uint16_t number, void (*visit)(void *context, const struct crypt_member *member),
			  void *context, struct error *err) must_use;

#endif /* COMMON_SEALED_DOMAIN_H */
