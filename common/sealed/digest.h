/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The digest of a member's tree: a keyed sum over its items, independent of how they are spread over leaves. format/README.md, "The tree
 * digest", says which bytes of which item count.
 */
#ifndef COMMON_SEALED_DIGEST_H
#define COMMON_SEALED_DIGEST_H

#include "common/sealed/canonical-item.h"
#include "common/sealed/digest-sum.h"
#include "common/sealed/scan.h"

struct digest_input {
	enum digest_kind kind;
	const struct scan *scan;
	const struct key_schedule *schedule;
	const struct unit_map *units;		/* DIGEST_SEALED: joined */
	const struct inline_map *inlines;	/* DIGEST_SEALED */
	bool over;				/* the scan skipped damage: sums that differ are more useful than none */
	/* DIGEST_FOUND: the two flags that inodes had before sealing, sorted by (member, inode); clear for all others */
	const struct crypt_inode_flags *flags;
	size_t n_flags;
	const uint64_t *flags_member;		/* for each member of the scan: the id to look up in flags; NULL: its own */
};

/* The sum of each member of the scan, without what orphan.h leaves out. sums has scan->n_members elements. */
bool digest_members(const struct digest_input *input, struct digest_sum *sums, struct error *err) must_use;

/* MAC(K_seal, "tree" | n_items le64 | sum[32]). */
bool digest_finish(const struct key_schedule *schedule, const struct digest_sum *sum, uint8_t digest[CRYPT_MAC_SIZE],
		   struct error *err) must_use;

/* MAC(D("state", op_id), "begin" | for each member of the scan: id le64, its digest); input->kind must be DIGEST_FOUND. */
bool begin_digest(const struct digest_input *input, const uint8_t op_id[CRYPT_UUID_SIZE], uint8_t digest[CRYPT_MAC_SIZE],
		  struct error *err) must_use;

#endif /* COMMON_SEALED_DIGEST_H */
