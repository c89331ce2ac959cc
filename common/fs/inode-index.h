/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index of a domain: each version of each inode that was sealed, vouched for by itself.  An entry is a MAC, so that
 * whoever finds the one that he computes needs no seal to believe it.  format/README.md, "The index".
 */
#ifndef COMMON_FS_INODE_INDEX_H
#define COMMON_FS_INODE_INDEX_H

#include "common/volume/volume.h"
#include "format/crypt.h"

enum inode_entry_kind {
	INODE_ENTRY_FILE = 1,		/* what is no directory: all its items */
	INODE_ENTRY_NAMES = 2,		/* a directory's INODE_REFs and INODE_EXTREFs */
	INODE_ENTRY_DIRECTORY = 3,	/* its inode, xattrs and every other item */
	INODE_ENTRY_LISTING = 4,	/* its DIR_ITEMs and DIR_INDEXes */
};

/* Every entry of the domain, in order; one out of order (two that are equal are) is ERROR_CORRUPT. */
typedef bool inode_index_visit(void *context, const struct crypt_index_entry *entry, struct error *err);
bool inode_index_visit_all(struct volume *volume, uint16_t domain, inode_index_visit *visit, void *context, struct error *err) must_use;

/* Those of one inode, found by halving; *go = false ends it.  n_items: how many index items the header counts. */
typedef bool inode_index_versions(void *context, const struct crypt_index_entry *entry, bool *go, struct error *err);
bool inode_index_visit_inode(struct volume *volume, uint16_t domain, uint64_t n_items, uint64_t inode, inode_index_versions *visit, void *context,
			     struct error *err) must_use;

/*
 * Is there an entry of this inode with this MAC?  n_items: how many index items the header counts.  Found by halving, in as many reads as that
 * takes; a damaged or unsorted index may hide an entry, and never shows one that is not there.  *hint: of the entry; may be NULL.
 */
bool inode_index_has(struct volume *volume, uint16_t domain, uint64_t n_items, uint64_t inode, const uint8_t mac[CRYPT_ENTRY_MAC_SIZE],
		     bool *has, uint64_t *hint, struct error *err) must_use;
/* Has the inode any entry at all? */
bool inode_index_knows(struct volume *volume, uint16_t domain, uint64_t n_items, uint64_t inode, bool *knows, struct error *err) must_use;

#endif /* COMMON_FS_INODE_INDEX_H */
