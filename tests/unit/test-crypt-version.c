/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An unreleased version is refused by its name, wherever it stands, and whatever else is of another size. */
#include <stdio.h>

#include "format/crypt.h"
#include "tests/unit/test.h"
#include "tests/vectors/vectors.h"

static bool parse_header(struct cursor *item, struct error *err)
{
	struct crypt_header header;

	return crypt_header_read(item, &header, err);
}

static bool parse_slot(struct cursor *item, struct error *err)
{
	struct crypt_slot slot;

	return crypt_slot_read(item, &slot, err);
}

static bool parse_member(struct cursor *item, struct error *err)
{
	struct crypt_member member;

	return crypt_member_read(item, &member, err);
}

static bool parse_seal(struct cursor *item, struct error *err)
{
	struct crypt_seal seal;

	return crypt_seal_read(item, &seal, err);
}

/* Their headers were shorter. */
#define HEADER_1 256u
#define HEADER_2 288u

static void refuses_it_everywhere(void **state)
{
	const struct crypt_header header = { .cipher = CIPHER_AES_256_GCM, .state = CRYPT_STATE_SEALED, .unit_max = 500, .domain = 1 };
	const struct crypt_member member = { .id = 256 };
	const struct crypt_seal seal = { 0 };
	struct disk_crypt_header disk_header;
	uint8_t disk_member[CRYPT_MEMBER_MAX], bytes[CRYPT_MEMBER_MAX];
	struct disk_crypt_seal disk_seal;
	char want[128];

	(void)state;
	crypt_header_write(&header, &disk_header);
	crypt_seal_write(&seal, &disk_seal);

	const size_t member_len = crypt_member_write(&member, disk_member);
	const struct {
		bool (*parse)(struct cursor *, struct error *);
		const void *sample;
		size_t len, at;
		const char *what;
	} row[] = {
		{ parse_header, &disk_header, sizeof(disk_header), 1, "crypt header at 0x4000" },
		{ parse_header, &disk_header, HEADER_1, 1, "crypt header at 0x4000" },
		{ parse_header, &disk_header, HEADER_2, 1, "crypt header at 0x4000" },
		{ parse_header, &disk_header, sizeof(disk_header), 16, "crypt header at 0x4000" },
		{ parse_slot, vector_pbkdf2_slot, sizeof(vector_pbkdf2_slot), 1, "crypt slot at 0x4000" },
		{ parse_slot, vector_pbkdf2_slot, sizeof(vector_pbkdf2_slot), 16, "crypt slot at 0x4000" },
		{ parse_member, disk_member, member_len, 1, "crypt member at 0x4000" },
		{ parse_seal, &disk_seal, sizeof(disk_seal), 1, "crypt seal at 0x4000" },
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(row); i++) {
		const unsigned version = i < ARRAY_SIZE(row) ? 1 : 2;
		const size_t r = i % ARRAY_SIZE(row);
		struct error err = { 0 };

		assert_true(test_parse_copy(row[r].parse, row[r].sample, row[r].len, &err) || row[r].len == HEADER_1 || row[r].len == HEADER_2);
		err = (struct error){ 0 };
		memcpy(bytes, row[r].sample, row[r].len);
		bytes[row[r].at] = (uint8_t)version;
		assert_false(test_parse_copy(row[r].parse, bytes, row[r].len, &err));
		snprintf(want, sizeof(want), "%s: format version %u was made by an unreleased version", row[r].what, version);
		assert_string_equal(err.text, want);
		assert_int_equal(err.kind, ERROR_REFUSED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_it_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
