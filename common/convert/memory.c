/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reserves the memory for the whole conversion before its first write: if there is not enough, nothing has happened yet.
 *
 * The memory is not handed out piece by piece. Code after the first write allocates as usual, and so do the libraries. This file sums up
 * the most that all of it has in use at one time, and malloc() is made to keep that much (memory_hold()). So code that runs later in a
 * conversion keeps three rules: what it allocates is bounded by a number known before the first write; it has a term below, unless it fits
 * into MEMORY_SPARE with the rest; and it uses malloc(), not mmap() (a struct secret is mapped, so none is made after the first write).
 * tests/image/memory.sh runs conversions that may not grow after their first write.
 */
#include "common/convert/memory.h"

#include <inttypes.h>

#include "common/sealed/index-scan.h"
#include "common/util/held-memory.h"
#include "common/volume/block-cache.h"

#define MEMORY_SPARE (16u << 20)	/* contexts of libraries, stdio, a node or unit here and there */
#define COPY_BYTES (16u << 20)	/* a piece of data, checksums of an extent */
#define GROWN 3u			/* an array that doubles, plus the copy it is moved from */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The buffers that never exist at the same time. */
static bool work_bytes(const struct conversion *c, uint64_t *bytes, struct error *err)
{
	const uint64_t data = c->scan ? c->scan->data_bytes : 0;
	/* Phase DATA: a batch, its tags, and a range for each block. */
	const uint64_t batch = most(least(data, BATCH_BYTES), (uint64_t)CRYPT_UNIT_BLOCKS_MAX * CRYPT_BLOCK) / CRYPT_BLOCK *
			       (CRYPT_BLOCK + (c->old.schedule ? 2 : 1) * CRYPT_TAG_SIZE + sizeof(struct journal_range));
	/* Joining moved units, and sorting by address (unit-join.c). */
	const uint64_t hints = least(c->header.n_units * 32, 64u << 20);
	uint64_t index = 0;	/* phase INDEX: one pass over a range of inode numbers */

	if (c->scan && c->op.state.operation != CRYPT_OP_DECRYPT && !index_scan_bytes(c->scan, INDEX_PASS_BYTES, &index, err))
		return false;
	*bytes = most(most(batch, hints), index);
	return true;
}

/* The trees' blocks: those of the current record and those in the cache. */
static uint64_t block_bytes(const struct conversion *c)
{
	const uint64_t record = journal_capacity(&c->op.journal);
	uint64_t used = 0;

	for (size_t i = 0; i < allocator_n_groups(c->allocator); i++) {
		const struct group *group = allocator_group(c->allocator, i);

		used += group->flags & (GROUP_METADATA | GROUP_SYSTEM) ? group->used : 0;
	}
	return (record + least(BLOCK_CACHE_IDLE_MAX, used + record)) / 16 * 17;
}

/* What grows with the filesystem: tables that are rebuilt, and lists. */
static uint64_t table_bytes(const struct conversion *c)
{
	const uint64_t extents = c->scan ? c->scan->n_extents : 0, blocks = c->scan ? c->scan->n_blocks : 0;
	const uint64_t groups = most(c->header.n_units, extents), items = c->header.n_unit_items + c->header.n_inline_items + c->header.n_index_items +
			       c->header.n_bad_items +
			       c->old.header.n_unit_items + c->old.header.n_inline_items + c->old.header.n_index_items + c->old.header.n_bad_items;
	uint64_t free_ranges = 64;

	for (size_t i = 0; i < allocator_n_groups(c->allocator); i++)
		free_ranges += allocator_group(c->allocator, i)->n_free;
	return groups * sizeof(struct unit_group_kept) * GROWN + extents * sizeof(uint32_t) + items * sizeof(uint32_t) * GROWN +
	       c->header.n_inline_units * sizeof(struct inline_entry) * (GROWN + 1) +	/* + 1: for sorting */
	       blocks * sizeof(struct digest_sum) +
	       /* Once copies are made, the members are scanned again, and once more looked at for what is shared. */
	       (c->copy ? (blocks * sizeof(struct scan_block) + extents * sizeof(struct scan_extent)) * GROWN + (blocks + extents) * 16 +
			  c->copy->n_blocks * sizeof(struct copied) * GROWN + COPY_BYTES : 0) +
	       /* The blocks of the crypt items, once cut off: a list of them and a set of those that stay. */
	       items * 16 * GROWN + items * sizeof(uint64_t) * 4 * GROWN +
	       (free_ranges + items) * sizeof(struct free_range) * GROWN;
}

bool conversion_hold_memory(struct conversion *c, struct error *err)
{
	uint64_t bytes;

	if (!work_bytes(c, &bytes, err))
		return false;
	block_cache_drop_idle(c->volume);	/* idle blocks are counted in full */
	bytes += block_bytes(c) + table_bytes(c) + MEMORY_SPARE;
	if (bytes <= SIZE_MAX && memory_hold(bytes, err))
		return true;
	return error_set(err, ERROR_MEMORY, "out of memory: the conversion needs %" PRIu64 " MiB more", (bytes >> 20) + 1);
}
