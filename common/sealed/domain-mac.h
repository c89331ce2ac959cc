/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two MACs of a domain's header, computed and checked by the same code. Both use K_hdr, see format/README.md, "What each MAC covers".
 */
#ifndef COMMON_SEALED_DOMAIN_MAC_H
#define COMMON_SEALED_DOMAIN_MAC_H

#include "common/crypto/key-schedule.h"
#include "common/volume/volume.h"

/* The items that items_mac covers, in order of their keys: members, inode flags, bad blocks. offset: of the key. */
typedef bool domain_item_visit(void *context, uint64_t offset, const struct cursor *payload, struct error *err);
bool domain_vouched_items(struct volume *volume, uint16_t domain, domain_item_visit *visit, void *context, struct error *err) must_use;
/* All slot items, right or wrong: each has a hash of its own in the header. */
bool domain_slot_items(struct volume *volume, uint16_t domain, domain_item_visit *visit, void *context, struct error *err) must_use;
/*
 * MAC("items" | for each member, inode-flags and bad-block item of the domain, in key order: key offset le64 | SHA-256 of the payload),
 * from the current root tree, including changes of a running transaction.
 */
bool domain_items_mac(struct volume *volume, uint16_t domain, const struct key_schedule *schedule, uint8_t out[CRYPT_MAC_SIZE],
		      struct error *err) must_use;

/* The same over what a header backup has. */
bool header_backup_items_mac(const struct header_backup *backup, const struct key_schedule *schedule, uint8_t out[CRYPT_MAC_SIZE],
			     struct error *err) must_use;

/* Fills in header->mac, over the bytes of the on-disk header before it. */
bool crypt_header_seal(const struct key_schedule *schedule, struct crypt_header *header, struct error *err) must_use;

/* *authentic: header->mac is what crypt_header_seal() would fill in. */
bool crypt_header_check(const struct key_schedule *schedule, const struct crypt_header *header, bool *authentic,
			struct error *err) must_use;

#endif /* COMMON_SEALED_DOMAIN_MAC_H */
