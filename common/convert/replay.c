/* SPDX-License-Identifier: GPL-2.0-or-later */
/* After a crash: applies the last records to the trees, first in memory, and on the disk once everything is known to be right. */
#include "common/convert/replay.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/disk-epoch.h"
#include "common/convert/others.h"
#include "common/convert/parity-replay.h"
#include "common/convert/side.h"
#include "common/fs/subvolume.h"
#include "common/util/array.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"

/* A crash may leave the header on disk this many records behind. */
#define EPOCHS_BEHIND 2u

void replay_free(struct replay *replay)
{
	for (size_t i = 0; i < replay->n_blocks; i++)
		block_put(replay->block[i]);
	free(replay->block);
	for (unsigned i = 0; i < replay->n; i++)
		journal_record_free(&replay->record[i]);
	*replay = (struct replay){ 0 };
}

/* --- loading ------------------------------------------------------------------------------------- */

struct loading {
	struct operation *op;
	struct replay *replay;
};

bool replay_target_fits(const struct operation *op, uint64_t logical, uint64_t len, uint64_t type, struct error *err)
{
	const struct volume *volume = op->volume;
	const struct chunk *chunk;

	if (!volume_chunk(volume, logical, &chunk, err)) {
		err->kind = ERROR_STATE;
		return false;
	}
	if (!(chunk->type & type) || len > chunk->length - (logical - chunk->logical))
		return error_set(err, ERROR_STATE, "a journal record names %#" PRIx64 "+%" PRIu64 ", which is no place for it", logical, len);
	if (volume_range_is_reserved(volume, logical, len))
		return error_set(err, ERROR_STATE, "a journal record names %#" PRIx64 ", where a superblock is", logical);
	for (unsigned i = 0; i <= CRYPT_JOURNAL_SLOTS; i++) {
		const struct disk_crypt_range *own = i < CRYPT_JOURNAL_SLOTS ? &op->state.slot[i] : &op->state.keys;

		if (logical < le64(own->logical) + le64(own->length) && le64(own->logical) < logical + len)
			return error_set(err, ERROR_STATE, "a journal record names %#" PRIx64 ", where the journal is", logical);
	}
	return true;
}

static struct block *block_of(const struct replay *replay, uint64_t logical)
{
	for (size_t i = replay->n_blocks; i-- > 0;) {
		if (replay->block[i]->logical == logical)
			return replay->block[i];
	}
	return NULL;
}

/* Loads a block of a record into the cache, to be written to all mirrors. type: of the chunks it may be in. */
static bool load_block(struct loading *loading, const struct journal_changed *changed, uint64_t type, struct error *err)
{
	struct operation *op = loading->op;
	struct replay *replay = loading->replay;
	const uint32_t node_size = op->volume->super.node_size;
	struct block *block = block_of(replay, changed->logical);

	if (!replay_target_fits(op, changed->logical, node_size, type, err))
		return false;
	if (!block) {
		if (!ARRAY_ROOM(replay->block, replay->n_blocks, replay->room, err))
			return false;
		if (!block_new(op->volume, changed->logical, &block, err))
			return false;
		block->is_new = false;
		replay->block[replay->n_blocks++] = block;
		if (!disk_epoch_look(op, changed->logical, replay, err))
			return false;
	}
	memcpy(block->bytes, changed->bytes, node_size);
	if (!csum_block_matches(op->volume->super.csum_type, block->bytes, node_size) || !block_refresh(block, err) ||
	    memcmp(block->node.fsid, op->volume->super.metadata_fsid, FSID_SIZE) != 0)
		return error_set(err, ERROR_STATE, "a journal record's block for %#" PRIx64 " is no tree block of this filesystem",
				 changed->logical);
	return true;
}

static bool load_changed(void *context, const struct journal_changed *changed, struct error *err)
{
	return load_block(context, changed, GROUP_METADATA, err);
}

