/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ordered writes of a change that a power cut cannot leave by half. */
#include "common/convert/operation.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "common/convert/convert.h"
#include "common/convert/state.h"
#include "common/fs/csum-lookup.h"
#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-write.h"
#include "common/sealed/domain.h"
#include "common/volume/mirror.h"
#include "common/volume/parity-row.h"
#include "common/volume/still-ours.h"

static struct disk_crypt_range to_disk(const struct crypt_range *range)
{
	return (struct disk_crypt_range){ to_le64(range->logical), to_le64(range->length) };
}

static struct crypt_range from_disk(const struct disk_crypt_range *range)
{
	return (struct crypt_range){ le64(range->logical), le64(range->length) };
}

void operation_begin(struct operation *op, enum crypt_operation operation, const struct operation_places *places)
{
	const struct superblock *super = &op->volume->super;
	const struct crypt_header *header = op->header;
	struct disk_crypt_state *state = &op->state;

	*state = (struct disk_crypt_state){
		.version = to_le32(CRYPT_VERSION),
		.operation = operation,
		.cipher = header->cipher,
		.domain = to_le16(header->domain),
		.csum_type = to_le16(super->csum_type),
		.generation = to_le64(super->generation),
		.n_devices = to_le64(super->n_devices),
		.sector_size = to_le32(super->sector_size),
		.node_size = to_le32(super->node_size),
		.keys = to_disk(&places->keys),
		.start_time = to_le64((uint64_t)time(NULL)),
		.n_unit_items = to_le64(header->n_unit_items),
	};
	memcpy(state->magic, CRYPT_STATE_MAGIC, sizeof(state->magic));
	memcpy(state->op_id, header->op_id, sizeof(state->op_id));
	memcpy(state->domain_uuid, header->domain_uuid, sizeof(state->domain_uuid));
	memcpy(state->fsid, super->fsid, sizeof(state->fsid));
	memcpy(state->kcv, header->kcv, sizeof(state->kcv));
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++)
		state->slot[i] = to_disk(&places->slot[i]);
}

uint32_t operation_wanted_flags(const struct convert_ui *ui)
{
	return (ui && ui->read_back ? CRYPT_STATE_READ_BACK : 0) | (ui && ui->wipe_free ? CRYPT_STATE_WIPE_FREE : 0);
}

/* Before the first write: what knows which data are right, and the memory. */
static bool ready_for_parity(struct volume *volume, struct error *err)
{
	volume->csum_lookup = csum_lookup;
	return parity_row_reserve(volume, err);
}

bool operation_open_journal(struct operation *op, struct error *err)
{
	struct crypt_range slot[CRYPT_JOURNAL_SLOTS];

	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++)
		slot[i] = from_disk(&op->state.slot[i]);
	if (!journal_open(op->volume, slot, op->state.op_id, op->schedule, &op->journal, err))
		return false;
	op->journal.has_old = op->state.operation == CRYPT_OP_REKEY;
	return ready_for_parity(op->volume, err);
}

static const struct disk_crypt_range *place_of(const struct operation *op, unsigned i)
{
	return i < CRYPT_JOURNAL_SLOTS ? &op->state.slot[i] : &op->state.keys;
}

/* A change of key slots in metadata groups began without a look at the others, and must not end with what is wrong there. */
static bool is_all_metadata(const struct operation *op)
{
	bool all = op->state.operation == CRYPT_OP_KEYS;

	for (unsigned i = 0; all && i <= CRYPT_JOURNAL_SLOTS; i++) {
		const struct chunk *chunk;
		struct error ignored = { 0 };

		all = volume_chunk(op->volume, le64(place_of(op, i)->logical), &chunk, &ignored) && chunk->type & GROUP_METADATA;
	}
	return all;
}

bool operation_reserve(const struct operation *op, struct allocator **allocator, struct error *err)
{
	if (!(is_all_metadata(op) ? allocator_open_metadata : allocator_open)(op->volume, allocator, err))
		return false;
	for (unsigned i = 0; i <= CRYPT_JOURNAL_SLOTS; i++) {
		const struct disk_crypt_range *range = place_of(op, i);

		if (le64(range->length) > 0 && !allocator_reserve(*allocator, le64(range->logical), le64(range->length), err)) {
			err->kind = ERROR_STATE;
			return false;
		}
	}
	return true;
}

void operation_close(struct operation *op)
{
	journal_close(&op->journal);
	*op = (struct operation){ 0 };
}

bool convert_busy(struct error *err)
{
	char first[sizeof(err->hint)];

	if (err->kind != ERROR_BUSY)
		return false;
	strcpy(first, err->hint);
	return error_hint(err, "%s%snothing was changed; run this again when nobody else uses the image", first, first[0] ? "; " : "");
}

