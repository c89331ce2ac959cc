/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One version of an inode: the sum of its items, and the index entries that vouch for it. */
#ifndef COMMON_SEALED_INODE_VERSION_H
#define COMMON_SEALED_INODE_VERSION_H

#include "common/fs/orphan.h"
#include "common/sealed/canonical-item.h"
#include "common/sealed/digest-sum.h"
#include "common/sealed/inode-index.h"

/* The parts of a directory that are vouched for separately; for anything else all parts go together. */
enum inode_part {
	INODE_PART_NAMES = 1,	/* INODE_REFs and INODE_EXTREFs */
	INODE_PART_LISTING = 2,	/* DIR_ITEMs and DIR_INDEXes */
	INODE_PART_REST = 4,	/* the inode item, xattrs, extents, everything else */
	INODE_PARTS_ALL = 7,
};

struct inode_version {
	uint64_t inode;
	bool is_directory;	/* according to its INODE_ITEM, which counts as part of the rest */
	uint64_t hint;		/* place of its first inline unit */
	bool has_hint;
	struct digest_sum names, listing, rest;
};

/* Of how many items it is the sum. */
static inline uint64_t inode_version_items(const struct inode_version *version)
{
	return version->names.n_items + version->listing.n_items + version->rest.n_items;
}

/* Adds one item. mac: its canonical_item_mac(); canonical must still be as that call left it. */
void inode_version_add(struct inode_version *version, const struct canonical *canonical, const struct key *key, struct cursor item,
		       const uint8_t mac[CRYPT_MAC_SIZE]);
/* Adds what follows in the next leaf. */
void inode_version_join(struct inode_version *version, const struct inode_version *next);

/* From where versions are read. */
struct inode_versions {
	struct canonical *canonical;
	struct orphan_memory *orphans;	/* begins with { 0 }, and serves many calls */
	const struct tree *subvolume;
	/*
	 * Receives the damage that keeps part of the items, or of what is beside them, from being read, and reading continues, because the
	 * version is compared with a known one. NULL: such damage is an error.
	 */
	struct error *gap;
};

/* Reads the items of an inode, without what a mount deletes; only these parts. */
bool inode_version_read(const struct inode_versions *from, uint64_t inode, unsigned parts, struct inode_version *version,
			struct error *err) must_use;

/* The entry of this kind. The parts that it covers must have been read. MAC under K_item: canonical->mac. */
bool inode_version_entry(struct canonical *canonical, const struct inode_version *version, enum inode_entry_kind kind,
			 struct crypt_index_entry *entry, struct error *err) must_use;

/* The kinds of entries that an inode has: one, or three for a directory. */
#define INODE_ENTRIES_MAX 3u
unsigned inode_entry_kinds(const struct inode_version *version, enum inode_entry_kind kinds[INODE_ENTRIES_MAX]);

#endif /* COMMON_SEALED_INODE_VERSION_H */
