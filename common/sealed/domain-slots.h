/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key slots of a domain, each by itself: the header has a hash of each. A slot that is not what the header vouches for costs only what it
 * opened; the others and the volume key open as before.
 */
#ifndef COMMON_SEALED_DOMAIN_SLOTS_H
#define COMMON_SEALED_DOMAIN_SLOTS_H

#include "common/sealed/domain.h"

enum domain_slot {
	DOMAIN_SLOT_FREE,
	DOMAIN_SLOT_RIGHT,
	DOMAIN_SLOT_DAMAGED,	/* there is an item, but not the one that the header vouches for */
	DOMAIN_SLOT_GONE,	/* the header vouches for one, but there is none */
	DOMAIN_SLOT_STRAY,	/* there is an item, but the header vouches for none */
};
/* According to domain->header, so without a key only as far as that is right. Unfinished, whatever the copies have is DOMAIN_SLOT_RIGHT. */
enum domain_slot domain_slot_is(const struct domain *domain, unsigned number);
/* "key slot 2 is damaged: ..."; false: it is right, or there is none. */
#define DOMAIN_SLOT_TEXT_SIZE 300
bool domain_slot_fault(const struct domain *domain, unsigned number, char text[DOMAIN_SLOT_TEXT_SIZE]);
/*
 * For a slot that a key opened: an older one may have been put back, or somebody made one who had the volume key. ERROR_KEY_HEADER: the header does
 * not vouch for it.
 */
bool domain_slot_check_opened(const struct domain *domain, unsigned number, struct error *err) must_use;
/* "key slot 2 (passphrase, `of a colleague`)" */
#define DOMAIN_SLOT_NAME_SIZE (4 * CRYPT_LABEL_MAX + 64)
const char *domain_slot_name(const struct crypt_slot *slot, char name[DOMAIN_SLOT_NAME_SIZE]);
/*
 * Visits what is wrong with any slot, by number; number CRYPT_SLOTS_MAX: a number that no slot has. What a header backup was made without is not
 * among it.
 */
void domain_slot_faults(const struct domain *domain, void (*visit)(void *context, unsigned number, const char *text), void *context);
/* Warns of it, once. */
void domain_slots_warn(struct domain *domain);

/*
 * copies: read from where an unfinished operation has header and slots outside the trees, and wipes them at its end. ERROR_KEY_HEADER: a slot that
 * the header of the tree vouches for is whole only there.
 */
bool domain_slots_check_copies(const struct domain *copies, const struct domain *tree, struct error *err) must_use;

/* What is tried on this slot: a recovery key on those that are made with one. */
static inline const struct secret *domain_slot_secret(const struct crypt_slot *slot, const struct key_source *key)
{
	return slot->kdf == KDF_NONE && key->recovery ? key->recovery : key->secret;
}

/* The slots that the header vouches for, by number; room: for domain->n_slots. Returns how many there are. */
size_t domain_right_slots(const struct domain *domain, struct disk_crypt_slot *slots);

/* What a header has of a slot. */
bool crypt_slot_hash(const void *slot, size_t len, uint8_t hash[CRYPT_SLOT_HASH_SIZE], struct error *err) must_use;
/* *is: the header vouches for this slot under its number. */
bool crypt_header_has_this(const struct crypt_header *header, const struct disk_crypt_slot *slot, bool *is, struct error *err) must_use;

/* For domain.c: takes the item under that number. What is no slot is no error. */
bool domain_take_slot(struct domain *domain, uint64_t number, struct cursor *item, struct error *err) must_use;

#endif /* COMMON_SEALED_DOMAIN_SLOTS_H */