bool operation_write_keys(struct operation *op, const struct disk_crypt_slot *slots, size_t n_slots, struct error *err)
{
	const struct crypt_range keys = from_disk(&op->state.keys);
	const uint64_t second = domain_keys_second(keys.length);
	struct volume *volume = op->volume;
	uint8_t *bytes = NULL;
	size_t len;
	bool ok;

	if (!crypt_header_seal(op->schedule, op->header, err) || !domain_keys_encode(op->header, slots, n_slots, &bytes, &len, err))
		return false;
	/* After the cut the key can be checked by nothing else. Write it twice, so that one bad sector does not lose it. */
	ok = len <= second ? (volume_still_ours(volume, err) || convert_busy(err)) && volume_write(volume, keys.logical, bytes, len, err) &&
				     volume_write(volume, keys.logical + second, bytes, len, err) && volume_flush(volume, err) &&
				     volume_read_back(volume, keys.logical, bytes, len, err) &&
				     volume_read_back(volume, keys.logical + second, bytes, len, err) :
			     error_set(err, ERROR_NO_SPACE, "the key slots take %zu bytes, but there is room for only %" PRIu64, len, second);
	free(bytes);
	return ok;
}

bool operation_fits(const struct operation *op, struct error *err)
{
	const struct superblock *super = &op->volume->super;

	if (memcmp(op->state.fsid, super->fsid, FSID_SIZE) != 0)
		return error_set(err, ERROR_STATE, "the state of the unfinished conversion belongs to another filesystem");
	if (le64(op->state.generation) != super->generation)
		return error_set(err, ERROR_STATE, "the filesystem has generation %" PRIu64 ", but the unfinished conversion began at %" PRIu64,
			super->generation,
				   le64(op->state.generation));
	if (le32(op->state.sector_size) != super->sector_size || le32(op->state.node_size) != super->node_size ||
	    le16(op->state.csum_type) != super->csum_type || le64(op->state.n_devices) != super->n_devices)
		return error_set(err, ERROR_STATE, "the state of the unfinished conversion does not match the superblock");
	if (memcmp(op->state.kcv, op->header->kcv, CRYPT_MAC_SIZE) != 0 || le16(op->state.domain) != op->header->domain)
		return error_set(err, ERROR_STATE, "the state of the unfinished conversion belongs to another sealing");
	return true;
}

/* --- records ------------------------------------------------------------------------------------------------- */

struct durable {
	struct operation *op;
	const struct journal_point *point;
};

static bool state_durable(void *context, struct error *err)
{
	const struct durable *durable = context;

	return operation_write_state(durable->op, durable->point, err);
}

bool operation_commit(struct operation *op, struct transaction *tx, struct journal_point *point, bool is_cut, const struct journal_data *data,
		      struct error *err)
{
	const bool has_domain = op->state.operation != CRYPT_OP_LEGACY;
	struct durable durable = { op, point };

	point->epoch = ++op->header->epoch;
	/* No header says in the root tree that this record was durable once, should it be lost: the superblocks do. */
	if (!has_domain && !point->durable) {
		point->durable = state_durable;
		point->context = &durable;
	}
	/* The header goes with the crypt items, and with it the second record of the epoch. Without its key it cannot be written at all. */
	if (has_domain && !is_cut && op->state.operation != CRYPT_OP_PURGE && !domain_write_header(tx, op->volume, op->schedule, op->header, err)) {
		transaction_drop(tx);
		return false;
	}

	const bool ok = journal_commit(&op->journal, tx, point, data, err);

	point->durable = NULL;
	return ok;
}

static bool first_durable(void *context, struct error *err)
{
	const struct durable *first = context;

	if (!volume_still_ours(first->op->volume, err))
		return convert_busy(err);
	if (!operation_write_state(first->op, first->point, err))
		return false;
	if (operation_claim(first->op, err))
		return true;
	if (err->kind == ERROR_BUSY)
		error_hint(err, "only the superblocks were changed; once nobody else uses the image, `btrfs-crypt convert --status` "
			"says whether they still record a conversion, and --abort undoes it");
	return false;
}

bool operation_commit_first(struct operation *op, struct transaction *tx, struct journal_point *point, struct error *err)
{
	struct durable first = { op, point };

	point->durable = first_durable;
	point->context = &first;
	return operation_commit(op, tx, point, false, NULL, err);
}

bool operation_flush(struct operation *op, struct error *err)
{
	return volume_flush(op->volume, err) && journal_read_back(&op->journal, err);
}

/* --- superblocks --------------------------------------------------------------------------------------------- */

