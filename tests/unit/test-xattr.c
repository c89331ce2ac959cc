/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Access control lists as the kernel stores them. */
#include "common/fs/xattr.h"

#include <string.h>

#include "tests/unit/test.h"

static const uint8_t sample[] = {
	LE32(2),				/* version */
	LE16(ACL_TAG_USER_OBJ), LE16(6), LE32(~0u),
	LE16(ACL_TAG_USER), LE16(7), LE32(1234),
	LE16(ACL_TAG_OTHER), LE16(4), LE32(~0u),
};

static bool parse(struct cursor *item, struct error *err)
{
	struct acl_entry entry;

	if (!acl_begin(item, err))
		return false;
	while (item->left > 0) {
		if (!acl_next(item, &entry, err))
			return false;
	}
	return true;
}

static void reads_entries(void **state)
{
	struct cursor item = { sample, sizeof(sample), TEST_OFFSET };
	struct error err = { 0 };
	struct acl_entry entry;

	(void)state;
	assert_true(acl_begin(&item, &err) && acl_next(&item, &entry, &err) && acl_next(&item, &entry, &err));
	assert_int_equal(entry.tag, ACL_TAG_USER);
	assert_int_equal(entry.permissions, 7);
	assert_int_equal(entry.id, 1234);
	assert_int_equal(item.left, 8);
}

static void refuses_every_truncation(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(sample); len++) {
		struct error err = { 0 };

		if (test_parse_copy(parse, sample, len, &err) != (len % 8 == 4))
			fail_msg("%zu bytes: %s", len, err.text);
	}
}

static void refuses_one_wrong_byte(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 1, "ACL at 0x4000: version is 1, not 2" },
		{ 4, 3, "ACL entry at 0x4004: tag is 3" },
		{ 13, 1, "ACL entry at 0x400c: tag is 258" },
		{ 6, 8, "ACL entry at 0x4004: permissions are 010" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse, sample, sizeof(sample), wrong, ARRAY_SIZE(wrong));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_entries),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_one_wrong_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
