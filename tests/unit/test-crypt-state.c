/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of an unfinished conversion in a superblock. */
#include "tests/unit/test.h"

#include "format/crypt.h"

/* A state that is right, in a tail of its own. */
static void sample(uint8_t tail[SUPER_TAIL_SIZE])
{
	struct disk_crypt_state disk = {
		.version = to_le32(3),
		.operation = CRYPT_OP_DECRYPT,
		.direction = CRYPT_TO_SEALED,
		.phase = CRYPT_PHASE_LEAVES,
		.cipher = CIPHER_CHACHA20_POLY1305,
		.domain = to_le16(7),
		.epoch = to_le64(8),
		.generation = to_le64(9),
		.n_devices = to_le64(1),
		.sector_size = to_le32(4096),
		.node_size = to_le32(65536),
		.cursor = to_le64(10),
		.sequence = to_le64(11),
		.keys = { to_le64(0x10000), to_le64(0x2000) },
		.start_time = to_le64(12),
		.total = to_le64(13),
		.n_unit_items = to_le64(14),
	};

	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++)
		disk.slot[i] = (struct disk_crypt_range){ to_le64((i + 1) * 0x100000), to_le64(0x100000) };
	memcpy(disk.magic, CRYPT_STATE_MAGIC, sizeof(disk.magic));
	memset(tail, 0, SUPER_TAIL_SIZE);
	memcpy(tail, &disk, sizeof(disk));
}

static void reads_a_state(void **state)
{
	uint8_t tail[SUPER_TAIL_SIZE];
	struct crypt_state_tail read;
	struct error err = { 0 };

	(void)state;
	sample(tail);
	assert_true(crypt_state_read(tail, &read, &err));
	assert_memory_equal(&read.disk, tail, sizeof(read.disk));
	assert_int_equal(read.operation, CRYPT_OP_DECRYPT);
	assert_int_equal(read.direction, CRYPT_TO_SEALED);
	assert_int_equal(read.phase, CRYPT_PHASE_LEAVES);
	assert_int_equal(read.cipher, CIPHER_CHACHA20_POLY1305);
	assert_int_equal(read.domain, 7);
	assert_int_equal(read.epoch, 8);
	assert_int_equal(read.generation, 9);
	assert_int_equal(read.cursor, 10);
	assert_int_equal(read.sequence, 11);
	assert_int_equal(read.start_time, 12);
	assert_int_equal(read.total, 13);
	assert_int_equal(read.n_unit_items, 14);
	assert_int_equal(read.keys.logical, 0x10000);
	assert_int_equal(read.keys.length, 0x2000);
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
		assert_int_equal(read.slot[i].logical, (i + 1) * 0x100000);
		assert_int_equal(read.slot[i].length, 0x100000);
	}
}

#define AT(field) offsetof(struct disk_crypt_state, field)

static void refuses_one_wrong_byte(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 'b', "the magic is not \"BTRCSTAT\"" },
		{ AT(version), 4, "version is 4, not 3" },
		{ AT(operation), 0, "operation is 0, not 1 to 6" },
		{ AT(operation), 7, "operation is 7, not 1 to 6" },
		{ AT(operation), 5, "cipher is 2, not 0 as in operation 5" },
		{ AT(direction), 0, "direction is 0, not 1 or 2" },
		{ AT(direction), 3, "direction is 3, not 1 or 2" },
		{ AT(phase), 0, "phase is 0, not 1 to 6" },
		{ AT(phase), 7, "phase is 7, not 1 to 6" },
		{ AT(cipher), 0, "cipher is 0, not 1 or 2" },
		{ AT(flags), 128, "flags are 0x80, not 0 to 0x7f" },
		{ AT(sector_size), 1, "sector_size is 4097, not a power of two from 4096 to 65536" },
		{ AT(sector_size) + 1, 8, "sector_size is 2048, not a power of two from 4096 to 65536" },
		{ AT(node_size) + 2, 2, "node_size is 131072, not a power of two from 4096 to 65536" },
		{ AT(keys.logical), 1, "the place of the keys is 0x2000 bytes at 0x10001, not whole blocks of 4096" },
		{ AT(keys.length), 1, "the place of the keys is 0x2001 bytes at 0x10000, not whole blocks of 4096" },
		{ AT(keys.length) + 1, 0, "the place of the keys is 0 bytes at 0x10000, not whole blocks of 4096" },
		{ AT(slot) + 16, 1, "a journal slot is 0x100000 bytes at 0x200001, not whole blocks of 4096" },
		{ AT(whole_digest), 1, "32 reserved bytes are not 0" },
		{ AT(whole_digest) + 31, 1, "32 reserved bytes are not 0" },
	};
	static const char place[] = "conversion state in the superblock at 0xdcb: ";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		uint8_t tail[SUPER_TAIL_SIZE];
		struct crypt_state_tail read;
		struct error err = { 0 };

		sample(tail);
		tail[wrong[i].at] = wrong[i].value;
		if (crypt_state_read(tail, &read, &err))
			fail_msg("row %zu is accepted", i);
		assert_int_equal(err.kind, ERROR_STATE);
		assert_memory_equal(err.text, place, sizeof(place) - 1);
		assert_string_equal(err.text + sizeof(place) - 1, wrong[i].text);
	}
}

