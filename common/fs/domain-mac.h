/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two MACs of a domain's header, made and checked by one code.  Both under K_hdr: format/README.md, "What each MAC covers". */
#ifndef COMMON_FS_DOMAIN_MAC_H
#define COMMON_FS_DOMAIN_MAC_H

#include "common/crypto/key-schedule.h"
#include "common/volume/volume.h"

/*
 * MAC("items" | for each slot, member, inode-flags and bad-block item of the domain, in key order: key offset le64 | SHA-256 of the payload), of
 * the root tree as it is now, changes of a running transaction included.
 */
bool domain_items_mac(struct volume *volume, uint16_t domain, const struct key_schedule *schedule, uint8_t out[CRYPT_MAC_SIZE],
		      struct error *err) must_use;

/* Fills header->mac: over the bytes of the header on disk before it. */
bool crypt_header_seal(const struct key_schedule *schedule, struct crypt_header *header, struct error *err) must_use;

/* *authentic: header->mac is what crypt_header_seal() would fill in. */
bool crypt_header_check(const struct key_schedule *schedule, const struct crypt_header *header, bool *authentic,
			struct error *err) must_use;

#endif /* COMMON_FS_DOMAIN_MAC_H */
