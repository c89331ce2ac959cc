/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The unreleased version is refused by its name, wherever it stands, and whatever else is of another size. */
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

/* Its header and its seal were shorter. */
#define OLD_HEADER 256u

static void refuses_it_everywhere(void **state)
{
	static const char was[] = ": format version 1 was made by an unreleased version";
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
		{ parse_header, &disk_header, OLD_HEADER, 1, "crypt header at 0x4000" },
		{ parse_header, &disk_header, sizeof(disk_header), 16, "crypt header at 0x4000" },
		{ parse_slot, vector_pbkdf2_slot, sizeof(vector_pbkdf2_slot), 1, "crypt slot at 0x4000" },
		{ parse_slot, vector_pbkdf2_slot, sizeof(vector_pbkdf2_slot), 16, "crypt slot at 0x4000" },
		{ parse_member, disk_member, member_len, 1, "crypt member at 0x4000" },
		{ parse_seal, &disk_seal, sizeof(disk_seal), 1, "crypt seal at 0x4000" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct error err = { 0 };

		assert_true(test_parse_copy(row[i].parse, row[i].sample, row[i].len, &err) || row[i].len == OLD_HEADER);
		err = (struct error){ 0 };
		memcpy(bytes, row[i].sample, row[i].len);
		bytes[row[i].at] = 1;
		assert_false(test_parse_copy(row[i].parse, bytes, row[i].len, &err));
		snprintf(want, sizeof(want), "%s%s", row[i].what, was);
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
