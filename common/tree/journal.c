/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes transactions durable. */
#include "common/tree/journal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/volume/mirror.h"
#include "common/volume/parity-write.h"

bool journal_open(struct volume *volume, const struct crypt_range slot[CRYPT_JOURNAL_SLOTS], const uint8_t op_id[CRYPT_UUID_SIZE],
		  const struct key_schedule *schedule, struct journal *journal, struct error *err)
{
	*journal = (struct journal){ .volume = volume };
	memcpy(journal->op_id, op_id, sizeof(journal->op_id));
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
		journal->slot[i] = slot[i];
		if (i == 0 || slot[i].length < journal->buffer_size)
			journal->buffer_size = slot[i].length;
	}
	for (unsigned i = 0; i < 2; i++) {
		journal->buffer[i] = malloc(journal->buffer_size);
		if (!journal->buffer[i])
			return error_memory(err);
	}
	return !schedule || mac_new(schedule, "journal", op_id, CRYPT_UUID_SIZE, &journal->mac, err);
}

void journal_close(struct journal *journal)
{
	mac_free(journal->mac);
	for (unsigned i = 0; i < 2; i++)
		wiped_free(journal->buffer[i], journal->buffer_used);
	*journal = (struct journal){ 0 };
}

size_t journal_capacity(const struct journal *journal)
{
	return journal->buffer_size;
}

size_t journal_record_size(const struct journal *journal, size_t n_changed, size_t n_new, size_t n_ranges, size_t n_tags)
{
	const size_t node_size = journal->volume->super.node_size;

	return sizeof(struct disk_journal_header) + n_changed * (sizeof(struct disk_journal_changed) + node_size) +
	       n_new * sizeof(struct disk_journal_new) + n_ranges * sizeof(struct disk_journal_range) +
	       (journal->has_old ? n_ranges * sizeof(struct disk_crypt_u) + n_tags * CRYPT_TAG_SIZE : 0) + n_tags * CRYPT_TAG_SIZE + CRYPT_MAC_SIZE;
}

