/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MAC of one item of a subvolume's tree. It covers what was sealed, wherever it is now. format/README.md, "The tree digest", says which
 * bytes of which item count.
 */
#ifndef COMMON_SEALED_CANONICAL_ITEM_H
#define COMMON_SEALED_CANONICAL_ITEM_H

#include "common/sealed/inline-map.h"
#include "common/sealed/unit-map.h"

enum digest_kind {
	DIGEST_SEALED,	/* of items as they were sealed: what the seal covers */
	DIGEST_FOUND,	/* the same at every moment of a conversion: leaves out what the conversion changes */
};

/*
 * Another way to find units than maps of all of them, when only a few inodes are read. extent: visits each unit of an item's extent, in
 * order. payload: finds the unit whose tag is right for it. *found false: there is none.
 */
struct unit_finder {
	bool (*extent)(void *context, const struct key *key, const struct file_extent *extent, unit_visit *visit, void *visit_context,
		       bool *found, struct error *err);
	bool (*payload)(void *context, const struct inline_payload *payload, struct crypt_inline_unit *unit, bool *found, struct error *err);
	void *context;
};

struct canonical_input {		/* all borrowed */
	enum digest_kind kind;
	struct volume *volume;
	const struct key_schedule *schedule;
	const struct unit_map *units;		/* DIGEST_SEALED: joined */
	const struct inline_map *inlines;	/* DIGEST_SEALED */
	const struct unit_finder *finder;	/* DIGEST_SEALED, instead of both; otherwise NULL */
	/* An extent item that cannot be followed counts with its bytes as they are. No sealed item does, so the sum differs. */
	bool over;
	/* DIGEST_FOUND: the two flags that inodes had before sealing, sorted by (member, inode); clear for all others */
	const struct crypt_inode_flags *flags;
	size_t n_flags;
};

struct canonical {
	struct canonical_input input;
	struct mac *mac;		/* K_item */
	struct mode_memory mode;
	/* For the last item: the place of its inline unit. */
	bool has_inline;
	uint64_t inline_place;
};

bool canonical_open(const struct canonical_input *input, struct canonical *canonical, struct error *err) must_use;
void canonical_close(struct canonical *canonical);	/* a zeroed struct is fine */
#define cleanup_canonical __attribute__((cleanup(canonical_close)))

/*
 * MAC(K_item, "T" | key[17] | length of the item le32 | canonical item). tree: one whose leaf holds the item. flags_member: the id under
 * which the inode is looked up in input->flags (0: not needed).
 */
bool canonical_item_mac(struct canonical *canonical, const struct tree *tree, uint64_t flags_member, const struct key *key,
			struct cursor item, uint8_t mac[CRYPT_MAC_SIZE], struct error *err) must_use;

/* NULL if (member, inode) is not listed. */
const struct crypt_inode_flags *inode_flags_find(const struct crypt_inode_flags *flags, size_t n, uint64_t member, uint64_t inode);

#endif /* COMMON_SEALED_CANONICAL_ITEM_H */
