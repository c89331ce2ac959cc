/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys in the kernel's own keyrings. Each test has a session keyring of its own, which ends with this process. */
#include "tests/unit/test.h"

#include <errno.h>
#include <keyutils.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/crypto/keyring.h"

#define SIZE 32u

static const struct keyring session = { .kind = KEYRING_SESSION }, user = { .kind = KEYRING_USER };
static char name[32];		/* no other process has it */
static struct secret *mine, *other;

static void ok(bool result, const struct error *err)
{
	if (!result)
		fail_msg("%s", err->text);
}

static int set_up(void **state)
{
	struct error err = { 0 };

	(void)state;
	snprintf(name, sizeof(name), "btrfs:test-%ld", (long)getpid());
	if (keyctl_join_session_keyring(NULL) < 0)
		return errno == ENOSYS || errno == EPERM ? 0 : -1;
	return secret_init(&err) && secret_random(SIZE, &mine, &err) && secret_random(SIZE, &other, &err) ? 0 : -1;
}

static bool accept_mine(void *context, const struct secret *payload, bool *right, struct error *err)
{
	(void)context;
	(void)err;
	*right = secret_equal(payload, mine);
	return true;
}

static const struct keyring_wanted wanted = { name, SIZE, accept_mine, NULL };

static int tear_down(void **state)
{
	struct error err = { 0 };
	unsigned n;
	const bool ok = !mine || keyring_forget(&user, &wanted, &n, &err);

	(void)state;
	secret_free(mine);
	secret_free(other);
	mine = other = NULL;
	return ok ? 0 : -1;
}

#define NEEDS_KEYRINGS() do { if (!mine) { print_message("this kernel has no keyrings for us\n"); skip(); } } while (0)

static struct keyring_found look(const struct keyring *only)
{
	struct keyring_found found;
	cleanup_secret struct secret *payload = NULL;
	struct error err = { 0 };

	ok(keyring_find(&wanted, only, &found, &payload, &err), &err);
	assert_int_equal(payload != NULL, found.state == KEYRING_PRESENT);
	assert_true(!payload || secret_equal(payload, mine));
	return found;
}

static int32_t add(const struct keyring *keyring, const struct secret *payload, uint32_t seconds)
{
	struct error err = { 0 };
	int32_t serial = 0;

	ok(keyring_add(keyring, name, payload, seconds, &serial, &err), &err);
	return serial;
}

