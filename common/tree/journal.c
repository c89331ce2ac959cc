/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes transactions durable, and finds and reads back what was made durable. */
#include "common/tree/journal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/volume/csum.h"
#include "common/volume/tolerance.h"

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
	       n_tags * CRYPT_TAG_SIZE + CRYPT_MAC_SIZE;
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

/* Writes the record to its buffer, whose size was checked. Returns its length, or 0 on failure. */
static size_t encode(struct journal *journal, const struct transaction *tx, const struct journal_point *point,
		     const struct journal_range *ranges, size_t n_ranges, struct error *err)
{
	const struct volume *volume = journal->volume;
	const uint64_t sequence = journal->sequence + 1;
	const size_t n_changed = transaction_n_changed(tx), n_new = transaction_n_new(tx);
	struct disk_journal_header header = {
		.version = to_le32(CRYPT_VERSION),
		.direction = point->direction,
		.phase = point->phase,
		.root_level = volume->super.root_level,
		.sequence = to_le64(sequence),
		.place = to_le64(journal->slot[sequence % CRYPT_JOURNAL_SLOTS].logical),
		.epoch = to_le64(point->epoch),
		.cursor = to_le64(point->cursor),
		.bytes_used = to_le64(volume->super.bytes_used),
		.n_changed = to_le32(n_changed),
		.n_new = to_le32(n_new),
		.n_ranges = to_le32(n_ranges),
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
	for (size_t i = 0; i < n_ranges; i++) {
		const struct disk_journal_range range = { to_le64(ranges[i].address), ranges[i].u };

		at = put(at, &range, sizeof(range));
		at = put(at, ranges[i].tags, (size_t)ranges[i].n_blocks * CRYPT_TAG_SIZE);
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

static bool commit(struct journal *journal, struct transaction *tx, const struct journal_point *point,
		   const struct journal_range *ranges, size_t n_ranges, struct error *err)
{
	struct volume *volume = journal->volume;
	size_t n_tags = 0;

	if (!transaction_settle(tx, err))
		return false;
	for (size_t i = 0; i < n_ranges; i++)
		n_tags += ranges[i].n_blocks;

	const size_t size = journal_record_size(journal, transaction_n_changed(tx), transaction_n_new(tx), n_ranges, n_tags);

	if (size > journal_capacity(journal))
		return error_set(err, ERROR_NO_SPACE, "a journal record takes %zu bytes, but a journal slot has %zu", size,
				 journal_capacity(journal));
	if (size > journal->buffer_used)
		journal->buffer_used = size;

	const size_t len = encode(journal, tx, point, ranges, n_ranges, err);
	const struct crypt_range *slot = &journal->slot[(journal->sequence + 1) % CRYPT_JOURNAL_SLOTS];

	if (len == 0)
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

	/*
	 * If data change, also those in leaves, first make durable what records it (the tags and the header's epoch). Then it is known even
	 * if the record is lost.
	 */
	const bool changes_data = n_ranges > 0 || point->phase == CRYPT_PHASE_LEAVES;

	if (!write_changed(volume, tx, true, err) || (changes_data && !volume_flush(volume, err)) || !write_changed(volume, tx, false, err))
		return false;
	journal->unread = len;
	return true;
}

bool journal_commit(struct journal *journal, struct transaction *tx, const struct journal_point *point,
		    const struct journal_range *ranges, size_t n_ranges, struct error *err)
{
	if (!commit(journal, tx, point, ranges, n_ranges, err)) {
		transaction_drop(tx);
		return false;
	}
	transaction_end(tx);
	return true;
}

/* --- reading back ------------------------------------------------------------------------- */

void journal_record_free(struct journal_record *record)
{
	wiped_free(record->bytes, record->len);
	*record = (struct journal_record){ 0 };
}

/* What cannot be read now may be right. Calling it invalid would undo half of a committed record. */
static bool is_unread(const struct error *err)
{
	return error_is_machine(err);
}

static bool is_tree_block(void *context, const struct journal_changed *changed, struct error *err)
{
	const struct volume *volume = context;

	return csum_block_matches(volume->super.csum_type, changed->bytes, volume->super.node_size) ||
	       error_set(err, ERROR_CORRUPT, "a journal record's block for %#" PRIx64 " has a wrong checksum", changed->logical);
}

/*
 * Is the record right? mac: its MAC. Without a key, only its form and the checksums of its blocks can be checked, and mac is what the
 * record says.
 */
static bool vouched_for(const struct journal *journal, const struct journal_record *record, uint8_t mac[CRYPT_MAC_SIZE], bool *is_right,
			struct error *err)
{
	const uint8_t *stored = record->bytes + record->len - CRYPT_MAC_SIZE;

	if (!journal->mac) {
		const struct journal_visitor visitor = { .on_changed = is_tree_block };
		struct error ignored;

		*is_right = journal_record_visit(journal, record, &visitor, journal->volume, &ignored);
		memcpy(mac, stored, CRYPT_MAC_SIZE);
		return true;
	}
	mac_start(journal->mac);
	mac_update(journal->mac, record->bytes, record->len - CRYPT_MAC_SIZE);
	if (!mac_finish(journal->mac, mac, err))
		return false;
	*is_right = secret_same(mac, stored, CRYPT_MAC_SIZE);
	return true;
}

/* Reads the record from one mirror of a slot. record->bytes NULL: there is no valid one. False: it cannot be decided. */
static bool read_mirror(struct journal *journal, const struct crypt_range *slot, unsigned mirror, struct journal_record *record,
			struct error *err)
{
	struct error ignored;
	struct disk_journal_header disk;
	struct journal_record found = { 0 };
	uint8_t mac[CRYPT_MAC_SIZE];
	bool is_right;
	struct cursor cursor = { (const uint8_t *)&disk, sizeof(disk), slot->logical };

	*record = found;
	if (!volume_read(journal->volume, slot->logical, &disk, sizeof(disk), mirror, err))
		return !is_unread(err);
	if (!journal_header_read(&cursor, &found.header, &ignored) || found.header.length > slot->length ||
	    found.header.place != slot->logical || memcmp(found.header.op_id, journal->op_id, sizeof(found.header.op_id)) != 0)
		return true;

	found.len = found.header.length;
	found.bytes = malloc(found.len);
	if (!found.bytes)
		return error_memory(err);
	if (!volume_read(journal->volume, slot->logical, found.bytes, found.len, mirror, err)) {
		journal_record_free(&found);
		return !is_unread(err);
	}
	/* If the two reads differ, the authenticated bytes count. */
	cursor = (struct cursor){ found.bytes, found.len, slot->logical };
	if (!journal_header_read(&cursor, &found.header, &ignored) || found.header.length != found.len) {
		journal_record_free(&found);
		return true;
	}
	if (!vouched_for(journal, &found, mac, &is_right, err)) {
		journal_record_free(&found);
		return false;
	}
	if (!is_right) {
		journal_record_free(&found);
		return true;
	}
	memcpy(found.mac, mac, sizeof(mac));
	*record = found;
	return true;
}

/*
 * The newest valid record of a slot: a power cut may have left the previous one on one mirror. record->bytes NULL: none. An unreadable
 * mirror is harmless beside a valid one: if anything of a record is in place, the record is on every mirror.
 */
static bool read_slot(struct journal *journal, unsigned i, struct journal_record *record, struct error *err)
{
	const struct chunk *chunk;
	struct error unread = { 0 };

	if (!volume_chunk(journal->volume, journal->slot[i].logical, &chunk, err))
		return false;
	for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk); mirror++) {
		struct journal_record read;
		struct error why;

		if (!read_mirror(journal, &journal->slot[i], mirror, &read, &why)) {
			unread = why;
			continue;
		}
		if (read.bytes && read.header.sequence % CRYPT_JOURNAL_SLOTS == i &&
		    (!record->bytes || read.header.sequence > record->header.sequence)) {
			journal_record_free(record);
			*record = read;
		} else {
			journal_record_free(&read);
		}
	}
	if (record->bytes || unread.kind == ERROR_NONE)
		return true;
	*err = unread;
	error_prefix(err, "journal slot %u", i);
	if (err->kind == ERROR_IO)
		error_hint(err, "continue with a copy of the whole device, made with ddrescue: it has zeros where nothing can be read, "
			"which counts as a damaged journal record");
	return false;
}

bool journal_read_new(const struct journal *journal, const struct journal_new *new_block, uint8_t *bytes, bool *found, struct error *err)
{
	const uint32_t node_size = journal->volume->super.node_size;
	const struct chunk *chunk;
	struct error unread = { 0 };

	*found = false;
	if (!volume_chunk(journal->volume, new_block->logical, &chunk, err))
		return false;
	for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk) && !*found; mirror++) {
		struct error why;
		uint8_t sha256[32];

		if (!volume_read(journal->volume, new_block->logical, bytes, node_size, mirror, &why)) {
			unread = is_unread(&why) ? why : unread;
			continue;
		}
		if (!crypto_sha256(bytes, node_size, sha256, err))
			return false;
		*found = memcmp(sha256, new_block->sha256, sizeof(sha256)) == 0;
	}
	if (*found || unread.kind == ERROR_NONE)
		return true;
	*err = unread;
	return error_prefix(err, "new tree block %" PRIu64 " of a journal record", new_block->logical);
}

