/* SPDX-License-Identifier: GPL-2.0-or-later */
/* After a crash: applies the last records to the trees, first in memory, and on the disk once everything is known to be right. */
#include "common/convert/replay.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/batch.h"
#include "common/convert/disk-epoch.h"
#include "common/convert/lost-record.h"
#include "common/convert/torn.h"
#include "common/fs/path.h"
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
	struct conversion *c;
	struct replay *replay;
};

/* Rejects places that no record may name. */
static bool check_target(const struct conversion *c, uint64_t logical, uint64_t len, uint64_t type, struct error *err)
{
	const struct volume *volume = c->volume;
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
		const struct disk_crypt_range *own = i < CRYPT_JOURNAL_SLOTS ? &c->state.slot[i] : &c->state.keys;

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
	struct conversion *c = loading->c;
	struct replay *replay = loading->replay;
	const uint32_t node_size = c->volume->super.node_size;
	struct block *block = block_of(replay, changed->logical);

	if (!check_target(c, changed->logical, node_size, type, err))
		return false;
	if (!block) {
		if (!ARRAY_ROOM(replay->block, replay->n_blocks, replay->room, err))
			return false;
		if (!block_new(c->volume, changed->logical, &block, err))
			return false;
		block->is_new = false;
		replay->block[replay->n_blocks++] = block;
		if (!disk_epoch_look(c, changed->logical, replay, err))
			return false;
	}
	memcpy(block->bytes, changed->bytes, node_size);
	if (!csum_block_matches(c->volume->super.csum_type, block->bytes, node_size) || !block_refresh(block, err) ||
	    memcmp(block->node.fsid, c->volume->super.metadata_fsid, FSID_SIZE) != 0)
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

	if (!is_tree_block(loading->c->volume, logical, bytes, &is, err))
		return false;
	if (!is)
		return error_set(err, ERROR_STATE, "the new tree block %" PRIu64 " of a journal record is not there", logical);
	loading->replay->changed_later = logical;
	return disk_epoch_look(loading->c, logical, loading->replay, err);
}

/*
 * A power cut may have left the block on one mirror only, and nobody else writes the others. Records never change blocks of the chunk tree,
 * but may add new ones.
 */
static bool load_new(void *context, const struct journal_new *new_block, struct error *err)
{
	struct loading *loading = context;
	struct conversion *c = loading->c;
	uint8_t *bytes = malloc(c->volume->super.node_size);
	const struct journal_changed changed = { .logical = new_block->logical, .bytes = bytes };
	bool found, ok;

	if (!bytes)
		return error_memory(err);
	ok = journal_read_new(&c->journal, new_block, bytes, &found, err) &&
	     (found ? load_block(loading, &changed, GROUP_METADATA | GROUP_SYSTEM, err) : leave_new(loading, new_block->logical, bytes, err));
	wiped_free(bytes, c->volume->super.node_size);
	return ok;
}

static bool check_sequence(struct conversion *c, const struct replay *replay, struct error *err)
{
	const struct journal_record *newest = &replay->record[replay->n - 1];
	const uint64_t known = le64(c->state.sequence), epoch = newest->header.epoch;

	if (newest->header.sequence < known && !error_set(err, ERROR_STATE, "the newest journal record is %" PRIu64
		", but the state knows of %" PRIu64,
							  newest->header.sequence, known) && !lost_record_is_sought(c, err))
		return false;
	for (unsigned i = 0; i < replay->n; i++) {
		const struct journal_record *record = &replay->record[i];

		if (record->header.sequence == known &&
		    (!secret_same(record->mac, c->state.journal_mac, CRYPT_MAC_SIZE) || record->header.epoch != le64(c->state.epoch)))
			return error_set(err, ERROR_STATE, "journal record %" PRIu64 " is not the one that the state knows of", known);
	}
	c->lost.turned = replay->disk_epoch == epoch + 1 && replay->disk_state == side_other(conversion_to(c))->state;
	/* One record, one epoch. */
	if (epoch + (newest->header.sequence < known) < le64(c->state.epoch))
		return error_set(err, ERROR_STATE, "the newest journal record has epoch %" PRIu64 ", but the state has %" PRIu64, epoch,
				 le64(c->state.epoch));
	if (replay->disk_epoch > epoch || (replay->disk_epoch != 0 && replay->disk_epoch + EPOCHS_BEHIND < epoch))
		return error_set(err, ERROR_STATE, "the header of the sealing has epoch %" PRIu64 ", but the journal has %" PRIu64,
				 replay->disk_epoch, epoch) || (replay->disk_epoch == epoch + 1 && lost_record_is_sought(c, err));
	return replay->changed_later == 0 || c->lost.is_lost ||
	       error_set(err, ERROR_STATE, "tree block %" PRIu64 " is not as journal record %" PRIu64 ", the newest, wrote it",
			 replay->changed_later, newest->header.sequence) || lost_record_is_sought(c, err);
}

