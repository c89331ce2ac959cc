/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The newest superblock copy, the newest whole record: what they say is the truth. */
#include "tests/crash/oracle.h"

#include <stdlib.h>

#include "common/sealed/domain.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "format/journal.h"

/* --- superblocks ------------------------------------------------------------------------------------ */

static bool copy_read(const struct disk *disk, unsigned part, unsigned n, struct superblock *super)
{
	uint8_t bytes[SUPER_SIZE];
	struct error ignored;

	disk_read(disk, disk->begin[part] + superblock_offset(n), bytes, sizeof(bytes));
	return superblock_read(bytes, superblock_offset(n), super, &ignored) &&
	       csum_block_matches(super->csum_type, bytes, sizeof(bytes));
}

struct place {
	unsigned part, n;
};

/* Copies are written from the last to the first, the first of all devices after all others: among equals the later copy is the newer one. */
static bool newest_tail(const struct disk *disk, struct verdict *verdict, struct crypt_state_tail *tail, struct place *place, struct error *err)
{
	bool found = false;

	verdict->primary_valid = true;
	for (unsigned n = 0; n < SUPER_COPIES; n++) {
		for (unsigned part = 0; part < disk->n_parts; part++) {
			struct superblock super;
			struct crypt_state_tail read;
			bool valid;

			if (disk->lost & 1u << part || n >= superblock_n_copies(disk->begin[part + 1] - disk->begin[part]))
				continue;
			valid = copy_read(disk, part, n, &super);
			verdict->primary_valid &= valid || n > 0;
			if (!valid || !(super.incompat & INCOMPAT_CRYPT_UNFINISHED))
				continue;
			if (!crypt_state_read(super.disk.tail, &read, err))
				return error_prefix(err, "superblock copy %u of device %u", n, part + 1);
			if (!found || read.sequence > tail->sequence || (read.sequence == tail->sequence && (n > place->n || read.phase == CRYPT_PHASE_FINISHED))) {
				*tail = read;
				*place = (struct place){ part, n };
			}
			found = true;
		}
	}
	verdict->unfinished = found || !verdict->primary_valid;
	verdict->restorable = !found && !verdict->primary_valid;
	return true;
}

/* mkfs.btrfs counts the devices in the order in which it got them. */
static unsigned index_of(const struct volume *volume, struct place place)
{
	for (unsigned i = 0; i < volume->n_copies; i++) {
		const struct super_copy *copy = &volume->copy[i];

		if (volume->devices[copy->device].devid == place.part + 1 && copy->number == place.n)
			return i;
	}
	harness_fail("device %u has no superblock", place.part + 1);
}

/* --- records ---------------------------------------------------------------------------------------- */

struct record {
	struct journal_header header;
	uint8_t *bytes;
};

static bool new_blocks_there(struct volume *volume, const struct record *record)
{
	const uint32_t node_size = volume->super.node_size;
	struct cursor at = { record->bytes, record->header.length - CRYPT_MAC_SIZE, 0 };
	struct journal_header header;
	struct error ignored;
	uint8_t *block = malloc(node_size);
	bool ok = block && journal_header_read(&at, &header, &ignored);

	for (uint32_t i = 0; ok && i < header.n_changed; i++) {
		struct journal_changed changed;

		ok = journal_changed_next(&at, node_size, &changed, &ignored);
	}
	for (uint32_t i = 0; ok && i < header.n_new; i++) {
		struct journal_new new_block;
		const struct chunk *chunk;
		bool there = false;

		ok = journal_new_next(&at, &new_block, &ignored) && volume_chunk(volume, new_block.logical, &chunk, &ignored);
		for (unsigned mirror = 0; ok && mirror < chunk_n_mirrors(chunk); mirror++) {
			uint8_t sha256[32];

			there |= volume_read(volume, new_block.logical, block, node_size, mirror, &ignored) &&
				 crypto_sha256(block, node_size, sha256, &ignored) && memcmp(sha256, new_block.sha256, 32) == 0;
		}
		ok = ok && there;
	}
	free(block);
	return ok;
}

/* Is there a header of this conversion in the slot, and is the record behind it whole? */
static bool slot_read(struct volume *volume, const struct crypt_state_tail *tail, unsigned i, unsigned mirror, struct mac *mac,
		      struct record *record, bool *whole)
{
	struct disk_journal_header disk;
	struct cursor cursor = { (const uint8_t *)&disk, sizeof(disk), 0 };
	struct error ignored;
	uint8_t computed[CRYPT_MAC_SIZE];

