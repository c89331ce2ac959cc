/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase STRUCTURE, forward: puts every crypt item into the root tree before any data change. */
#include "common/convert/structure.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/old-side.h"
#include "common/sealed/domain-write.h"
#include "common/sealed/pack.h"
#include "common/tree/chunk-alloc.h"
#include "common/util/take.h"

/* The cursor of this phase: 0 nothing, 1 the first record, then one more for each units item and each inline units item, in this order. */
#define CURSOR_FIRST 1u

static bool count_units(void *context, const uint8_t *item, size_t len, unsigned n_units, struct error *err)
{
	struct crypt_header *header = context;

	(void)item, (void)len, (void)err;
	header->n_unit_items++;
	header->n_units += n_units;
	return true;
}

/* How many items of each kind there will be. The header says so from the beginning. */
bool structure_count(struct conversion *c, struct error *err)
{
	const uint32_t node_size = c->volume->super.node_size;
	struct unit_packer packer = { .scan = c->scan, .item_max = crypt_item_max(node_size) };
	const unsigned per_item = inline_units_per_item(node_size);
	uint32_t len;
	unsigned n_units;

	c->header.n_members = c->n_members;
	c->header.n_inode_flags_items = domain_flags_items(node_size, c->n_flags);
	c->header.n_unit_items = c->header.n_units = 0;
	if (c->old.schedule) {
		if (!old_side_lay_out(c, NULL, count_units, &c->header, err))
			return false;
	} else {
		while (unit_pack_next(&packer, c->header.cipher, NULL, &len, &n_units))
			(void)count_units(&c->header, NULL, len, n_units, err);
	}
	c->header.n_inline_items = (c->header.n_inline_units + per_item - 1) / per_item;
	return true;
}

bool structure_build(struct conversion *c, const struct disk_crypt_slot *slots, size_t n_slots, struct error *err)
{
	const struct crypt_seal no_seal = { 0 };
	const struct domain_items items = {
		.is_new = true,
		.slots = slots,
		.n_slots = n_slots,
		.members = c->members,
		.n_members = c->n_members,
		.flags = c->flags,
		.n_flags = c->n_flags,
		.seal = &no_seal,
	};
	struct transaction *tx;

	if (!transaction_begin(c->volume, c->allocator, &tx, err))
		return false;
	const struct chunk_want want = { c->plan->metadata_missing, c->plan->data_missing };

	if (((want.metadata == 0 && want.data == 0) || chunk_alloc_for(tx, &want, err)) &&
	    domain_write(tx, c->volume, c->schedule, &items, &c->header, err) &&
	    (!c->old.schedule ||
	     domain_insert(tx, c->header.domain, CRYPT_BRIDGE, 0, &c->old.bridge, sizeof(c->old.bridge), err)))
		return conversion_commit_first(c, tx, CRYPT_PHASE_STRUCTURE, CURSOR_FIRST, err);
	transaction_drop(tx);
	return false;
}

/* --- placeholders ------------------------------------------------------------------------------------- */

struct building {
	struct conversion *c;
	struct transaction *tx;
	uint64_t next;		/* cursor value of the next item to insert */
	uint64_t start;		/* items below it exist */
	uint8_t *item;
	unsigned n_inline;	/* inline units in item */
	unsigned per_item;
	uint64_t inline_index, unit_index;
};

static bool insert_next(struct building *b, enum crypt_kind kind, uint64_t index, const uint8_t *bytes, size_t len, struct error *err)
{
	struct conversion *c = b->c;

	if (b->next++ < b->start)
		return true;
	if (!conversion_has_room(c, b->tx, CRYPT_INSERT_BLOCKS, 0, 0)) {
		if (!conversion_commit_step(c, &b->tx, CRYPT_PHASE_STRUCTURE, b->next - 1, err))
			return false;
		conversion_progress(c, b->next, CURSOR_FIRST + c->header.n_unit_items + c->header.n_inline_items);
	}
	return domain_insert(b->tx, c->header.domain, kind, index, bytes, len, err);
}

static bool place_unit_item(void *context, const uint8_t *item, size_t len, unsigned n_units, struct error *err)
{
	struct building *b = context;

	(void)n_units;
	return insert_next(b, CRYPT_UNITS, b->unit_index++, item, len, err);
}

static bool place_units(struct building *b, struct error *err)
{
	struct conversion *c = b->c;
	struct unit_packer packer = { .scan = c->scan, .item_max = crypt_item_max(c->volume->super.node_size) };
	uint32_t len;
	unsigned n_units;

	if (c->old.schedule)
		return old_side_lay_out(c, b->item, place_unit_item, b, err);
	while (unit_pack_next(&packer, c->header.cipher, b->item, &len, &n_units)) {
		if (!place_unit_item(b, b->item, len, n_units, err))
			return false;
	}
	return true;
}

static bool flush_inline(struct building *b, struct error *err)
{
	struct disk_crypt_head head;

	if (b->n_inline == 0)
		return true;
	crypt_head_write(&head, CRYPT_INLINE_UNITS, b->n_inline);
	memcpy(b->item, &head, sizeof(head));

	const size_t len = sizeof(head) + b->n_inline * sizeof(struct disk_crypt_inline_unit);

	b->n_inline = 0;
	return insert_next(b, CRYPT_INLINE_UNITS, b->inline_index++, b->item, len, err);
}

static bool place_inline(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err)
{
	struct building *b = context;
	const struct disk_crypt_inline_unit unit = {
		.i = {
			.cipher = b->c->header.cipher,
			.kind = payload->kind,
			.root = to_le64(b->c->scan->member[leaf->member]),
			.inode = to_le64(payload->inode),
			.offset = to_le64(payload->offset),
			.length = to_le32((uint32_t)payload->bytes.left),
		},
	};

	memcpy(b->item + sizeof(struct disk_crypt_head) + b->n_inline * sizeof(unit), &unit, sizeof(unit));
	b->n_inline++;
	return b->n_inline < b->per_item || flush_inline(b, err);
}

bool structure_continue(struct conversion *c, struct error *err)
{
	const uint32_t node_size = c->volume->super.node_size;
	struct building b = {
		.c = c,
		.next = CURSOR_FIRST,
		.start = c->cursor,
		.item = malloc(node_size),
		.per_item = inline_units_per_item(node_size),
	};
	bool ok = false;

	if (!b.item)
		return error_memory(err);
	if ((c->old.schedule && !old_side_note_moved(c, err)) || !transaction_begin(c->volume, c->allocator, &b.tx, err) || !place_units(&b, err) ||
	    !payloads_visit(c->scan, place_inline, &b, err) || !flush_inline(&b, err))
		goto out;

	ok = conversion_commit(c, TAKE(b.tx), CRYPT_PHASE_STRUCTURE, b.next, err);
out:
	if (b.tx)
		transaction_drop(b.tx);
	free(b.item);
	return ok;
}