/*
 * Where the conversion stands once the records are in place. A new phase is written to the state alone. If a record is lost that the state
 * knows of, its phase is that of the state, or the one before if that has only begun.
 */
static void take_point(struct conversion *c, const struct journal_header *newest)
{
	const uint64_t known = le64(c->state.sequence);
	const bool forward = side_to(newest->direction)->is_forward;
	const uint64_t start = forward ? 0 : UINT64_MAX;
	unsigned phase = c->state.phase;

	c->direction = newest->direction;
	c->phase = newest->phase;
	c->cursor = newest->cursor;
	c->header.epoch = newest->epoch;
	if (newest->sequence == known) {
		c->phase = c->state.phase;
		c->cursor = le64(c->state.cursor);
	} else if (newest->sequence + 1 == known && c->state.direction == newest->direction) {
		if (le64(c->state.cursor) == start)
			phase += forward ? -1 : 1;
		if (phase != c->phase)
			c->cursor = start;
		c->phase = phase;
	}
}

bool replay_load(struct conversion *c, struct replay *replay, struct error *err)
{
	struct loading loading = { c, replay };
	struct superblock *super = &c->volume->super;
	const struct journal_header *newest;

	*replay = (struct replay){ 0 };
	const uint64_t known = le64(c->state.sequence);

	/* One less: below it is decided whether the lost one matters. */
	if (!journal_find(&c->journal, known > 0 ? known - 1 : 0, &(struct journal_proof){ disk_epoch_proves, c }, replay->record, &replay->n, err))
		return false;
	if (replay->n == 0)
		return error_set(err, ERROR_STATE, "there is no journal record");
	block_cache_drop(c->volume, true);
	for (unsigned i = 0; i < replay->n; i++) {
		/* The new blocks of the older record were durable before the newest was begun, which may have changed or freed them. */
		const struct journal_visitor visitor = { .on_changed = load_changed, .on_new = i + 1 == replay->n ? load_new : NULL };

		if (!journal_record_visit(&c->journal, &replay->record[i], &visitor, &loading, err))
			return false;
	}
	newest = &replay->record[replay->n - 1].header;
	take_point(c, newest);
	if (!check_sequence(c, replay, err))
		return false;
	superblock_set_root_level(super, newest->root_level);
	superblock_set_bytes_used(super, newest->bytes_used);
	return true;
}

/* --- ranges: data blocks that the records overwrite ----------------------------------------------------- */

struct finishing {
	struct conversion *c;
	bool write;
	const struct side *to;
	uint8_t *bytes;		/* one block */
};

/* Completes one block into out, from the first mirror that has one of its possible forms. */
static bool complete_block(const struct finishing *finishing, struct unit_cipher *cipher, const struct journal_range *range, uint32_t i,
			   uint8_t *out, struct error *err)
{
	const uint64_t address = range->address + (uint64_t)i * CRYPT_BLOCK;
	const struct torn_block block = { cipher, i, range->tags + (size_t)i * CRYPT_TAG_SIZE, finishing->to };
	bool found;

	if (!torn_read(finishing->c->volume, &block, address, out, &found, err))
		return false;
	if (found)
		return true;
	error_set(err, ERROR_CORRUPT, "the block at %#" PRIx64 " is neither plain text nor the ciphertext of what was sealed at %#" PRIx64
		  ", nor a mixture of both", address, le64(range->u.unit_id));
	return error_hint(err, "--skip-damaged leaves the damaged blocks as they are and converts everything else");
}

static bool name_range(struct conversion *c, const struct journal_range *range, struct error *err)
{
	struct unit_group group;
	const bool known = c->units && c->scan && unit_map_of(c->units, le64(range->u.unit_id), &group);
	const struct scan_extent *extent = known ? scan_extent_at(c->scan, range->address - le64(range->u.offset_in_extent)) : NULL;
	const struct error found = *err;
	struct error ignored;
	char *path = NULL;

	if (extent && inode_path(&c->scan->tree[extent->member], extent->inode, &path, &ignored)) {
		*err = found;
		error_prefix(err, "subvolume %" PRIu64 ": %s", c->scan->member[extent->member], path);
	}
	free(path);
	return false;
}

/* A damaged block is left as it is if it is known or may be skipped. The first pass, before anything is written, makes it known. */
static bool finish_block(const struct finishing *finishing, struct unit_cipher *cipher, const struct journal_range *range, uint32_t i,
			 struct error *err)
{
	struct conversion *c = finishing->c;
	const uint64_t unit_id = le64(range->u.unit_id), at = range->address + (uint64_t)i * CRYPT_BLOCK;

