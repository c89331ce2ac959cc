/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies shared tree blocks and data extents. */
#include "common/convert/copy.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/commit.h"
#include "common/convert/copy-data.h"
#include "common/convert/copy-quota.h"
#include "common/convert/copy-refs.h"
#include "common/convert/differing.h"
#include "common/convert/structure.h"
#include "common/util/sorted64.h"
#include "common/util/take.h"
#include "common/volume/mirror.h"

/* --- tree blocks ------------------------------------------------------------------------------------- */

/* The reference that a block has to each of its children, whether it is in its tree or known by its address. */
static struct extent_ref ref_of(const struct block *from, bool is_full, uint64_t tree)
{
	return is_full ? (struct extent_ref){ .type = KEY_SHARED_BLOCK_REF, .parent = from->logical, .count = 1 } :
			 (struct extent_ref){ .type = KEY_TREE_BLOCK_REF, .root = tree, .count = 1 };
}

/* What changes for the children of a copied block. */
struct children {
	struct copying *k;
	const struct block *source, *copy;
	bool leaves_behind;	/* the source gets FULL_BACKREF */
	bool copy_is_full;
	uint64_t owner;		/* of the copy */
};

static bool change_child(const struct children *ch, const struct extent_at *at, const struct extent_ref *by_source,
			 const struct extent_ref *by_owner, const struct extent_ref *by_copy, const struct extent_ref *by_old_owner,
			 struct error *err)
{
	struct transaction *tx = ch->k->tx;
	const struct extent_ref *const new_ref = ch->copy_is_full ? by_copy : by_owner;

	if (!ch->leaves_behind)
		return extent_ref_add(tx, at, new_ref, err);
	if (!extent_ref_add(tx, at, by_source, err))
		return false;
	/* The copy takes over the references of the block that its owner leaves behind. */
	if (!ch->copy_is_full && by_old_owner->root == by_owner->root)
		return true;
	return extent_ref_add(tx, at, new_ref, err) && extent_ref_remove(tx, at, by_old_owner, err);
}

static bool change_children(const struct children *ch, struct error *err)
{
	const struct node *const node = &ch->copy->node;
	const uint64_t old_owner = ch->source->node.owner;

	for (uint32_t i = 0; i < node->n_items; i++) {
		struct extent_at at = { .logical = 0 };

		if (node->level > 0) {
			const struct extent_ref by_source = ref_of(ch->source, true, 0), by_copy = ref_of(ch->copy, true, 0),
						by_owner = ref_of(ch->copy, false, ch->owner), by_old = ref_of(ch->source, false, old_owner);

			at = (struct extent_at){ .logical = node_child(node, i), .level = node->level - 1 };
			if (!change_child(ch, &at, &by_source, &by_owner, &by_copy, &by_old, err))
				return false;
			continue;
		}

		struct copy_file_extent file;

		if (!copy_file_extent(ch->k, node, i, &file, err))
			return false;
		if (!file.has_disk)
			continue;

		const struct extent_ref by_source = copy_data_ref(&file, ch->source->logical, 0), by_copy = copy_data_ref(&file, ch->copy->logical, 0),
					by_owner = copy_data_ref(&file, 0, ch->owner), by_old = copy_data_ref(&file, 0, old_owner);

		at = (struct extent_at){ .logical = file.logical, .length = file.length };
		if (!change_child(ch, &at, &by_source, &by_owner, &by_copy, &by_old, err))
			return false;
	}
	return true;
}

/* Makes the pointer from one block to another lead to the copy. */
static bool point_to(struct copying *k, struct block *parent, uint64_t from, uint64_t to, struct error *err)
{
	uint32_t slot = 0;

	while (slot < parent->node.n_items && node_child(&parent->node, slot) != from)
		slot++;
	if (slot == parent->node.n_items)
		return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 " has no pointer to %" PRIu64, parent->logical, from);
	if (!transaction_edit(k->tx, parent, err))
		return false;
	((struct disk_key_ptr *)(parent->bytes + sizeof(struct disk_header)))[slot].blockptr = to_le64(to);
	return block_refresh(parent, err);
}

/* Moves the reference of every parent in the set from the block to its copy. */
static bool move_parents(struct copying *k, const struct copy_item *item, const struct extent_at *copy, struct error *err)
{
	const struct extent_at source = { .logical = item->logical, .level = item->level };

	for (uint32_t i = 0; i < item->n_edges; i++) {
		cleanup_block struct block *parent = NULL;
		bool is_full;

		if (!copy_parent(k, k->plan->block_edge[item->first_edge + i], item->level + 1, &parent, &is_full, err))
			return false;

		const struct extent_ref ref = ref_of(parent, is_full, parent->node.owner);

		if (!extent_ref_add(k->tx, copy, &ref, err) || !extent_ref_remove(k->tx, &source, &ref, err) ||
		    !point_to(k, parent, item->logical, copy->logical, err))
			return false;
	}
	return true;
}

/*
 * The owner of the copy: the tree of a parent that is not itself known by its address alone. 0: there is none, and the copy is known by its
 * address too.
 */
static bool find_owner(struct copying *k, const struct copy_item *item, uint64_t *owner, struct error *err)
{
	*owner = 0;
	for (uint32_t i = 0; i < item->n_edges && *owner == 0; i++) {
		cleanup_block struct block *parent = NULL;
		bool is_full;

		if (!copy_parent(k, k->plan->block_edge[item->first_edge + i], item->level + 1, &parent, &is_full, err))
			return false;
		if (!is_full)
			*owner = parent->node.owner;
	}
	return true;
}