/* Is there a tree block of this filesystem on some mirror? */
static bool is_tree_block(struct volume *volume, uint64_t logical, uint8_t *bytes, bool *is, struct error *err)
{
	unsigned n_mirrors;

	*is = false;
	if (!volume_n_mirrors(volume, logical, &n_mirrors, err))
		return false;
	for (unsigned mirror = 0; mirror < n_mirrors && !*is; mirror++) {
		struct error ignored;
		struct node node;

		*is = block_mirror_read(volume, logical, mirror, bytes, &node, &ignored);
	}
	return true;
}

/*
 * The block is not what the newest record says, although it was durable: a later record, now lost, has changed it. It stays as it is in
 * place, and its readers compare it with the pointer to it.
 */
static bool leave_new(struct loading *loading, uint64_t logical, uint8_t *bytes, struct error *err)
{
	bool is;

	if (!is_tree_block(loading->op->volume, logical, bytes, &is, err))
		return false;
	if (!is)
		return error_set(err, ERROR_STATE, "the new tree block %" PRIu64 " of a journal record is not there", logical);
	loading->replay->changed_later = logical;
	return disk_epoch_look(loading->op, logical, loading->replay, err);
}

/*
 * A power cut may have left the block on one mirror only, and nobody else writes the others. Records never change blocks of the chunk tree,
 * but may add new ones.
 */
static bool load_new(void *context, const struct journal_new *new_block, struct error *err)
{
	struct loading *loading = context;
	struct operation *op = loading->op;
	uint8_t *bytes = malloc(op->volume->super.node_size);
	const struct journal_changed changed = { .logical = new_block->logical, .bytes = bytes };
	bool found, ok;

	if (!bytes)
		return error_memory(err);
	ok = journal_read_new(&op->journal, new_block, bytes, &found, err) &&
	     (found ? load_block(loading, &changed, GROUP_METADATA | GROUP_SYSTEM, err) : leave_new(loading, new_block->logical, bytes, err));
	wiped_free(bytes, op->volume->super.node_size);
	return ok;
}

/* What err says only a record after the newest can have put in place. */
static bool may_be_lost(const struct replay *replay, struct error *err)
{
	return replay->owner.may_be_lost && replay->owner.may_be_lost(replay->owner.context, replay, err);
}

static bool check_sequence(const struct operation *op, const struct replay *replay, struct error *err)
{
	const struct journal_record *newest = &replay->record[replay->n - 1];
	const uint64_t known = le64(op->state.sequence), epoch = newest->header.epoch;

	if (newest->header.sequence < known && !error_set(err, ERROR_STATE, "the newest journal record is %" PRIu64
		", but the state knows of %" PRIu64,
							  newest->header.sequence, known) && !may_be_lost(replay, err))
		return false;
	for (unsigned i = 0; i < replay->n; i++) {
		const struct journal_record *record = &replay->record[i];

		if (record->header.sequence == known &&
		    (!secret_same(record->mac, op->state.journal_mac, CRYPT_MAC_SIZE) || record->header.epoch != le64(op->state.epoch)))
			return error_set(err, ERROR_STATE, "journal record %" PRIu64 " is not the one that the state knows of", known);
	}
	/* One record, one epoch. */
	if (epoch + (newest->header.sequence < known) < le64(op->state.epoch))
		return error_set(err, ERROR_STATE, "the newest journal record has epoch %" PRIu64 ", but the state has %" PRIu64, epoch,
				 le64(op->state.epoch));
	/* What a restore found, and puts back when it is undone, may be any older header. */
	if (replay->disk_epoch > epoch || (replay->disk_epoch != 0 && !(le32(op->state.flags) & CRYPT_STATE_RESTORE) && replay->disk_epoch + EPOCHS_BEHIND < epoch))
		return error_set(err, ERROR_STATE, "the header of the sealing has epoch %" PRIu64 ", but the journal has %" PRIu64,
				 replay->disk_epoch, epoch) || (replay->disk_epoch == epoch + 1 && may_be_lost(replay, err));
	return replay->changed_later == 0 ||
	       error_set(err, ERROR_STATE, "tree block %" PRIu64 " is not as journal record %" PRIu64 ", the newest, wrote it",
			 replay->changed_later, newest->header.sequence) || may_be_lost(replay, err);
}