size_t journal_carried_size(size_t n, size_t bytes)
{
	return n * sizeof(struct disk_journal_carried) + bytes;
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

/* Writes the record to its buffer, whose size was checked. Returns its length, or 0 on failure. */
static size_t encode(struct journal *journal, const struct transaction *tx, const struct journal_point *point,
		     const struct journal_data *data, struct error *err)
{
	const struct volume *volume = journal->volume;
	const uint64_t sequence = journal->sequence + 1;
	const size_t n_changed = transaction_n_changed(tx), n_new = transaction_n_new(tx);
	struct disk_journal_header header = {
		.version = to_le32(CRYPT_VERSION),
		.direction = point->direction,
		.phase = point->phase,
		.root_level = volume->super.root_level,
		.has_old = journal->has_old,
		.sequence = to_le64(sequence),
		.place = to_le64(journal->slot[sequence % CRYPT_JOURNAL_SLOTS].logical),
		.epoch = to_le64(point->epoch),
		.cursor = to_le64(point->cursor),
		.bytes_used = to_le64(volume->super.bytes_used),
		.n_changed = to_le32(n_changed),
		.n_new = to_le32(n_new),
		.n_ranges = to_le32(data->n_ranges),
		.n_carried = to_le32(data->n_carried),
	};
	uint8_t *const buffer = journal_buffer(journal, sequence);
	uint8_t *at = buffer + sizeof(header);

	for (size_t i = 0; i < n_changed; i++) {
		const struct block *block = transaction_changed(tx, i);
		const struct disk_journal_changed changed = { to_le64(block->logical) };

		at = put(at, &changed, sizeof(changed));
		at = put(at, block->bytes, volume->super.node_size);
	}
	for (size_t i = 0; i < n_new; i++) {
		const struct block *block = transaction_new(tx, i);
		struct disk_journal_new disk = { .logical = to_le64(block->logical) };

		if (!crypto_sha256(block->bytes, volume->super.node_size, disk.sha256, err))
			return 0;
		at = put(at, &disk, sizeof(disk));
	}
	for (size_t i = 0; i < data->n_ranges; i++) {
		const struct journal_range *range = &data->range[i];
		const struct disk_journal_range disk = { to_le64(range->address), range->u };

		at = put(at, &disk, sizeof(disk));
		at = put(at, range->tags, (size_t)range->n_blocks * CRYPT_TAG_SIZE);
		if (!journal->has_old)
			continue;
		at = put(at, &range->old, sizeof(range->old));
		at = put(at, range->old_tags, (size_t)range->n_blocks * CRYPT_TAG_SIZE);
	}
	for (size_t i = 0; i < data->n_carried; i++) {
		const struct journal_carried *carried = &data->carried[i];
		const struct disk_journal_carried disk = { .address = to_le64(carried->address), .n_blocks = to_le32(carried->n_blocks) };

		at = put(at, &disk, sizeof(disk));
		at = put(at, carried->bytes, (size_t)carried->n_blocks * CRYPT_BLOCK);
	}

	const size_t len = (size_t)(at - buffer) + CRYPT_MAC_SIZE;

	memcpy(header.magic, JOURNAL_MAGIC, sizeof(header.magic));
	memcpy(header.op_id, journal->op_id, sizeof(header.op_id));
	memcpy(header.previous, journal->last_mac, sizeof(header.previous));
	header.length = to_le64(len);
	memcpy(buffer, &header, sizeof(header));
	mac_start(journal->mac);
	mac_update(journal->mac, buffer, len - CRYPT_MAC_SIZE);
	return mac_finish(journal->mac, at, err) ? len : 0;
}

static bool write_block(struct volume *volume, const struct block *block, struct error *err)
{
	return volume_write(volume, block->logical, block->bytes, volume->super.node_size, err);
}

/* Writes the changed blocks of the root tree, or all others. */
static bool write_changed(struct volume *volume, const struct transaction *tx, bool of_root_tree, struct error *err)
{
	for (size_t i = 0; i < transaction_n_changed(tx); i++) {
		const struct block *block = transaction_changed(tx, i);

		if ((block->node.owner == ROOT_TREE_ID) == of_root_tree && !write_block(volume, block, err))
			return false;
	}
	return true;
}

static bool write_range(struct volume *volume, const struct journal_range *range, const uint8_t *bytes, const bool *keep, struct error *err)
{
	for (uint32_t i = 0, n; i < range->n_blocks; i += n) {
		const uint64_t at = (uint64_t)i * CRYPT_BLOCK;

		for (n = 1; i + n < range->n_blocks && keep[i + n] == keep[i];)
			n++;
		if (!keep[i] && !volume_write(volume, range->address + at, bytes + at, (size_t)n * CRYPT_BLOCK, err))
			return false;
	}
	return true;
}

static bool write_data(struct volume *volume, const struct journal_data *data, struct error *err)
{
	const uint8_t *bytes = data->bytes;
	const bool *keep = data->keep;

	for (size_t i = 0; i < data->n_ranges; i++) {
		const struct journal_range *range = &data->range[i];

		if (!write_range(volume, range, bytes, keep, err))
			return false;
		bytes += (size_t)range->n_blocks * CRYPT_BLOCK;
		keep += range->n_blocks;
	}
	for (size_t i = 0; i < data->n_carried; i++) {
		const struct journal_carried *carried = &data->carried[i];

		if (!volume_write(volume, carried->address, carried->bytes, (size_t)carried->n_blocks * CRYPT_BLOCK, err))
			return false;
	}
	return true;
}

static bool settle_block(struct volume *volume, const struct block *block, bool *changed, struct error *err)
{
	return volume_settle_parity(volume, block->logical, volume->super.node_size, PARITY_KEEP, changed, err);
}

/* What only parity has is put in place before a write that a crash may cut off. Whoever reads the data of ranges does this for them. */
static bool settle_parity(struct volume *volume, const struct transaction *tx, const struct journal_data *data, struct error *err)
{
	bool changed = false;

	for (size_t i = 0; i < transaction_n_new(tx); i++)
		if (!settle_block(volume, transaction_new(tx, i), &changed, err))
			return false;
	for (size_t i = 0; i < transaction_n_changed(tx); i++)
		if (!settle_block(volume, transaction_changed(tx, i), &changed, err))
			return false;
	for (size_t i = 0; i < data->n_carried; i++)
		if (!volume_settle_parity(volume, data->carried[i].address, (uint64_t)data->carried[i].n_blocks * CRYPT_BLOCK, PARITY_KEEP, &changed,
					  err))
			return false;
	return !changed || volume_flush(volume, err);
}

static bool commit(struct journal *journal, struct transaction *tx, const struct journal_point *point, const struct journal_data *data,
		   struct error *err)
{
	struct volume *volume = journal->volume;
	size_t n_tags = 0, n_carried = 0;

	if (!transaction_settle(tx, err))
		return false;
	for (size_t i = 0; i < data->n_ranges; i++)
		n_tags += data->range[i].n_blocks;
	for (size_t i = 0; i < data->n_carried; i++)
		n_carried += (size_t)data->carried[i].n_blocks * CRYPT_BLOCK;

	const size_t size = journal_record_size(journal, transaction_n_changed(tx), transaction_n_new(tx), data->n_ranges, n_tags) +
			    journal_carried_size(data->n_carried, n_carried);

	if (size > journal_capacity(journal))
		return error_set(err, ERROR_NO_SPACE, "a journal record takes %zu bytes, but a journal slot has %zu", size,
				 journal_capacity(journal));
	if (size > journal->buffer_used)
		journal->buffer_used = size;

	const size_t len = encode(journal, tx, point, data, err);
	const struct crypt_range *slot = &journal->slot[(journal->sequence + 1) % CRYPT_JOURNAL_SLOTS];

	if (len == 0 || !settle_parity(volume, tx, data, err))
		return false;
	for (size_t i = 0; i < transaction_n_new(tx); i++) {
		if (!write_block(volume, transaction_new(tx, i), err))
			return false;
	}
	const uint8_t *record = journal_buffer(journal, journal->sequence + 1);

	if (!volume_write(volume, slot->logical, record, len, err) || !volume_flush(volume, err) ||
	    !journal_read_back_record(journal, tx, len, err) || !journal_read_back(journal, err))
		return false;
	journal->sequence++;
	memcpy(journal->last_mac, record + len - CRYPT_MAC_SIZE, CRYPT_MAC_SIZE);
	if (point->durable && !point->durable(point->context, err))
		return false;
	if (point->only_record)
		return true;

	/*
	 * If data change, also those in leaves, first make durable what records it (the tags and the header's epoch). Then it is known even
	 * if the record is lost.
	 */
	const bool changes_data = data->n_ranges > 0 || point->phase == CRYPT_PHASE_LEAVES;

	if (!write_changed(volume, tx, true, err) || (changes_data && !volume_flush(volume, err)) || !write_changed(volume, tx, false, err))
		return false;
	journal->unread = len;
	return write_data(volume, data, err);
}

bool journal_commit(struct journal *journal, struct transaction *tx, const struct journal_point *point, const struct journal_data *data,
		    struct error *err)
{
	static const struct journal_data none;

	if (!commit(journal, tx, point, data ? data : &none, err)) {
		transaction_drop(tx);
		return false;
	}
	transaction_end(tx);
	return true;
}