struct looking_for_new {
	const struct journal *journal;
	uint8_t *bytes;
	bool all;
};

static bool look_for_new(void *context, const struct journal_new *new_block, struct error *err)
{
	struct looking_for_new *looking = context;
	bool found;

	if (!journal_read_new(looking->journal, new_block, looking->bytes, &found, err))
		return false;
	looking->all &= found;
	return true;
}

/* Are the new blocks of a record where it says, on some mirror? If not, it was never committed. */
static bool new_blocks_present(const struct journal *journal, const struct journal_record *record, bool *present, struct error *err)
{
	const struct journal_visitor visitor = { .on_new = look_for_new };
	struct looking_for_new looking = { .journal = journal, .bytes = malloc(journal->volume->super.node_size), .all = true };
	struct error why = { 0 };
	bool visited;

	if (!looking.bytes)
		return error_memory(err);
	visited = journal_record_visit(journal, record, &visitor, &looking, &why);
	*present = visited && looking.all;
	wiped_free(looking.bytes, journal->volume->super.node_size);
	if (!is_unread(&why))
		return true;
	*err = why;
	return false;
}

/*
 * The slot of the record after the newest. Until that record was begun, the slot has its previous record or, if it was never used, nothing
 * of this journal.
 */
static bool may_be_broken(const struct journal *journal, uint64_t sequence, const struct journal_record *found)
{
	const struct crypt_range *slot = &journal->slot[sequence % CRYPT_JOURNAL_SLOTS];
	const struct chunk *chunk;
	struct error ignored;
	bool is_ours = sequence > CRYPT_JOURNAL_SLOTS;

	if (found->bytes || !volume_chunk(journal->volume, slot->logical, &chunk, &ignored))
		return false;
	for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk) && !is_ours; mirror++) {
		struct disk_journal_header disk;

		is_ours = volume_read(journal->volume, slot->logical, &disk, sizeof(disk), mirror, &ignored) &&
			  memcmp(disk.op_id, journal->op_id, sizeof(disk.op_id)) == 0;
	}
	return is_ours;
}

