/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/found-record.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/util/array.h"
#include "common/volume/block.h"

void found_blocks_free(struct found_blocks *found)
{
	free(found->at);
	*found = (struct found_blocks){ 0 };
}

bool found_blocks_of(const struct transaction *tx, struct found_blocks *found, struct error *err)
{
	for (size_t i = 0; i < transaction_n_changed(tx); i++) {
		if (!ARRAY_ROOM(found->at, found->n, found->room, err))
			return false;
		found->at[found->n++] = transaction_changed(tx, i)->logical;
	}
	return true;
}

bool found_record_write(struct operation *op, struct allocator *allocator, const struct found_blocks *found, struct journal_point at,
			struct error *err)
{
	struct transaction *tx;
	bool ok = transaction_begin(op->volume, allocator, &tx, err);

	if (!ok)
		return false;
	for (size_t i = 0; ok && i < found->n; i++) {
		cleanup_block struct block *block = NULL;

		ok = block_get(op->volume, found->at[i], NULL, &block, err) && transaction_edit(tx, block, err);
	}
	if (!ok) {
		transaction_drop(tx);
		return false;
	}
	at.only_record = true;
	return operation_commit(op, tx, &at, true, NULL, err);
}

/* --- undoing --------------------------------------------------------------------------------------------------------- */

struct turning {
	struct operation *op;
	const struct journal_record *found;	/* record 1 */
	struct transaction *tx;
	uint64_t logical;
	bool is_named;
};

static bool put_back(void *context, const struct journal_changed *changed, struct error *err)
{
	const struct turning *const turning = context;
	struct volume *const volume = turning->op->volume;
	cleanup_block struct block *block = NULL;

	if (!block_get(volume, changed->logical, NULL, &block, err) || !transaction_edit(turning->tx, block, err))
		return false;
	memcpy(block->bytes, changed->bytes, volume->super.node_size);
	return block_refresh(block, err);
}

static bool look_for_name(void *context, const struct journal_changed *changed, struct error *err)
{
	struct turning *const turning = context;

	(void)err;
	turning->is_named |= changed->logical == turning->logical;
	return true;
}

/* Does record 1 have this block, which record 2 changed? */
static bool check_named(void *context, const struct journal_changed *changed, struct error *err)
{
	static const struct journal_visitor names = { .on_changed = look_for_name };
	struct turning *const turning = context;

	turning->logical = changed->logical;
	turning->is_named = false;
	return journal_record_visit(&turning->op->journal, turning->found, &names, turning, err) &&
	       (turning->is_named || error_set(err, ERROR_STATE, "tree block %" PRIu64 " was changed, but no journal record has what was found there",
					       changed->logical));
}

bool found_record_put_back(struct operation *op, struct allocator *allocator, const struct replay *replay, struct journal_point *at,
			   struct error *err)
{
	static const struct journal_visitor check = { .on_changed = check_named }, back = { .on_changed = put_back };
	struct superblock *const super = &op->volume->super;
	struct turning turning = { .op = op, .found = &replay->record[0] };

	if (replay->n != 2)
		return error_set(err, ERROR_STATE, "no journal record has what was found before");
	if (!journal_record_visit(&op->journal, &replay->record[1], &check, &turning, err) ||
	    !transaction_begin(op->volume, allocator, &turning.tx, err))
		return false;
	if (!journal_record_visit(&op->journal, turning.found, &back, &turning, err)) {
		transaction_drop(turning.tx);
		return false;
	}
	superblock_set_root_level(super, turning.found->header.root_level);
	superblock_set_bytes_used(super, turning.found->header.bytes_used);
	at->direction = CRYPT_TO_PLAIN;
	return operation_commit(op, turning.tx, at, true, NULL, err) && operation_write_state(op, at, err);
}
