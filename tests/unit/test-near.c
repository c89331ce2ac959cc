/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What somebody may have meant who typed another word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/near.h"

static const char *nearest(struct near *near, const char *const *names)
{
	for (; *names; names++)
		near_offer(near, *names, strlen(*names), *names, strlen(*names));
	return near_found(near) ? near->name : "nothing";
}

static void finds_the_nearest(void **state)
{
	static const char *const names[] = { "list", "ls", "show", "convert", "verify", "verify-key", "dump-super", "dump-tree", "Home", "home2", NULL };
	static const struct { const char *word, *want; } rows[] = {
		{ "lst", "list" }, { "lits", "list" }, { "LIST", "list" }, { "listt", "list" }, { "sl", "ls" }, { "shwo", "show" }, { "covnert", "convert" },
		{ "dump-supper", "dump-super" }, { "dumptree", "dump-tree" }, { "verify-kye", "verify-key" }, { "home", "Home" }, { "home22", "home2" },
		{ "", "nothing" }, { "l", "nothing" }, { "cat", "nothing" }, { "mount", "nothing" }, { "convolute", "nothing" }, { "xyz-super", "nothing" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct near near = NEAR(rows[i].word);

		if (strcmp(nearest(&near, names), rows[i].want) != 0)
			fail_msg("%s: %s, not %s", rows[i].word, near.name, rows[i].want);
	}
}

static void compares_a_part_and_gives_the_whole(void **state)
{
	struct near near = NEAR("nested");

	(void)state;
	near_offer(&near, "Nested", 6, "vault/Nested", 12);
	assert_string_equal(near.name, "vault/Nested");
}

/* Copies of exactly their length, so that a sanitizer sees a read past them. */
static void is_bounded(void **state)
{
	static char word[NEAR_WORD_MAX + 2], name[NEAR_NAME_MAX + 1];

	(void)state;
	memset(word, 'a', NEAR_WORD_MAX);
	memset(name, 'a', NEAR_NAME_MAX);
	for (size_t len = 0; len <= NEAR_NAME_MAX; len++) {
		struct near near = NEAR(word);

		near_offer(&near, name, len, name, len);
		assert_int_equal(near_found(&near), len >= NEAR_WORD_MAX - 3 && len <= NEAR_WORD_MAX + 3);
	}
	word[NEAR_WORD_MAX] = 'a';

	struct near longer = NEAR(word);

	near_offer(&longer, word, strlen(word), word, strlen(word));
	assert_false(near_found(&longer));

	struct near near = NEAR("name");

	for (size_t i = 0; i < NEAR_OFFERS_MAX; i++)
		near_offer(&near, "other", 5, "other", 5);
	near_offer(&near, "name", 4, "name", 4);
	assert_false(near_found(&near));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_nearest),
		cmocka_unit_test(compares_a_part_and_gives_the_whole),
		cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
