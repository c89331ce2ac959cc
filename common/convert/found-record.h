/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An operation of two records that can be undone whatever it does to tree blocks: record 1 has the blocks as they were found, and is not
 * carried out; record 2 has the same blocks as they are to be. Both are durable before the superblocks say that anything is unfinished.
 * Undoing writes what record 1 has once more, as record 3, so it gives back what was found, damage included.
 */
#ifndef COMMON_CONVERT_FOUND_RECORD_H
#define COMMON_CONVERT_FOUND_RECORD_H

#include "common/convert/operation.h"
#include "common/convert/replay.h"

struct found_blocks {	/* initialise with { 0 } */
	uint64_t *at;	/* ascending */
	size_t n, room;
};
void found_blocks_free(struct found_blocks *found);

/* The blocks that a settled transaction changes. Whoever asks drops it then, and does the same again for record 2. */
bool found_blocks_of(const struct transaction *tx, struct found_blocks *found, struct error *err) must_use;
/* Record 1. */
bool found_record_write(struct operation *op, struct allocator *allocator, const struct found_blocks *found, struct journal_point at,
			struct error *err) must_use;
/* Both records are in place: turns round, in a record and in the superblocks. */
bool found_record_put_back(struct operation *op, struct allocator *allocator, const struct replay *replay, struct journal_point *at,
			   struct error *err) must_use;

#endif /* COMMON_CONVERT_FOUND_RECORD_H */
