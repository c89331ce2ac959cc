/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recovery keys in writing: known values, what may differ when they are typed, and every single mistake. */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "common/crypto/recovery-key.h"
#include "tests/unit/secret-of.h"
#include "tests/vectors/vectors.h"

#define known vector_recovery_secret

static void text_of(const uint8_t bytes[CRYPT_RECOVERY_SIZE], char text[RECOVERY_TEXT_LEN + 1])
{
	cleanup_secret struct secret *key = secret_of(bytes, CRYPT_RECOVERY_SIZE), *out = NULL;
	struct error err = { 0 };

	assert_true(recovery_key_text(key, &out, &err));
	assert_int_equal(secret_len(out), RECOVERY_TEXT_LEN);
	memcpy(text, secret_view(out), RECOVERY_TEXT_LEN);
	text[RECOVERY_TEXT_LEN] = '\0';
}

/* 1: it is this key; 0: it is no recovery key; -1: it is mistyped, and err says where. */
static int reads(const char *text, const uint8_t want[CRYPT_RECOVERY_SIZE], struct error *err)
{
	cleanup_secret struct secret *given = secret_of(text, strlen(text)), *key = NULL;

	*err = (struct error){ 0 };
	if (!recovery_key_read(given, &key, err)) {
		assert_int_equal(err->kind, ERROR_KEY);
		return -1;
	}
	if (!key)
		return 0;
	assert_int_equal(secret_len(key), CRYPT_RECOVERY_SIZE);
	return memcmp(secret_view(key), want, CRYPT_RECOVERY_SIZE) == 0 ? 1 : 2;
}

static void test_known(void **state)
{
	char text[RECOVERY_TEXT_LEN + 1];
	struct error err;

	(void)state;
	text_of(known, text);
	assert_memory_equal(text, vector_recovery_text, sizeof(vector_recovery_text));
	assert_int_equal(strlen(text), sizeof(vector_recovery_text));
	assert_int_equal(reads(text, known, &err), 1);
}

static void test_spacing_and_case(void **state)
{
	char text[RECOVERY_TEXT_LEN + 1], typed[2 * sizeof(text)];
	struct error err;
	size_t n = 0;

	(void)state;
	text_of(known, text);
	for (const char *c = text; *c; c++) {
		if (*c == '-')
			continue;
		typed[n] = *c == '0' ? 'o' : *c == '1' ? 'I' : *c >= 'A' ? (char)(*c + 32) : *c;
		n++;
		if (n % 7 == 3)
			typed[n++] = ' ';
	}
	typed[n] = '\0';
	assert_int_equal(reads(typed, known, &err), 1);
}

/* A wrong character, and two beside each other that changed places, are seen in their group. */
static void test_mistakes(void **state)
{
	char text[RECOVERY_TEXT_LEN + 1], wrong[64];
	struct error err;

	(void)state;
	text_of(known, text);
	for (size_t i = 0; i < RECOVERY_TEXT_LEN; i++) {
		snprintf(wrong, sizeof(wrong), "in group %zu of 8", i / 6 + 1);
		if (text[i] == '-')
			continue;
		for (const char *c = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; *c; c++) {
			const char was = text[i];

			if (*c == was)
				continue;
			text[i] = *c;
			assert_int_equal(reads(text, known, &err), -1);
			assert_non_null(strstr(err.text, wrong));
			text[i] = was;
		}
		if (text[i + 1] && text[i + 1] != '-' && text[i + 1] != text[i]) {
			const char was = text[i];

			text[i] = text[i + 1];
			text[i + 1] = was;
			assert_int_equal(reads(text, known, &err), -1);
			text[i + 1] = text[i];
			text[i] = was;
		}
	}
	/* The first two groups. */
	snprintf(wrong, sizeof(wrong), "%.5s-%.5s%s", text + 6, text, text + 11);
	assert_int_equal(reads(wrong, known, &err), -1);
	assert_non_null(strstr(err.text, "in groups 1, 2 of 8"));
}

static void test_passphrases(void **state)
{
	static const char *const no_key[] = { "open sesame", "1234567890123456789012345678901234567890", "U234567890123456789012345678901234567890",
					      "-", "0000000000000000000000000000000000000000" };
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(no_key); i++)
		assert_int_equal(reads(no_key[i], known, &err), 0);
}

static int set_up(void **state)
{
	struct error err = { 0 };

	(void)state;
	return secret_init(&err) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_spacing_and_case),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_passphrases),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
