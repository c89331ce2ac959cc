/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The extended attributes of one inode, gathered for writing. */
#ifndef COMMON_EXPORT_ATTRIBUTES_H
#define COMMON_EXPORT_ATTRIBUTES_H

#include "common/export/out.h"

/* More than this in one inode is taken for damage. */
#define ATTRIBUTES_BYTES_MAX (16u << 20)

/* Initialise with { 0 }. May be reused. */
struct attributes {
	struct out_xattr *at;	/* names and values are in bytes */
	size_t n, n_allocated;
	uint8_t *bytes;
	size_t used, size;
};

/* *damaged says what cannot be read of them, if anything. The others are returned. */
bool attributes_read(struct attributes *attributes, const struct tree *subvolume, uint64_t inode,
		     struct error *damaged, struct error *err) must_use;
void attributes_free(struct attributes *attributes);

#endif /* COMMON_EXPORT_ATTRIBUTES_H */
