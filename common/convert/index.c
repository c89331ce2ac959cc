/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Phase INDEX: writes an entry for each version of each inode, in items that are inserted in key order. Entries contain nothing random: a
 * resume computes them again, and what is there already must be the same.
 */
#include "common/convert/index.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/check-units.h"
#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/structure.h"
#include "common/sealed/domain-write.h"
#include "common/sealed/index-scan.h"
#include "common/sealed/pack.h"
#include "common/util/take.h"

unsigned index_entries_per_item(uint32_t node_size)
{
	return (crypt_item_max(node_size) - sizeof(struct disk_crypt_head)) / sizeof(struct disk_crypt_index_entry);
}

/*
 * Joins the units, confirmed by their tags. Nothing has moved, so an extent that no tag confirms is where its units were placed, and
 * damaged: its blocks are known to be bad, or may be skipped now, or this is an error with the file's name.
 */
static bool join_sealed(struct conversion *c, struct error *err)
{
	size_t *lost, n = 0;
	bool ok;

	unit_map_free(c->units);
	c->units = NULL;
	if (!unit_map_read(c->volume, c->header.domain, &c->units, err) ||
	    !unit_map_join(c->units, c->scan, c->schedule, UNIT_PLACE_END, err))
		return false;
	if (c->units->n_joined == c->units->n_groups)
		return true;
	lost = reallocarray(NULL, c->scan->n_extents - c->units->n_joined, sizeof(*lost));
	if (!lost)
		return error_memory(err);
	for (size_t i = 0; i < c->scan->n_extents; i++) {
		if (c->units->of_extent[i] == UNIT_GROUP_NONE)
			lost[n++] = i;
	}
	ok = conversion_join_placed(c, err);
	for (size_t i = 0; ok && i < n; i++)
		ok = extent_check_sealed(c, lost[i], err);
	free(lost);
	return ok;
}

/* Finds where the units of the sealed data are now. */
static bool take_units(struct conversion *c, struct error *err)
{
	inline_map_free(c->inlines);
	c->inlines = NULL;
	return join_sealed(c, err) && inline_map_read(c->volume, c->header.domain, &c->inlines, err);
}

struct filling {
	struct conversion *c;
	struct transaction *tx;
	uint8_t *item;
	unsigned n, per_item;	/* entries in item */
	uint64_t index;		/* of item */
	uint64_t start;		/* items below it exist */
	uint64_t n_entries;
	uint64_t inode, highest;	/* the last inode added and the highest one, for the progress */
};

static bool highest_inode(const struct scan *scan, uint64_t *highest, struct error *err)
{
	static const struct key last = { LAST_FREE_ID, UINT8_MAX, UINT64_MAX };

	*highest = 0;
	for (size_t m = 0; m < scan->n_members; m++) {
		cleanup_tree_iter struct tree_iter iter = { 0 };

		if (!tree_seek_last(&scan->tree[m], &last, &iter, err))
			return false;
		if (iter.valid && iter.key.objectid > *highest)
			*highest = iter.key.objectid;
	}
	return true;
}

/* Checks an item that was written before the resume. */
static bool check_item(const struct filling *f, size_t len, struct error *err)
{
	const struct key key = crypt_key(f->c->header.domain, CRYPT_INDEX, f->index);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;
	bool found;

	if (!tree_open(f->c->volume, ROOT_TREE_ID, &tree, err) || !tree_find(&tree, &key, &iter, &found, err))
		return false;
	return (found && iter.item.left == len && memcmp(iter.item.at, f->item, len) == 0) ||
	       error_set(err, ERROR_STATE, "index item %" PRIu64 " does not match the subvolumes", f->index);
}

static bool insert_item(struct filling *f, size_t len, struct error *err)
{
	struct conversion *c = f->c;

	if (!conversion_has_room(c, f->tx, CRYPT_INSERT_BLOCKS, 0, 0)) {
		if (!conversion_commit_step(c, &f->tx, CRYPT_PHASE_INDEX, f->index, err))
			return false;
		conversion_progress(c, f->inode < f->highest ? f->inode : f->highest, f->highest);
	}
	return domain_insert(f->tx, c->header.domain, CRYPT_INDEX, f->index, f->item, len, err);
}

static bool flush_item(struct filling *f, struct error *err)
{
	const size_t len = sizeof(struct disk_crypt_head) + f->n * sizeof(struct disk_crypt_index_entry);
	struct disk_crypt_head head;

	if (f->n == 0)
		return true;
	crypt_head_write(&head, CRYPT_INDEX, f->n);
	memcpy(f->item, &head, sizeof(head));
	if (!(f->index < f->start ? check_item(f, len, err) : insert_item(f, len, err)))
		return false;
	f->index++;
	f->n = 0;
	return true;
}

static bool add_entry(void *context, const struct index_found *found, struct error *err)
{
	struct filling *f = context;
	struct disk_crypt_index_entry disk;

	crypt_index_write(&found->entry, &disk);
	memcpy(f->item + sizeof(struct disk_crypt_head) + f->n * sizeof(disk), &disk, sizeof(disk));
	f->n++;
	f->n_entries++;
	f->inode = found->entry.inode;
	return f->n < f->per_item || flush_item(f, err);
}

static bool fill(struct filling *f, struct error *err)
{
	struct conversion *c = f->c;
	const struct canonical_input input = {
		.kind = DIGEST_SEALED,
		.volume = c->volume,
		.schedule = c->schedule,
		.units = c->units,
		.inlines = c->inlines,
	};
	cleanup_canonical struct canonical canonical = { 0 };

	return highest_inode(c->scan, &f->highest, err) && canonical_open(&input, &canonical, err) &&
	       transaction_begin(c->volume, c->allocator, &f->tx, err) &&
	       index_scan_visit(c->scan, &canonical, INDEX_PASS_BYTES, add_entry, f, err) && flush_item(f, err);
}

bool index_fill(struct conversion *c, struct error *err)
{
	const uint32_t node_size = c->volume->super.node_size;
	struct filling f = { .c = c, .item = malloc(node_size), .per_item = index_entries_per_item(node_size), .start = c->cursor };
	bool ok = f.item ? take_units(c, err) && fill(&f, err) : error_memory(err);

	if (ok)
		ok = conversion_commit(c, TAKE(f.tx), CRYPT_PHASE_INDEX, f.index, err);
	if (f.tx)
		transaction_drop(f.tx);
	free(f.item);
	c->n_index_items = f.index;
	c->n_index_entries = f.n_entries;
	return ok;
}
