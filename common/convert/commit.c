/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One step of a conversion (record, header, position), and stopping between two steps. */
#include "common/convert/commit.h"

#include "common/convert/bad-blocks.h"
#include "common/convert/conversion.h"
#include "common/util/take.h"

/* The most tree blocks that the two header copies take in a record. */
#define HEADER_BLOCKS 2u

static bool commit(struct conversion *c, struct transaction *tx, struct journal_point *point, const struct journal_data *data,
		   struct error *err)
{
	const bool is_cut = conversion_is_cut(point->direction, point->phase, point->cursor);

	if (!is_cut && !bad_blocks_store(c, tx, err)) {
		transaction_drop(tx);
		return false;
	}
	if (!operation_commit(&c->op, tx, point, is_cut, data, err))
		return false;
	c->phase = point->phase;
	c->cursor = point->cursor;
	return true;
}

bool conversion_commit(struct conversion *c, struct transaction *tx, enum crypt_phase phase, uint64_t cursor, struct error *err)
{
	struct journal_point point = { .direction = c->direction, .phase = phase, .cursor = cursor };

	return commit(c, tx, &point, NULL, err);
}

bool conversion_commit_data(struct conversion *c, struct transaction *tx, uint64_t cursor, const struct journal_data *data, struct error *err)
{
	struct journal_point point = { .direction = c->direction, .phase = c->phase, .cursor = cursor };

	return commit(c, tx, &point, data, err);
}

bool conversion_commit_step(struct conversion *c, struct transaction **tx, enum crypt_phase phase, uint64_t cursor, struct error *err)
{
	return conversion_commit(c, TAKE(*tx), phase, cursor, err) && conversion_may_go_on(c, err) &&
	       transaction_begin(c->volume, c->allocator, tx, err);
}

bool conversion_commit_first(struct conversion *c, struct transaction *tx, enum crypt_phase phase, uint64_t cursor, struct error *err)
{
	struct journal_point point = { .direction = c->direction, .phase = phase, .cursor = cursor };

	c->phase = phase;
	c->cursor = cursor;
	if (!bad_blocks_store(c, tx, err)) {
		transaction_drop(tx);
		return false;
	}
	return operation_commit_first(&c->op, tx, &point, err);
}

bool conversion_write_state(struct conversion *c, struct error *err)
{
	const struct journal_point at = { .direction = c->direction, .phase = c->phase, .cursor = c->cursor };

	return operation_write_state(&c->op, &at, err);
}

bool conversion_has_room(const struct conversion *c, const struct transaction *tx, size_t n_blocks, size_t n_ranges, size_t n_tags)
{
	const size_t n = transaction_n_blocks(tx) + n_blocks + HEADER_BLOCKS + bad_blocks_room(c);

	return journal_record_size(&c->op.journal, n, 0, n_ranges, n_tags) <= journal_capacity(&c->op.journal);
}

bool conversion_may_go_on(struct conversion *c, struct error *err)
{
	if (!c->ui || !c->ui->stop || !c->ui->stop(c->ui->context))
		return true;
	if (!conversion_write_state(c, err))
		return false;
	return error_set(err, ERROR_STOPPED, "stopped at a safe point");	/* whoever knows the name of the image says how to go on */
}