/*
 * Where the operation stands once the records are in place. A new phase is written to the state alone. If a record is lost that the state
 * knows of, its phase is that of the state, or the one before if that has only begun.
 */
static struct journal_point point_after(const struct operation *op, const struct journal_header *newest)
{
	const uint64_t known = le64(op->state.sequence);
	const bool forward = side_to(op->state.operation, newest->direction)->is_forward;
	const uint64_t start = forward ? 0 : UINT64_MAX;
	struct journal_point at = {
		.direction = newest->direction, .phase = newest->phase, .cursor = newest->cursor, .epoch = newest->epoch,
	};
	unsigned phase = op->state.phase;

	if (newest->sequence == known) {
		at.phase = op->state.phase;
		at.cursor = le64(op->state.cursor);
	} else if (newest->sequence + 1 == known && op->state.direction == newest->direction) {
		if (le64(op->state.cursor) == start)
			phase += forward ? -1 : 1;
		if (phase != at.phase)
			at.cursor = start;
		at.phase = phase;
	}
	return at;
}

bool replay_load(struct operation *op, const struct replay_owner *owner, struct replay *replay, struct error *err)
{
	struct loading loading = { op, replay };
	struct superblock *super = &op->volume->super;
	const struct journal_header *newest;
	cleanup_others struct others others = { 0 };

	*replay = (struct replay){ .owner = *owner };
	const uint64_t known = le64(op->state.sequence);

	/* One less: below it is decided whether the lost one matters. */
	if (!journal_find(&op->journal, known > 0 ? known - 1 : 0, &(struct journal_proof){ disk_epoch_proves, op }, replay->record, &replay->n, err))
		return false;
	if (replay->n == 0)
		return error_set(err, ERROR_STATE, "there is no journal record");
	if (!others_look(op->volume, op->header->domain, op->state.kcv_old, &others, err))
		return false;
	block_cache_drop_all(op->volume);
	for (unsigned i = 0; i < replay->n; i++) {
		/* The new blocks of the older record were durable before the newest was begun, which may have changed or freed them. */
		const struct journal_visitor visitor = { .on_changed = load_changed, .on_new = i + 1 == replay->n ? load_new : NULL };

		if (!journal_record_visit(&op->journal, &replay->record[i], &visitor, &loading, err))
			return false;
	}
	newest = &replay->record[replay->n - 1].header;
	replay->at = point_after(op, newest);
	op->header->epoch = newest->epoch;
	if (!check_sequence(op, replay, err))
		return false;
	superblock_set_root_level(super, newest->root_level);
	superblock_set_bytes_used(super, newest->bytes_used);
	return others_check(op->volume, &others, err);
}

/* --- checking and writing ----------------------------------------------------------------------------------- */

struct naming {
	uint64_t logical;
	bool named;
};

static bool names_block(void *context, const struct journal_changed *changed, struct error *err)
{
	struct naming *naming = context;

	(void)err;
	naming->named |= changed->logical == naming->logical;
	return true;
}

struct range_visit {
	struct operation *op;
	const struct replay_owner *owner;
	const struct journal_header *header;
	bool write;
};

static bool visit_range(void *context, const struct journal_range *range, struct error *err)
{
	const struct range_visit *visit = context;

	if (!visit->owner->range)
		return error_set(err, ERROR_STATE, "a journal record changes data, which this operation does not");
	return visit->owner->range(visit->owner->context, visit->header, range, visit->write, err);
}

