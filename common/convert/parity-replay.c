/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Brings rows in order before and after the last records are put in place. */
#include "common/convert/parity-replay.h"

#include "common/volume/mirror.h"
#include "common/volume/parity-write.h"

struct making {
	struct operation *op;
	enum parity_doubt doubt;
	bool changed;
};

static bool make(struct making *making, uint64_t logical, uint64_t len, struct error *err)
{
	return volume_settle_parity(making->op->volume, logical, len, making->doubt, &making->changed, err);
}

static bool make_range(void *context, const struct journal_range *range, struct error *err)
{
	return make(context, range->address, (uint64_t)range->n_blocks * CRYPT_BLOCK, err);
}

static bool make_carried(void *context, const struct journal_carried *carried, struct error *err)
{
	return make(context, carried->address, (uint64_t)carried->n_blocks * CRYPT_BLOCK, err);
}

static bool make_records(struct making *making, const struct replay *replay, struct error *err)
{
	static const struct journal_visitor visitor = { .on_range = make_range, .on_carried = make_carried };

	for (size_t i = 0; i < replay->n_blocks; i++)
		if (!make(making, replay->block[i]->logical, making->op->volume->super.node_size, err))
			return false;
	for (unsigned i = 0; i < replay->n; i++)
		if (!journal_record_visit(&making->op->journal, &replay->record[i], &visitor, making, err))
			return false;
	return true;
}

static bool settle(const struct making *making, struct error *err)
{
	return !making->changed || volume_flush(making->op->volume, err);
}

bool parity_before_replay(struct operation *op, const struct replay *replay, struct error *err)
{
	struct making making = { .op = op, .doubt = PARITY_KEEP };

	return make_records(&making, replay, err) && settle(&making, err);
}

/* Everything that is allocated in a group with tree blocks. */
static bool make_group(struct making *making, const struct group *group, struct error *err)
{
	uint64_t at = group->logical;

	for (size_t i = 0; i < group->n_free; i++) {
		if (!make(making, at, group->free[i].logical - at, err))
			return false;
		at = group->free[i].logical + group->free[i].length;
	}
	return make(making, at, group->logical + group->length - at, err);
}

static bool make_tree_blocks(struct making *making, struct error *err)
{
	struct allocator *allocator;
	bool ok = true;

	if (!allocator_open_metadata(making->op->volume, &allocator, err))
		return false;
	for (size_t i = 0; ok && i < allocator_n_groups(allocator); i++) {
		const struct group *group = allocator_group(allocator, i);

		if (group->flags & GROUP_PARITY && group->flags & (GROUP_METADATA | GROUP_SYSTEM))
			ok = make_group(making, group, err);
	}
	allocator_close(allocator);
	return ok;
}

/* Do tree blocks? */
static bool has_parity(const struct volume *volume)
{
	for (size_t i = 0; i < volume->n_chunks; i++)
		if (volume->chunks[i].type & GROUP_PARITY && volume->chunks[i].type & (GROUP_METADATA | GROUP_SYSTEM))
			return true;
	return false;
}

bool parity_after_replay(struct operation *op, const struct replay *replay, struct error *err)
{
	struct making making = { .op = op, .doubt = PARITY_MAKE };

	if (!make_records(&making, replay, err))
		return false;
	for (unsigned i = 0; i <= CRYPT_JOURNAL_SLOTS; i++) {
		const struct disk_crypt_range *range = i < CRYPT_JOURNAL_SLOTS ? &op->state.slot[i] : &op->state.keys;

		if (!make(&making, le64(range->logical), le64(range->length), err))
			return false;
	}
	return (!has_parity(op->volume) || make_tree_blocks(&making, err)) && settle(&making, err);
}