static bool copy_block(struct copying *k, const struct copy_item *item, struct error *err)
{
	const struct block_expect expect = { .level = item->level };
	const struct extent_at source_at = { .logical = item->logical, .level = item->level };
	const struct scan *const scan = k->c->scan;
	cleanup_block struct block *source = NULL;
	struct children ch = { .k = k };
	struct extent_item extent;
	struct copied *copied;
	struct block *copy;
	void *record;

	if (!block_get(k->c->volume, item->logical, &expect, &source, err) || !extent_look(k->tx, &source_at, &extent, err) ||
	    !find_owner(k, item, &ch.owner, err) ||
	    !transaction_copy_block(k->tx, source, ch.owner ? ch.owner : source->node.owner, &copy, err))
		return false;

	const struct extent_at copy_at = { .logical = copy->logical, .level = item->level };

	ch.source = source;
	ch.copy = copy;
	ch.copy_is_full = ch.owner == 0;
	ch.leaves_behind = !(extent.flags & EXTENT_FLAG_FULL_BACKREF) && sorted64_find(scan->member, scan->n_members, source->node.owner);
	if (!extent_add(k->tx, &copy_at, extent.generation, EXTENT_FLAG_TREE_BLOCK | (ch.copy_is_full ? EXTENT_FLAG_FULL_BACKREF : 0), copy, 0, err) ||
	    !move_parents(k, item, &copy_at, err) || !change_children(&ch, err) ||
	    (ch.leaves_behind && !extent_set_full_backref(k->tx, &source_at, err)) ||
	    !copy_quota_add(k, ch.owner, extent.generation, scan->volume->super.node_size, err) || !record_table_add(&k->plan->copied, item->logical, &record, err))
		return false;
	copied = record;
	copied->copy = copy->logical;
	return true;
}

/* --- all of them ---------------------------------------------------------------------------------------- */

static bool commit(struct copying *k, struct error *err)
{
	if (k->data_written && !volume_flush(k->c->volume, err))
		return false;
	k->data_written = 0;
	return conversion_commit_step(k->c, &k->tx, CRYPT_PHASE_STRUCTURE, k->c->cursor, err);
}

/* A step that is too large for what is left of a record begins a new one. One that needs more than a record fails when it is committed. */
static bool make_room(struct copying *k, size_t n_blocks, struct error *err)
{
	return k->data_written < BATCH_BYTES && conversion_has_room(k->c, k->tx, n_blocks, 0, 0) ? true :
	       transaction_n_blocks(k->tx) == 0 || commit(k, err);
}

static bool copy_all(struct copying *k, struct error *err)
{
	struct conversion *c = k->c;
	const struct copy_plan *const plan = k->plan;
	const uint64_t node_size = c->volume->super.node_size, total = plan->n_blocks * node_size + plan->data_bytes;
	uint64_t done = 0;

	if (!copy_quota_begin(k, err))
		return false;
	for (size_t i = 0; i < plan->n_blocks; i++, done += node_size) {
		if (!make_room(k, copy_block_room(plan, c->volume, &plan->block[i]), err) || !copy_block(k, &plan->block[i], err))
			return false;
		conversion_progress(c, done, total);
	}
	for (size_t i = 0; i < plan->n_extents; done += plan->extent[i++].length) {
		if (!make_room(k, copy_extent_room(plan, c->volume, &plan->extent[i]), err) || !copy_extent(k, &plan->extent[i], err))
			return false;
		conversion_progress(c, done, total);
	}
	return commit(k, err);
}

bool copy_is_pending(const struct conversion *c)
{
	return (le32(c->op.state.flags) & (CRYPT_STATE_COPY | CRYPT_STATE_COPIED)) == CRYPT_STATE_COPY;
}

static bool say_copied(struct conversion *c, struct error *err)
{
	c->op.state.flags = to_le32(le32(c->op.state.flags) | CRYPT_STATE_COPIED);
	return conversion_begin_digest(c, c->op.state.begin_digest, err) && conversion_write_state(c, err);
}

/* The members as they are now. */
static bool scan_again(struct conversion *c, struct error *err)
{
	uint64_t *ids = calloc(c->n_members, sizeof(*ids));
	bool ok = ids || error_memory(err);

	for (size_t i = 0; ok && i < c->n_members; i++)
		ids[i] = c->members[i].id;
	scan_free(c->scan);
	c->scan = NULL;
	ok = ok && scan_run(c->volume, ids, c->n_members, &c->scan, err);
	free(ids);
	return ok;
}

/* What was copied has other addresses now: units are laid out by them. */
static bool take_stock(struct conversion *c, struct error *err)
{
	struct copy_plan *left = NULL;
	struct transaction *tx;

	copy_plan_free(c->copy);
	c->copy = NULL;
	if (!scan_again(c, err) || !copy_plan_make(c->scan, &left, err))
		return false;
	if (left) {
		copy_plan_free(left);
		return error_set(err, ERROR_CORRUPT, "something is still shared after it was copied");
	}
	free(c->differing.at);
	c->differing = (struct conversion_differing){ 0 };
	if (!differing_find(c, err) || !structure_count(c, err))
		return false;
	c->op.state.total = to_le64(c->scan->data_bytes);
	c->op.state.n_unit_items = to_le64(c->header.n_unit_items);
	return transaction_begin(c->volume, c->allocator, &tx, err) && conversion_commit(c, tx, CRYPT_PHASE_STRUCTURE, c->cursor, err) &&
	       say_copied(c, err);
}

bool copy_run(struct conversion *c, struct error *err)
{
	struct copying k = { .c = c, .plan = c->copy };
	bool ok = true;

	if (c->copy) {
		ok = copying_begin(&k, err) && copy_all(&k, err);
		copying_end(&k);
	}
	return ok && take_stock(c, err);
}

bool copy_settle(struct conversion *c, struct error *err)
{
	return say_copied(c, err);
}