static void refuses_the_unreleased_version(void **state)
{
	uint8_t tail[SUPER_TAIL_SIZE];
	struct crypt_state_tail read;
	struct error err = { 0 };

	(void)state;
	sample(tail);
	tail[AT(version)] = 1;
	assert_false(crypt_state_read(tail, &read, &err));
	assert_int_equal(err.kind, ERROR_REFUSED);
	assert_string_equal(err.text, "conversion state in the superblock at 0xdcb: format version 1 was made by an unreleased version");
}

static void refuses_bytes_behind_it(void **state)
{
	struct crypt_state_tail read;
	uint8_t tail[SUPER_TAIL_SIZE];

	(void)state;
	for (size_t at = sizeof(struct disk_crypt_state); at < SUPER_TAIL_SIZE; at++) {
		struct error err = { 0 };

		sample(tail);
		tail[at] = 1;
		assert_false(crypt_state_read(tail, &read, &err));
		assert_int_equal(err.kind, ERROR_STATE);
	}
}

static void refuses_a_range_that_wraps(void **state)
{
	static const struct { uint64_t logical, length; bool ok; } row[] = {
		{ 0, 0, true },
		{ 0x1000, 0, false },
		{ UINT64_MAX - 0xfff, 0x1000, false },
		{ UINT64_MAX - 0x1fff, 0x1000, true },
		{ 0x1000, UINT64_MAX - 0xfff, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const struct disk_crypt_range range = { to_le64(row[i].logical), to_le64(row[i].length) };
		uint8_t tail[SUPER_TAIL_SIZE];
		struct crypt_state_tail read;
		struct error err = { 0 };

		sample(tail);
		memcpy(tail + AT(slot) + (CRYPT_JOURNAL_SLOTS - 1) * sizeof(range), &range, sizeof(range));
		if (crypt_state_read(tail, &read, &err) != row[i].ok)
			fail_msg("row %zu: %s", i, row[i].ok ? err.text : "accepted");
	}
}

static void the_later_of_two_is_known(void **state)
{
	/* Each is later than all before it. */
	static const struct crypt_state_tail row[] = {
		{ .sequence = 4, .epoch = 9, .direction = CRYPT_TO_SEALED, .phase = CRYPT_PHASE_FINISHED },
		{ .sequence = 5, .epoch = 5, .direction = CRYPT_TO_SEALED, .phase = CRYPT_PHASE_LEAVES },
		{ .sequence = 5, .epoch = 5, .direction = CRYPT_TO_SEALED, .phase = CRYPT_PHASE_INDEX },
		{ .sequence = 5, .epoch = 6, .direction = CRYPT_TO_PLAIN, .phase = CRYPT_PHASE_INDEX },
		{ .sequence = 5, .epoch = 6, .direction = CRYPT_TO_PLAIN, .phase = CRYPT_PHASE_LEAVES },
		{ .sequence = 5, .epoch = 6, .direction = CRYPT_TO_PLAIN, .phase = CRYPT_PHASE_DATA },
		{ .sequence = 5, .epoch = 6, .direction = CRYPT_TO_PLAIN, .phase = CRYPT_PHASE_STRUCTURE },
		{ .sequence = 5, .epoch = 6, .direction = CRYPT_TO_PLAIN, .phase = CRYPT_PHASE_FINISH },
		{ .sequence = 5, .epoch = 6, .direction = CRYPT_TO_PLAIN, .phase = CRYPT_PHASE_FINISHED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(row); j++) {
			if (crypt_state_is_later(&row[i], &row[j]) != (i > j))
				fail_msg("row %zu and row %zu", i, j);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_state),
		cmocka_unit_test(refuses_one_wrong_byte),
		cmocka_unit_test(refuses_the_unreleased_version),
		cmocka_unit_test(refuses_bytes_behind_it),
		cmocka_unit_test(refuses_a_range_that_wraps),
		cmocka_unit_test(the_later_of_two_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