/* The record has what is to be written, so nothing needs to be recognised. It is always a whole extent. */
static bool visit_carried(void *context, const struct journal_carried *carried, struct error *err)
{
	const struct range_visit *visit = context;
	struct operation *op = visit->op;
	const size_t len = (size_t)carried->n_blocks * CRYPT_BLOCK;
	bool allocated;

	if (op->state.operation != CRYPT_OP_LEGACY)
		return error_set(err, ERROR_STATE, "a journal record carries data, which this operation does not");
	if (visit->write)
		return volume_write(op->volume, carried->address, carried->bytes, len, err);
	if (!replay_target_fits(op, carried->address, len, GROUP_DATA, err) ||
	    !extent_is_allocated(op->volume, carried->address, len, EXTENT_OF_DATA, &allocated, err))
		return false;
	return allocated || error_set(err, ERROR_STATE, "a journal record carries data for %#" PRIx64 "+%zu, which is no extent", carried->address, len);
}

static bool ranges(struct operation *op, const struct replay *replay, bool write, struct error *err)
{
	static const struct journal_visitor visitor = { .on_range = visit_range, .on_carried = visit_carried };
	bool ok = true;

	for (unsigned i = 0; ok && i < replay->n; i++) {
		struct range_visit visit = { op, &replay->owner, &replay->record[i].header, write };

		ok = journal_record_visit(&op->journal, &replay->record[i], &visitor, &visit, err);
	}
	return ok;
}

bool replay_check(struct operation *op, const struct replay *replay, struct error *err)
{
	for (size_t i = 0; i < replay->n_blocks; i++) {
		struct naming naming = { .logical = replay->block[i]->logical };
		bool allocated;

		if (!extent_is_allocated(op->volume, naming.logical, op->volume->super.node_size, EXTENT_OF_TREE, &allocated, err))
			return false;
		if (allocated)
			continue;
		/* The newest record may have freed a block of the one before it. */
		if (!journal_record_visit(&op->journal, &replay->record[replay->n - 1],
					  &(struct journal_visitor){ .on_changed = names_block }, &naming, err))
			return false;
		if (naming.named)
			return error_set(err, ERROR_STATE, "a journal record names the tree block %#" PRIx64 ", which is not allocated",
					 naming.logical);
	}
	return ranges(op, replay, false, err);
}

/* It must not be written: what is in place is newer than the records. */
static bool is_held(const struct replay *replay, uint64_t logical)
{
	return replay->owner.holds && replay->owner.holds(replay->owner.context, logical);
}

/* Writes the blocks of the root tree, or all others. */
static bool write_blocks(struct operation *op, const struct replay *replay, bool of_root_tree, struct error *err)
{
	for (size_t i = 0; i < replay->n_blocks; i++) {
		const struct block *block = replay->block[i];

		if ((block->node.owner == ROOT_TREE_ID) == of_root_tree && !is_held(replay, block->logical) &&
		    !volume_write(op->volume, block->logical, block->bytes, op->volume->super.node_size, err))
			return false;
	}
	return true;
}

bool replay_write(struct operation *op, struct replay *replay, struct error *err)
{
	const struct journal_record *newest = &replay->record[replay->n - 1];

	/*
	 * A power cut may have left the record on one mirror. Once anything of it is in place, a mirror that goes bad must not make it look
	 * uncommitted.
	 */
	if (!volume_write(op->volume, newest->header.place, newest->bytes, newest->len, err) || !volume_flush(op->volume, err) ||
	    !volume_read_back(op->volume, newest->header.place, newest->bytes, newest->len, err))
		return false;
	if (replay->owner.durable && !replay->owner.durable(replay->owner.context, replay, err))
		return false;
	/* In the order of a commit. */
	if (!parity_before_replay(op, replay, err) || !write_blocks(op, replay, true, err) || !volume_flush(op->volume, err) || !write_blocks(op, replay, false, err) ||
	    !ranges(op, replay, true, err) || !volume_flush(op->volume, err))
		return false;
	for (size_t i = 0; i < replay->n_blocks; i++) {
		struct block *block = replay->block[i];

		if (!is_held(replay, block->logical) && !volume_read_back(op->volume, block->logical, block->bytes, op->volume->super.node_size, err))
			return false;
		block_set_changed(block, false);
	}
	return parity_after_replay(op, replay, err);
}