bool journal_find(struct journal *journal, uint64_t least, const struct journal_proof *proof, struct journal_record record[2], unsigned *n,
		  struct error *err)
{
	struct journal_record found[CRYPT_JOURNAL_SLOTS] = { 0 };
	struct journal_record *newest = NULL, *older = NULL;
	bool ok = false, present;

	*n = 0;
	record[0] = record[1] = (struct journal_record){ 0 };
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
		if (!read_slot(journal, i, &found[i], err))
			goto out;
	}
	for (unsigned tries = 0; tries < CRYPT_JOURNAL_SLOTS && !newest; tries++) {
		for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
			if (found[i].bytes && (!newest || found[i].header.sequence > newest->header.sequence))
				newest = &found[i];
		}
		if (!newest)
			break;
		if (!new_blocks_present(journal, newest, &present, err) ||
		    (!present && proof && !proof->was_durable(proof->context, newest, &present, err)))
			goto out;
		if (!present) {
			journal_record_free(newest);
			newest = NULL;
		}
	}
	if ((newest ? newest->header.sequence : 0) < least) {
		error_set(err, ERROR_STATE, "the newest journal record is %" PRIu64 ", but the state knows of %" PRIu64,
			  newest ? newest->header.sequence : 0, least);
		goto out;
	}
	if (newest && newest->header.sequence > 1) {
		older = &found[(newest->header.sequence - 1) % CRYPT_JOURNAL_SLOTS];
		if (!older->bytes || older->header.sequence != newest->header.sequence - 1 ||
		    !secret_same(older->mac, newest->header.previous, CRYPT_MAC_SIZE)) {
			error_set(err, ERROR_STATE, "journal record %" PRIu64 " is missing or fails authentication",
				  newest->header.sequence - 1);
			goto out;
		}
	}
	if (newest) {
		const uint64_t next = newest->header.sequence + 1;

		journal->next_is_broken = may_be_broken(journal, next, &found[next % CRYPT_JOURNAL_SLOTS]);
		journal->sequence = newest->header.sequence;
		memcpy(journal->last_mac, newest->mac, sizeof(journal->last_mac));
	}
	if (older) {
		record[(*n)++] = *older;
		older->bytes = NULL;
	}
	if (newest) {
		record[(*n)++] = *newest;
		newest->bytes = NULL;
	}
	ok = true;
out:
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++)
		journal_record_free(&found[i]);
	return ok;
}

bool journal_record_visit(const struct journal *journal, const struct journal_record *record, const struct journal_visitor *visitor,
			  void *context, struct error *err)
{
	struct cursor at = { record->bytes, record->len - CRYPT_MAC_SIZE, record->header.place };
	struct journal_header header;

	if (!journal_header_read(&at, &header, err))
		return false;
	for (uint32_t i = 0; i < header.n_changed; i++) {
		struct journal_changed changed;

		if (!journal_changed_next(&at, journal->volume->super.node_size, &changed, err) ||
		    (visitor->on_changed && !visitor->on_changed(context, &changed, err)))
			return false;
	}
	for (uint32_t i = 0; i < header.n_new; i++) {
		struct journal_new new_block;

		if (!journal_new_next(&at, &new_block, err) ||
		    (visitor->on_new && !visitor->on_new(context, &new_block, err)))
			return false;
	}
	for (uint32_t i = 0; i < header.n_ranges; i++) {
		struct journal_range range;

		if (!journal_range_next(&at, &range, err) || (visitor->on_range && !visitor->on_range(context, &range, err)))
			return false;
	}
	return true;
}
