/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index of a domain, which vouches for each version of each sealed inode separately. An entry is a MAC, so whoever finds the one he
 * computes can believe it without the seal. See format/README.md, "The index".
 */
#ifndef COMMON_SEALED_INODE_INDEX_H
#define COMMON_SEALED_INODE_INDEX_H

#include "common/volume/volume.h"
#include "format/crypt.h"

enum inode_entry_kind {
	INODE_ENTRY_FILE = 1,		/* anything but a directory: all its items */
	INODE_ENTRY_NAMES = 2,		/* a directory's INODE_REFs and INODE_EXTREFs */
	INODE_ENTRY_DIRECTORY = 3,	/* its inode, xattrs and every other item */
	INODE_ENTRY_LISTING = 4,	/* its DIR_ITEMs and DIR_INDEXes */
};

/* Visits every entry of the domain, in order. One out of order (or two equal ones) is ERROR_CORRUPT. */
typedef bool inode_index_visit(void *context, const struct crypt_index_entry *entry, struct error *err);
bool inode_index_visit_all(struct volume *volume, uint16_t domain, inode_index_visit *visit, void *context, struct error *err) must_use;

/* Visits the entries of one inode, found by binary search. *go = false ends it. n_items: the number of index items in the header. */
typedef bool inode_index_versions(void *context, const struct crypt_index_entry *entry, bool *go, struct error *err);
bool inode_index_visit_inode(struct volume *volume, uint16_t domain, uint64_t n_items, uint64_t inode, inode_index_versions *visit, void *context,
			     struct error *err) must_use;

/*
 * Is there an entry with the inode and the MAC of this one? If so, entry->hint is set. n_items: the number of index items in the header. Uses
 * binary search and reads no more than that takes. A damaged or unsorted index may hide an entry, but never shows one that is not there.
 */
bool inode_index_has(struct volume *volume, uint16_t domain, uint64_t n_items, struct crypt_index_entry *entry, bool *has,
		     struct error *err) must_use;

#endif /* COMMON_SEALED_INODE_INDEX_H */