	if (bad_block_is(c, unit_id, i, BAD_SKIPPED))
		return true;
	if (complete_block(finishing, cipher, range, i, finishing->bytes, err))
		return !finishing->write || volume_write(c->volume, at, finishing->bytes, CRYPT_BLOCK, err);
	if ((err->kind != ERROR_CORRUPT && err->kind != ERROR_IO) || !damage_skips(c) || finishing->write)
		return err->kind == ERROR_CORRUPT ? name_range(c, range, err) : false;
	*err = (struct error){ 0 };
	return bad_block_add(c, unit_id, i, BAD_SKIPPED, at, err) && bad_block_spoil_later(c, at, err);
}

static bool finish_range(void *context, const struct journal_range *range, struct error *err)
{
	struct finishing *finishing = context;
	struct conversion *c = finishing->c;
	const size_t len = (size_t)range->n_blocks * CRYPT_BLOCK;
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	bool allocated;

	if (!finishing->write) {
		const uint64_t extent = range->address - le64(range->u.offset_in_extent);

		if (!check_target(c, range->address, len, GROUP_DATA, err) ||
		    !extent_is_allocated(c->volume, extent, le64(range->u.extent_len), false, &allocated, err))
			return false;
		if (!allocated)
			return error_set(err, ERROR_STATE, "a journal record names the extent %#" PRIx64 ", which is not allocated", extent);
	}
	if (!unit_cipher_new(c->schedule, range->u.cipher, "unit", &range->u, sizeof(range->u), &cipher, err))
		return false;
	for (uint32_t i = 0; i < range->n_blocks; i++) {
		if (!finish_block(finishing, cipher, range, i, err))
			return false;
	}
	return true;
}

static bool finish_ranges(struct conversion *c, const struct replay *replay, bool write, struct error *err)
{
	struct finishing finishing = { .c = c, .write = write, .bytes = malloc(CRYPT_BLOCK) };
	bool ok = finishing.bytes || error_memory(err);

	for (unsigned i = 0; ok && i < replay->n; i++) {
		finishing.to = side_to(replay->record[i].header.direction);
		ok = journal_record_visit(&c->journal, &replay->record[i], &(struct journal_visitor){ .on_range = finish_range }, &finishing, err);
	}
	wiped_free(finishing.bytes, CRYPT_BLOCK);
	return ok;
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

bool replay_check(struct conversion *c, const struct replay *replay, struct error *err)
{
	for (size_t i = 0; i < replay->n_blocks; i++) {
		struct naming naming = { .logical = replay->block[i]->logical };
		bool allocated;

		if (!extent_is_allocated(c->volume, naming.logical, c->volume->super.node_size, true, &allocated, err))
			return false;
		if (allocated)
			continue;
		/* The newest record may have freed a block of the one before it. */
		if (!journal_record_visit(&c->journal, &replay->record[replay->n - 1],
					  &(struct journal_visitor){ .on_changed = names_block }, &naming, err))
			return false;
		if (naming.named)
			return error_set(err, ERROR_STATE, "a journal record names the tree block %#" PRIx64 ", which is not allocated",
					 naming.logical);
	}
	return finish_ranges(c, replay, false, err);
}

/* Writes the blocks of the root tree, or all others. */
static bool write_blocks(struct conversion *c, const struct replay *replay, bool of_root_tree, struct error *err)
{
	for (size_t i = 0; i < replay->n_blocks; i++) {
		const struct block *block = replay->block[i];

		if ((block->node.owner == ROOT_TREE_ID) == of_root_tree && !lost_record_holds(c, block->logical) &&
		    !volume_write(c->volume, block->logical, block->bytes, c->volume->super.node_size, err))
			return false;
	}
	return true;
}

bool replay_write(struct conversion *c, struct replay *replay, struct error *err)
{
	const struct journal_record *newest = &replay->record[replay->n - 1];

	/*
	 * A power cut may have left the record on one mirror. Once anything of it is in place, a mirror that goes bad must not make it look
	 * uncommitted.
	 */
	if (!volume_write(c->volume, newest->header.place, newest->bytes, newest->len, err) || !volume_flush(c->volume, err) ||
	    !volume_read_back(c->volume, newest->header.place, newest->bytes, newest->len, err))
		return false;
	/* In the order of a commit. */
	if (!write_blocks(c, replay, true, err) || !volume_flush(c->volume, err) || !write_blocks(c, replay, false, err) ||
	    !finish_ranges(c, replay, true, err) || !volume_flush(c->volume, err))
		return false;
	for (size_t i = 0; i < replay->n_blocks; i++) {
		struct block *block = replay->block[i];

		if (!lost_record_holds(c, block->logical) && !volume_read_back(c->volume, block->logical, block->bytes, c->volume->super.node_size, err))
			return false;
		block_set_changed(block, false);
	}
	return true;
}