	*whole = false;
	if (!volume_read(volume, tail->slot[i].logical, &disk, sizeof(disk), mirror, &ignored) ||
	    !journal_header_read(&cursor, &record->header, &ignored) || record->header.length > tail->slot[i].length ||
	    memcmp(record->header.op_id, tail->disk.op_id, CRYPT_UUID_SIZE) != 0 || record->header.place != tail->slot[i].logical ||
	    record->header.sequence % CRYPT_JOURNAL_SLOTS != i)
		return false;
	record->bytes = malloc(record->header.length);
	if (!record->bytes)
		harness_fail("out of memory");
	if (volume_read(volume, tail->slot[i].logical, record->bytes, record->header.length, mirror, &ignored)) {
		mac_start(mac);
		mac_update(mac, record->bytes, record->header.length - CRYPT_MAC_SIZE);
		*whole = mac_finish(mac, computed, &ignored) &&
			 memcmp(computed, record->bytes + record->header.length - CRYPT_MAC_SIZE, CRYPT_MAC_SIZE) == 0 &&
			 new_blocks_there(volume, record);
	}
	free(record->bytes);
	return true;
}

static bool judge_records(struct volume *volume, const struct crypt_state_tail *tail, struct mac *mac, struct verdict *verdict,
			  struct error *err)
{
	struct journal_header newest = { 0 }, half = { 0 };

	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
		const struct chunk *chunk;

		if (!volume_chunk(volume, tail->slot[i].logical, &chunk, err))
			return false;
		for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk); mirror++) {
			struct record record;
			bool whole;

			if (!slot_read(volume, tail, i, mirror, mac, &record, &whole))
				continue;
			if (whole && record.header.sequence > newest.sequence)
				newest = record.header;
			if (!whole && record.header.sequence > half.sequence)
				half = record.header;
		}
	}
	if (newest.sequence == 0 || newest.sequence < tail->sequence)
		return error_set(err, ERROR_STATE, "the newest record is lost");
	if (newest.sequence > tail->sequence) {
		verdict->direction = newest.direction;
		verdict->phase = newest.phase;
		verdict->cursor = newest.cursor;
	}
	if (half.sequence > newest.sequence) {
		verdict->half_record = true;
		verdict->half_direction = half.direction;
		verdict->half_phase = half.phase;
		verdict->half_cursor = half.cursor;
	}
	return true;
}

/* --- all of it -------------------------------------------------------------------------------------- */

bool oracle_judge(struct disk *disk, const struct keys *keys, struct verdict *verdict, struct error *err)
{
	const struct volume_options options = { .unfinished = true };
	cleanup_volume struct volume *volume = NULL;
	cleanup_domain struct domain *domain = NULL;
	cleanup_mac struct mac *mac = NULL;
	struct crypt_state_tail tail = { 0 };
	struct place place = { 0, 0 };

	*verdict = (struct verdict){ 0 };
	if (!newest_tail(disk, verdict, &tail, &place, err))
		return false;
	if (!verdict->unfinished || verdict->restorable)
		return true;
	verdict->operation = tail.operation;
	verdict->direction = tail.direction;
	verdict->phase = tail.phase;
	verdict->cursor = tail.cursor;
	if (!disk_open(disk, false, &options, &volume, err) || !volume_use_copy(volume, index_of(volume, place), err))
		return false;
	if (tail.phase == CRYPT_PHASE_FINISHED && tail.direction == CRYPT_TO_PLAIN) {
		struct error ignored;

		verdict->keyless = !domain_read_unfinished(volume, &domain, &ignored);
	}
	if (tail.phase < CRYPT_PHASE_FINISH) {
		if (!domain_read_unfinished(volume, &domain, err) ||
		    !domain_open(domain, &(const struct key_source){ .secret = keys->by_passphrase ? keys->passphrase : NULL, .volume_key = keys->by_passphrase ? NULL : keys->volume_key, .slot = KEY_SLOT_ANY }, err) ||
		    !mac_new(domain->schedule, "journal", tail.disk.op_id, CRYPT_UUID_SIZE, &mac, err) ||
		    !judge_records(volume, &tail, mac, verdict, err))
			return false;
	}

	/* Sealed, or without crypt items: from there only cleaning up is left. */
	verdict->done = verdict->phase >= CRYPT_PHASE_FINISH ||
			(verdict->operation == CRYPT_OP_REKEY && verdict->direction == CRYPT_TO_SEALED && verdict->phase == CRYPT_PHASE_INDEX &&
			 verdict->cursor == UINT64_MAX) ||
			(verdict->direction == CRYPT_TO_PLAIN && verdict->phase == CRYPT_PHASE_STRUCTURE && verdict->cursor == 0);
	return true;
}