/* Points all four backup roots at the current roots. An older one would mount and show its contents in plain text. */
static bool set_backup_roots(struct volume *volume, struct disk_superblock *disk, struct error *err)
{
	struct disk_root_backup backup = {
		.tree_root = disk->root,
		.tree_root_gen = disk->generation,
		.tree_root_level = disk->root_level,
		.chunk_root = disk->chunk_root,
		.chunk_root_gen = disk->chunk_root_generation,
		.chunk_root_level = disk->chunk_root_level,
		.total_bytes = disk->total_bytes,
		.bytes_used = disk->bytes_used,
		.num_devices = disk->num_devices,
	};
	struct {
		uint64_t id;
		struct le64 *root, *generation;
		uint8_t *level;
	} trees[] = {
		{ EXTENT_TREE_ID, &backup.extent_root, &backup.extent_root_gen, &backup.extent_root_level },
		{ FS_TREE_ID, &backup.fs_root, &backup.fs_root_gen, &backup.fs_root_level },
		{ DEV_TREE_ID, &backup.dev_root, &backup.dev_root_gen, &backup.dev_root_level },
		{ CSUM_TREE_ID, &backup.csum_root, &backup.csum_root_gen, &backup.csum_root_level },
	};

	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		struct tree tree;

		if (!tree_open(volume, trees[i].id, &tree, err))
			return false;
		*trees[i].root = to_le64(tree.logical);
		*trees[i].generation = to_le64(tree.generation);
		*trees[i].level = tree.level;
	}
	for (size_t i = 0; i < sizeof(disk->backup) / sizeof(disk->backup[0]); i++)
		disk->backup[i] = backup;
	return true;
}

bool operation_write_state(struct operation *op, const struct journal_point *at, struct error *err)
{
	struct superblock *super = &op->volume->super;
	struct disk_superblock disk = super->disk;
	struct disk_crypt_state *state = &op->state;

	state->direction = at->direction;
	state->phase = at->phase;
	state->cursor = to_le64(at->cursor);
	state->epoch = to_le64(op->header->epoch);
	state->sequence = to_le64(op->journal.sequence);
	memcpy(state->journal_mac, op->journal.last_mac, sizeof(state->journal_mac));
	if (!state_mac(op->schedule, state, state->mac, err))
		return false;

	superblock_put_state(&disk, state, sizeof(*state));
	if (op->verity != VERITY_KEEP)
		disk.compat_ro_flags = to_le64(op->verity == VERITY_DROP ? le64(disk.compat_ro_flags) & ~COMPAT_RO_VERITY :
									   le64(disk.compat_ro_flags) | COMPAT_RO_VERITY);
	/* A v1 space cache describes the old free space. This makes the next mount rebuild it. */
	if (!(super->compat_ro & COMPAT_RO_FREE_SPACE_TREE) && le64(disk.cache_generation) == super->generation)
		disk.cache_generation = to_le64(super->generation - 1);
	return set_backup_roots(op->volume, &disk, err) && operation_flush(op, err) && volume_write_supers(op->volume, &disk, err);
}

/* Does every copy say the same about what is unfinished as the one in use? */
static bool is_marked(const struct volume *volume)
{
	for (unsigned n = 0; n < volume->n_copies; n++) {
		const struct super_copy *copy = &volume->copy[n];

		if (copy->exists && !(copy->valid && copy->super.incompat & INCOMPAT_CRYPT_UNFINISHED &&
				      memcmp(copy->super.disk.tail, volume->super.disk.tail, sizeof(copy->super.disk.tail)) == 0))
			return false;
	}
	return true;
}

bool operation_claim(struct operation *op, struct error *err)
{
	struct volume *volume = op->volume;
	const struct disk_superblock disk = volume->super.disk;

	if (!ready_for_parity(volume, err))
		return false;
	/*
	 * A crash may have left the primary without the bit: until it has the bit, a kernel can mount what is about to be changed. Or with an
	 * older state, which names records that are about to be wiped: should the other copies be torn next, it would be all that is left.
	 */
	if (!is_marked(volume) && (!volume_still_ours(volume, err) || !volume_write_supers(volume, &disk, err)))
		return false;
	if (!volume_still_ours(volume, err))
		return false;
	volume_share(volume);
	return true;
}

bool operation_clear(struct operation *op, const struct journal_point *at, bool verity, struct error *err)
{
	const struct crypt_range keys = from_disk(&op->state.keys);
	struct journal_point finished = *at;
	struct volume *volume = op->volume;
	uint8_t *zeros;
	bool ok;

	/* From here on only the state itself may be left to clear: after a crash there may be no key to ask for. */
	finished.phase = CRYPT_PHASE_FINISHED;
	if (op->verity != VERITY_KEEP)
		op->verity = verity ? VERITY_SET : VERITY_DROP;
	if (!operation_write_state(op, &finished, err))
		return false;

	/* The copies of the key slots are needed until nothing is left to authenticate. */
	zeros = calloc(1, keys.length + 1);
	ok = zeros ? keys.length == 0 || (volume_write(volume, keys.logical, zeros, keys.length, err) && volume_flush(volume, err) &&
		     volume_read_back(volume, keys.logical, zeros, keys.length, err)) : error_memory(err);
	free(zeros);
	if (!ok)
		return false;

	struct disk_superblock disk = volume->super.disk;

	superblock_clear_state(&disk);
	if (volume_write_supers(volume, &disk, err))
		return true;
	return err->kind == ERROR_IO && !err->hint[0] &&
	       error_hint(err, "all of it was done, and durably, before this: only that nothing is unfinished may not be on the device");
}
