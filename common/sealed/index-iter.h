/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Iterates over the entries of the index, for callers that walk something else beside it. */
#ifndef COMMON_SEALED_INDEX_ITER_H
#define COMMON_SEALED_INDEX_ITER_H

#include "common/tree/tree.h"
#include "format/crypt.h"

struct index_iter {
	bool valid;		/* false: past the last one */
	struct crypt_index_entry entry;
	/* private: */
	struct tree_iter items;
	struct cursor entries;
	unsigned left;
	uint16_t domain;
};

/* Goes to the first entry. Close it also after a failure. An entry out of order is ERROR_CORRUPT. */
bool index_iter_begin(struct index_iter *iter, struct volume *volume, uint16_t domain, struct error *err) must_use;
bool index_iter_next(struct index_iter *iter, struct error *err) must_use;
void index_iter_close(struct index_iter *iter);

/* <0, 0, >0: by inode, then MAC. */
int index_entry_compare(const struct crypt_index_entry *a, const struct crypt_index_entry *b);

#endif /* COMMON_SEALED_INDEX_ITER_H */