static void test_from_adding_to_forgetting(void **state)
{
	struct error err = { 0 };
	char expiry[KEYRING_EXPIRY_SIZE];
	unsigned n;

	(void)state;
	NEEDS_KEYRINGS();
	assert_int_equal(look(NULL).state, KEYRING_ABSENT);

	const int32_t serial = add(&session, mine, 0);

	assert_int_equal(look(NULL).state, KEYRING_PRESENT);
	assert_int_equal(look(NULL).serial, serial);
	assert_int_equal(look(&user).state, KEYRING_ABSENT);
	assert_int_equal(add(&session, mine, 0), serial);	/* the same once more */
	keyring_expiry(serial, expiry);
	assert_string_equal(expiry, "perm");

	ok(keyring_revoke(serial, &err), &err);
	assert_int_equal(look(NULL).state, KEYRING_REVOKED);
	ok(keyring_forget(&session, &wanted, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_int_equal(look(NULL).state, KEYRING_ABSENT);
}

/* A key in the user keyring, to which our session keyring has no link, can be read. */
static void test_user_keyring(void **state)
{
	(void)state;
	NEEDS_KEYRINGS();
	add(&user, mine, 3600);
	assert_int_equal(look(&session).state, KEYRING_ABSENT);
	assert_int_equal(look(NULL).state, KEYRING_PRESENT);
	assert_int_equal(look(NULL).keyring.kind, KEYRING_USER);
}

static void test_timeout(void **state)
{
	char expiry[KEYRING_EXPIRY_SIZE];

	(void)state;
	NEEDS_KEYRINGS();

	const int32_t serial = add(&session, mine, 1);

	keyring_expiry(serial, expiry);
	assert_true(strcmp(expiry, "1s") == 0 || strcmp(expiry, "0s") == 0 || strcmp(expiry, "expd") == 0);
	while (look(NULL).state == KEYRING_PRESENT)
		usleep(20000);
	assert_int_equal(look(NULL).state, KEYRING_EXPIRED);
}

/* Two seals may have one tag: each finds its own key, and neither replaces that of the other. */
static void test_same_name(void **state)
{
	struct error err = { 0 };
	int32_t serial;

	(void)state;
	NEEDS_KEYRINGS();
	add(&session, other, 0);
	assert_int_equal(look(NULL).state, KEYRING_OTHER);
	assert_false(keyring_add(&session, name, mine, 0, &serial, &err));
	assert_int_equal(err.kind, ERROR_REFUSED);
	assert_non_null(strstr(err.text, "session keyring has another key named"));
}

/* Ours goes, also where it cannot be read any more; that of somebody else stays. */
static void test_forgetting(void **state)
{
	static const uint8_t longer[SIZE + 1] = { 1 };
	struct error err = { 0 };
	unsigned n;

	(void)state;
	NEEDS_KEYRINGS();

	const int32_t theirs = add(&session, other, 0);

	add(&user, mine, 0);
	for (int round = 0; round < 2; round++) {
		ok(keyring_forget(&session, &wanted, &n, &err), &err);
		assert_int_equal(n, 0);
	}
	assert_int_equal(keyctl_search(KEY_SPEC_SESSION_KEYRING, "user", name, 0), theirs);
	assert_int_equal(look(NULL).state, KEYRING_PRESENT);
	ok(keyring_forget(&user, &wanted, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_int_equal(look(NULL).state, KEYRING_OTHER);

	assert_true(add_key("user", name, longer, sizeof(longer), KEY_SPEC_SESSION_KEYRING) >= 0);
	ok(keyring_forget(&session, &wanted, &n, &err), &err);
	assert_int_equal(n, 0);
	assert_int_equal(keyctl_search(KEY_SPEC_SESSION_KEYRING, "user", name, 0), theirs);

	/* Nobody can tell any more whose that was, or use it. */
	ok(keyring_revoke(theirs, &err), &err);
	ok(keyring_forget(&session, &wanted, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_int_equal(look(NULL).state, KEYRING_ABSENT);
}

/* A key that is of no use any more is told of before one that is somebody else's. */
static void test_revoked_behind_another(void **state)
{
	struct error err = { 0 };

	(void)state;
	NEEDS_KEYRINGS();
	add(&session, other, 0);
	ok(keyring_revoke(add(&user, mine, 0), &err), &err);
	assert_int_equal(look(NULL).state, KEYRING_REVOKED);
}

/* Its keys are gone with it, but those of the user are not. */
static void test_revoked_session(void **state)
{
	struct secret *payload = NULL;
	struct keyring_found found;
	struct error err = { 0 };

	(void)state;
	NEEDS_KEYRINGS();
	add(&session, mine, 0);
	assert_false(look(NULL).session_is_revoked);
	assert_true(keyctl_revoke(KEY_SPEC_SESSION_KEYRING) == 0);
	assert_int_equal(look(NULL).state, KEYRING_ABSENT);
	assert_true(look(NULL).session_is_revoked);
	assert_false(keyring_find(&wanted, &session, &found, &payload, &err));
	assert_string_equal(err.text, "the session keyring cannot be used: Key has been revoked");
	add(&user, mine, 0);
	assert_int_equal(look(NULL).state, KEYRING_PRESENT);
	assert_int_equal(look(NULL).keyring.kind, KEYRING_USER);
}

static void test_wrong_size(void **state)
{
	static const uint8_t bytes[SIZE + 1] = { 1 };

	(void)state;
	NEEDS_KEYRINGS();
	for (size_t len = 1; len <= sizeof(bytes); len += SIZE / 2) {
		assert_true(add_key("user", name, bytes, len, KEY_SPEC_SESSION_KEYRING) >= 0);
		assert_int_equal(look(NULL).state, KEYRING_OTHER);
	}
}

static void test_names(void **state)
{
	static const char *const wrong[] = { "", "0", "-3", "4294967296", "Session", "12x" };
	struct keyring keyring;
	struct error err = { 0 };
	char text[32];

	(void)state;
	ok(keyring_parse("@u", &keyring, &err), &err);
	assert_string_equal(keyring_name(&keyring, text), "user keyring");
	ok(keyring_parse("0x10", &keyring, &err), &err);
	assert_string_equal(keyring_name(&keyring, text), "keyring 16");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_false(keyring_parse(wrong[i], &keyring, &err));
		assert_int_equal(err.kind, ERROR_USAGE);
	}
}

static void test_no_keyring_there(void **state)
{
	const struct keyring none = { .kind = KEYRING_NUMBER, .number = INT32_MAX };
	struct secret *payload = NULL;
	struct keyring_found found;
	struct error err = { 0 };
	int32_t serial;

	(void)state;
	NEEDS_KEYRINGS();
	assert_false(keyring_find(&wanted, &none, &found, &payload, &err));
	assert_string_equal(err.text, "the keyring 2147483647 cannot be used: Required key not available");
	assert_false(keyring_add(&none, name, mine, 0, &serial, &err));
	assert_int_equal(err.kind, ERROR_KEY);
	assert_true(keyctl_revoke(KEY_SPEC_SESSION_KEYRING) == 0);
	assert_false(keyring_add(&session, name, mine, 0, &serial, &err));
	assert_non_null(strstr(err.hint, "--keyring user"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_from_adding_to_forgetting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_user_keyring, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_timeout, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_same_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forgetting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_revoked_behind_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_revoked_session, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_size, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_keyring_there, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
