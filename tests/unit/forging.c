/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signing again what was changed. */
#include "tests/unit/forging.h"

#include "common/convert/state.h"
#include "common/sealed/domain-mac.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"

struct disk_journal_header *record_header(const struct forging *forging)
{
	return (struct disk_journal_header *)forging->record;
}

struct disk_journal_changed *record_changed(const struct forging *forging, uint32_t i)
{
	assert_true(i < forging->header.n_changed);
	return (struct disk_journal_changed *)(forging->record + sizeof(struct disk_journal_header) +
					       i * (sizeof(struct disk_journal_changed) + NODE_SIZE));
}

uint8_t *record_block(const struct forging *forging, uint32_t i)
{
	return (uint8_t *)(record_changed(forging, i) + 1);
}

struct disk_journal_new *record_new(const struct forging *forging)
{
	return (struct disk_journal_new *)(forging->record + sizeof(struct disk_journal_header) +
					   forging->header.n_changed * (sizeof(struct disk_journal_changed) + NODE_SIZE));
}

struct disk_journal_range *record_range(const struct forging *forging)
{
	assert_true(forging->header.n_ranges > 0);
	return (struct disk_journal_range *)(record_new(forging) + forging->header.n_new);
}

void forging_begin(struct disk *disk, const struct secret *volume_key, struct forging *forging)
{
	const struct volume_options options = { .unfinished = true };

	*forging = (struct forging){ 0 };
	ok(volume_open(disk_device(disk, true), &options, &forging->volume, err));
	ok(state_newest(forging->volume, &forging->tail, err) != NULL);
	ok(key_schedule_new(volume_key, forging->tail.disk.domain_uuid, &forging->schedule, err));
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
		struct disk_journal_header bytes;
		struct cursor cursor = { (const uint8_t *)&bytes, sizeof(bytes), forging->tail.slot[i].logical };
		struct journal_header read;
		struct error none;

		ok(volume_read(forging->volume, forging->tail.slot[i].logical, &bytes, sizeof(bytes), 0, err));
		if (journal_header_read(&cursor, &read, &none) && read.sequence > forging->header.sequence)
			forging->header = read;
	}
	assert_true(forging->header.sequence > 0);
	forging->record = malloc(forging->header.length);
	assert_non_null(forging->record);
	ok(volume_read(forging->volume, forging->header.place, forging->record, forging->header.length, 0, err));
}

static void mac_of(const struct forging *forging, const char *label, const void *bytes, size_t len, uint8_t mac[CRYPT_MAC_SIZE])
{
	cleanup_mac struct mac *running = NULL;

	ok(mac_new(forging->schedule, label, forging->tail.disk.op_id, CRYPT_UUID_SIZE, &running, err));
	mac_start(running);
	mac_update(running, bytes, len);
	ok(mac_finish(running, mac, err));
}

void forging_end_record(struct forging *forging)
{
	const size_t len = forging->header.length - CRYPT_MAC_SIZE;
	struct disk_crypt_state *state = &forging->tail.disk;
	uint8_t *const mac = forging->record + len;
	const bool is_known = memcmp(mac, state->journal_mac, CRYPT_MAC_SIZE) == 0;

	for (uint32_t i = 0; i < forging->header.n_changed; i++)
		csum_block_update(forging->volume->super.csum_type, record_block(forging, i), NODE_SIZE);
	mac_of(forging, "journal", forging->record, len, mac);
	if (is_known)
		memcpy(state->journal_mac, mac, CRYPT_MAC_SIZE);
	ok(volume_write(forging->volume, forging->header.place, forging->record, forging->header.length, err));
}

void forging_carry(struct forging *forging)
{
	const size_t len = forging->header.length - CRYPT_MAC_SIZE, more = sizeof(struct disk_journal_carried) + CRYPT_BLOCK;
	const struct disk_journal_carried carried = { .address = record_range(forging)->address, .n_blocks = to_le32(1) };

	forging->record = realloc(forging->record, forging->header.length + more);
	assert_non_null(forging->record);
	memmove(forging->record + len + more, forging->record + len, CRYPT_MAC_SIZE);
	memcpy(forging->record + len, &carried, sizeof(carried));
	memset(forging->record + len + sizeof(carried), 0x5a, CRYPT_BLOCK);
	forging->header.length += more;
	record_header(forging)->length = to_le64(forging->header.length);
	record_header(forging)->n_carried = to_le32(1);
	forging_end_record(forging);
}

void forging_drop(struct forging *forging)
{
	free(forging->record);
	key_schedule_free(forging->schedule);
	volume_close(forging->volume);
}

void forging_end(struct forging *forging)
{
	struct disk_superblock disk = forging->volume->super.disk;
	struct disk_crypt_state *state = &forging->tail.disk;

	mac_of(forging, "state", state, offsetof(struct disk_crypt_state, mac), state->mac);
	if (forging->not_authentic)
		state->mac[0] ^= 1;
	memset(disk.tail, 0, sizeof(disk.tail));
	memcpy(disk.tail, state, sizeof(*state));
	ok(volume_write_supers(forging->volume, &disk, err));
	forging_drop(forging);
}

void forging_edit_headers(struct forging *forging, void (*edit)(struct crypt_header *header), void (*spoil)(uint8_t *payload))
{
	const uint16_t number = forging->tail.domain;
	const struct key key[] = { crypt_key(number, CRYPT_HEADER, 0), crypt_second_header_key(number) };
	unsigned n = 0;

	for (uint32_t i = 0; i < forging->header.n_changed; i++) {
		uint8_t *const bytes = record_block(forging, i);
		struct node node;

		ok(node_read(bytes, NODE_SIZE, le64(record_changed(forging, i)->logical), &node, err));
		for (uint32_t slot = 0; node.level == 0 && slot < node.n_items; slot++) {
			const struct key found = node_key(&node, slot);
			uint8_t *const payload = bytes + leaf_item_at(&node, slot);
			struct cursor item = leaf_item(&node, slot);
			struct crypt_header header;

			if (key_compare(&found, &key[0]) != 0 && key_compare(&found, &key[1]) != 0)
				continue;
			n++;
			ok(crypt_header_read(&item, &header, err));
			if (edit) {
				edit(&header);
				ok(crypt_header_seal(forging->schedule, &header, err));
				crypt_header_write(&header, (struct disk_crypt_header *)payload);
			}
			if (spoil)
				spoil(payload);
		}
	}
	assert_int_equal(n, 2);
}
