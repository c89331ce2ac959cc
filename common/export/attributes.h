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

/* Damage is reported to bad, which may be called several times. Everything else is returned. */
bool attributes_read(struct attributes *attributes, const struct tree *subvolume, uint64_t inode,
		     void (*bad)(void *context, const struct error *what), void *context, struct error *err) must_use;
void attributes_free(struct attributes *attributes);

#endif /* COMMON_EXPORT_ATTRIBUTES_H */
