/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the items that describe a domain, as domain_read() reads them. */
#ifndef COMMON_SEALED_DOMAIN_WRITE_H
#define COMMON_SEALED_DOMAIN_WRITE_H

#include "common/crypto/key-schedule.h"
#include "common/tree/transaction.h"
#include "common/volume/volume.h"
#include "format/crypt.h"

/* What NULL stands for stays as it is in the tree. */
struct domain_items {
	bool is_new;		/* there is none of them yet: places for both copies of the header are made as well */
	const struct disk_crypt_slot *slots;	/* all of them: others are removed, but for those whose bit is set in slots_kept */
	size_t n_slots;
	uint32_t slots_kept;	/* numbers under which item and hash, right or wrong, stay as they are */
	const struct crypt_member *members;	/* all, sorted by id; as many as before */
	size_t n_members;
	const struct crypt_inode_flags *flags;	/* all, sorted by (member, inode); only if is_new */
	size_t n_flags;
	const struct crypt_seal *seal;
};

/*
 * Writes slots, members, inode flags and seal, and puts into the header what covers them (slot_hash, items_mac). The header itself follows
 * with domain_write_header(), in the same transaction, because more may change in it until then.
 */
bool domain_write(struct transaction *tx, struct volume *volume, const struct key_schedule *schedule, const struct domain_items *items,
		  struct crypt_header *header, struct error *err) must_use;
/* Fills in header->mac and writes the header to each copy of its item that is there. ERROR_KEY_HEADER: none is. */
bool domain_write_header(struct transaction *tx, struct volume *volume, const struct key_schedule *schedule, struct crypt_header *header,
			 struct error *err) must_use;

/* Makes a place for each copy of the header that is missing or has another size, with this header in it. */
bool domain_put_headers(struct transaction *tx, struct volume *volume, const struct crypt_header *header, struct error *err) must_use;

/* Adds an item that is not there yet. */
bool domain_insert(struct transaction *tx, uint16_t domain, enum crypt_kind kind, uint64_t index, const void *bytes, size_t len,
		   struct error *err) must_use;
/* Writes an item that may be there, with this size or another one. */
bool domain_put(struct transaction *tx, struct volume *volume, const struct key *key, const void *bytes, size_t len,
		struct error *err) must_use;
/* How many inode-flags items hold n of them. */
size_t domain_flags_items(uint32_t node_size, size_t n);

#endif /* COMMON_SEALED_DOMAIN_WRITE_H */
