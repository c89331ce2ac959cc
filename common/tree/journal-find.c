/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds and reads the records that were made durable. */
#include "common/tree/journal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "common/volume/tolerance.h"

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

		if (!journal_range_next(&at, header.has_old, &range, err) || (visitor->on_range && !visitor->on_range(context, &range, err)))
			return false;
	}
	for (uint32_t i = 0; i < header.n_carried; i++) {
		struct journal_carried carried;

		if (!journal_carried_next(&at, &carried, err) || (visitor->on_carried && !visitor->on_carried(context, &carried, err)))
			return false;
	}
	return true;
}
