/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key slots against vectors of another implementation; costs are bounded before memory is taken. */
#include "tests/unit/test.h"

#include <sys/resource.h>
#include <time.h>

#include "common/crypto/key-slot.h"
#include "tests/unit/secret-of.h"
#include "tests/vectors/vectors.h"

static const struct kdf_cost cheap = { .kdf = KDF_ARGON2ID, .memory_kib = 8, .passes = 1 };

static const struct {
	const char *name;
	const uint8_t *slot, *secret;
	size_t secret_len;
	const char *label;
} vector[] = {
	{ "argon2id", vector_argon2id_slot, vector_argon2id_secret, sizeof(vector_argon2id_secret), "first" },
	{ "pbkdf2", vector_pbkdf2_slot, vector_pbkdf2_secret, sizeof(vector_pbkdf2_secret), "Schl\u00fcsseldatei" },
	{ "recovery", vector_recovery_slot, vector_recovery_secret, sizeof(vector_recovery_secret), "" },
};

static int set_up(void **state)
{
	struct error err = { 0 };

	(void)state;
	return secret_init(&err) ? 0 : -1;
}

static struct crypt_slot parsed(const void *bytes)
{
	struct cursor item = { bytes, sizeof(struct disk_crypt_slot), TEST_OFFSET };
	struct error err = { 0 };
	struct crypt_slot slot;

	if (!crypt_slot_read(&item, &slot, &err))
		fail_msg("%s", err.text);
	return slot;
}

/* Does it open, and then with the right key? */
static bool opens(const struct crypt_slot *slot, const struct secret *secret)
{
	cleanup_secret struct secret *key = NULL;
	struct error err = { 0 };

	if (!key_slot_open(slot, secret, &key, &err))
		fail_msg("%s", err.text);
	if (!key)
		return false;
	assert_int_equal(secret_len(key), CRYPT_KEY_SIZE);
	assert_memory_equal(secret_view(key), vector_volume_key, CRYPT_KEY_SIZE);
	return true;
}

static void opens_slots_made_elsewhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vector); i++) {
		cleanup_secret struct secret *secret = secret_of(vector[i].secret, vector[i].secret_len);
		const struct crypt_slot slot = parsed(vector[i].slot);

		assert_string_equal(slot.label, vector[i].label);
		assert_true(opens(&slot, secret));
	}
}

static void a_wrong_secret_opens_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vector); i++) {
		const struct crypt_slot slot = parsed(vector[i].slot);
		const size_t len = vector[i].secret_len;
		cleanup_secret struct secret *wrong = secret_of(vector[i].secret, len);
		cleanup_secret struct secret *shorter = secret_of(vector[i].secret, len - 1);
		cleanup_secret struct secret *longer = NULL;
		struct error err = { 0 };

		secret_bytes(wrong)[len - 1] ^= 1;
		assert_false(opens(&slot, wrong));
		assert_false(opens(&slot, shorter));
		assert_true(secret_new(len + 1, &longer, &err));
		memcpy(secret_bytes(longer), vector[i].secret, len);
		assert_false(opens(&slot, longer));
	}
}

static void a_secret_that_is_not_stretched_has_the_length_of_a_recovery_key(void **state)
{
	cleanup_secret struct secret *secret = secret_of(vector_short_secret, sizeof(vector_short_secret));
	const struct crypt_slot slot = parsed(vector_short_slot);

	(void)state;
	assert_false(opens(&slot, secret));
}

/* Every byte of the slot matters: it is malformed, or of a cost that is refused, or does not open. */
static void a_changed_slot_opens_nothing(void **state)
{
	cleanup_secret struct secret *secret = secret_of(vector_recovery_secret, sizeof(vector_recovery_secret));
	uint8_t bytes[sizeof(struct disk_crypt_slot)];
	size_t n_refused = 0;

	(void)state;
	for (size_t at = 0; at < sizeof(bytes); at++) {
		struct cursor item = { bytes, sizeof(bytes), TEST_OFFSET };
		struct secret *key = NULL;
		struct error err = { 0 };
		struct crypt_slot slot;

		memcpy(bytes, vector_recovery_slot, sizeof(bytes));
		bytes[at] ^= 1;
		if (!crypt_slot_read(&item, &slot, &err) || !key_slot_open(&slot, secret, &key, &err))
			n_refused++;
		assert_null(key);
	}
	assert_in_range(n_refused, 30, 110);	/* head, magic, version, type, kdf, p1 to p3, label padding */
}

static void creates_what_opens(void **state)
{
	static const struct kdf_cost pbkdf2 = { .kdf = KDF_PBKDF2_SHA512, .iterations = 1000 };
	static const struct kdf_cost none = { .kdf = KDF_NONE };
	const struct { const struct kdf_cost *cost; enum crypt_slot_type type; } row[] = {
		{ &cheap, SLOT_PASSPHRASE }, { &pbkdf2, SLOT_KEY_FILE }, { &none, SLOT_RECOVERY },
	};
	cleanup_secret struct secret *key = secret_of(vector_volume_key, sizeof(vector_volume_key));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		cleanup_secret struct secret *secret = NULL, *other = NULL;
		struct disk_crypt_slot disk, again;
		struct error err = { 0 };
		struct crypt_slot slot;

		assert_true(secret_random(CRYPT_RECOVERY_SIZE, &secret, &err));
		assert_true(secret_random(CRYPT_RECOVERY_SIZE, &other, &err));
		assert_true(key_slot_create(secret, row[i].cost, vector_domain_uuid, 7, row[i].type, "label", key, &disk, &err));
		slot = parsed(&disk);
		assert_int_equal(slot.number, 7);
		assert_int_equal(slot.type, row[i].type);
		assert_int_equal(slot.kdf, row[i].cost->kdf);
		assert_string_equal(slot.label, "label");
		assert_memory_equal(slot.domain_uuid, vector_domain_uuid, CRYPT_UUID_SIZE);
		assert_in_range(slot.time, time(NULL) - 100, time(NULL));
		assert_memory_equal(&slot.disk, &disk, sizeof(disk));
		assert_true(opens(&slot, secret));
		assert_false(opens(&slot, other));
		/* the same again shares neither salt nor anything that comes of it */
		assert_true(key_slot_create(secret, row[i].cost, vector_domain_uuid, 7, row[i].type, "label", key, &again, &err));
		assert_memory_not_equal(again.header.salt, disk.header.salt, sizeof(disk.header.salt));
		assert_memory_not_equal(again.commit, disk.commit, sizeof(disk.commit));
		assert_memory_not_equal(again.wrapped, disk.wrapped, sizeof(disk.wrapped));
	}
}

static void refuses_to_create(void **state)
{
	static const struct kdf_cost none = { .kdf = KDF_NONE }, too_dear = { KDF_ARGON2ID, 2 << 20, 1, 0 };
	static const char long_label[CRYPT_LABEL_MAX + 2] =
		"12345678901234567890123456789012345678901234567890123456789012345";
	const struct {
		const struct kdf_cost *cost;
		enum crypt_slot_type type;
		const char *label;
		enum error_kind kind;
	} row[] = {
		{ &none, SLOT_PASSPHRASE, "", ERROR_REFUSED },
		{ &cheap, SLOT_RECOVERY, "", ERROR_REFUSED },
		{ &none, SLOT_RECOVERY, "", ERROR_KEY },
		{ &too_dear, SLOT_PASSPHRASE, "", ERROR_REFUSED },
		{ &cheap, SLOT_PASSPHRASE, long_label, ERROR_USAGE },
		{ &cheap, SLOT_PASSPHRASE, "\xff", ERROR_USAGE },
	};
	cleanup_secret struct secret *secret = secret_of("abc", 3);
	cleanup_secret struct secret *key = secret_of(vector_volume_key, sizeof(vector_volume_key));
	struct disk_crypt_slot disk;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct error err = { 0 };

		assert_false(key_slot_create(secret, row[i].cost, vector_domain_uuid, 0, row[i].type, row[i].label, key,
					     &disk, &err));
		assert_int_equal(err.kind, row[i].kind);
	}
}

/* The peak memory of this process does not grow by what a hostile slot asks for. */
static void refuses_hostile_costs_before_taking_memory(void **state)
{
	static const struct { enum crypt_kdf kdf; uint32_t p1, p2, p3; const char *text; } row[] = {
		{ KDF_ARGON2ID, 0xffffffff, 1, 1, "key slot 0: Argon2id has 4294967295 KiB of memory, not 8 to 1048576" },
		{ KDF_ARGON2ID, (1 << 20) + 1, 1, 1, "key slot 0: Argon2id has 1048577 KiB of memory, not 8 to 1048576" },
		{ KDF_ARGON2ID, 7, 1, 1, "key slot 0: Argon2id has 7 KiB of memory, not 8 to 1048576" },
		{ KDF_ARGON2ID, 0, 1, 1, "key slot 0: Argon2id has 0 KiB of memory, not 8 to 1048576" },
		{ KDF_ARGON2ID, 64, 0, 1, "key slot 0: Argon2id has 0 passes, not 1 to 64" },
		{ KDF_ARGON2ID, 64, 65, 1, "key slot 0: Argon2id has 65 passes, not 1 to 64" },
		{ KDF_ARGON2ID, 1 << 20, 17, 1,
		  "key slot 0: Argon2id has 1048576 KiB of memory and 17 passes; their product is not 8 to 16777216" },
		{ KDF_ARGON2ID, 64, 3, 0, "key slot 0: Argon2id has 0 lanes, not 1" },
		{ KDF_ARGON2ID, 64, 3, 2, "key slot 0: Argon2id has 2 lanes, not 1" },
		{ KDF_PBKDF2_SHA512, 0, 0, 0, "key slot 0: PBKDF2 has 0 iterations, not 1 to 100000000" },
		{ KDF_PBKDF2_SHA512, 100000001, 0, 0, "key slot 0: PBKDF2 has 100000001 iterations, not 1 to 100000000" },
	};
	cleanup_secret struct secret *secret = secret_of("abc", 3);
	struct rusage before, after;

	(void)state;
	getrusage(RUSAGE_SELF, &before);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct crypt_slot slot = parsed(vector_argon2id_slot);
		struct secret *key = NULL;
		struct error err = { 0 };

		slot.kdf = row[i].kdf;
		slot.p1 = row[i].p1;
		slot.p2 = row[i].p2;
		slot.p3 = row[i].p3;
		assert_false(key_slot_open(&slot, secret, &key, &err));
		assert_null(key);
		assert_int_equal(err.kind, ERROR_REFUSED);
		assert_string_equal(err.text, row[i].text);
	}
	getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_maxrss - before.ru_maxrss < 4096);
}

static void calibrates_within_the_bounds(void **state)
{
	struct kdf_cost cost = { 0 };
	struct error err = { 0 };

	(void)state;
	assert_true(kdf_calibrate(&cost, 1, &err));
	assert_int_equal(cost.kdf, KDF_ARGON2ID);
	assert_int_equal(cost.passes, 3);
	assert_true(cost.memory_kib > 0 && cost.memory_kib <= 64 << 10);
	cost = (struct kdf_cost){ .kdf = KDF_ARGON2ID };
	assert_true(kdf_calibrate(&cost, 1u << 30, &err));
	assert_int_equal(cost.passes, KDF_PASSES_MAX);
	assert_true(cost.memory_kib > 0 && cost.memory_kib <= 128 << 10);
	assert_true((uint64_t)cost.memory_kib * cost.passes <= KDF_WORK_KIB_MAX);
	cost = (struct kdf_cost){ .kdf = KDF_PBKDF2_SHA512 };
	assert_true(kdf_calibrate(&cost, 50, &err));
	assert_in_range(cost.iterations, KDF_ITERATIONS_NEW_MIN, KDF_ITERATIONS_MAX);
}

static void calibrating_keeps_what_was_asked_for(void **state)
{
	struct kdf_cost cost = { .kdf = KDF_ARGON2ID, .memory_kib = (64 << 10) + 1, .passes = 3 };
	struct error err = { 0 };

	(void)state;
	assert_true(kdf_calibrate(&cost, 1000, &err));
	assert_int_equal(cost.memory_kib, (64 << 10) + 1);
	assert_int_equal(cost.passes, 3);
	cost = (struct kdf_cost){ .kdf = KDF_ARGON2ID, .memory_kib = 64 << 10 };
	assert_true(kdf_calibrate(&cost, 1, &err));
	assert_int_equal(cost.memory_kib, 64 << 10);
	assert_true(cost.passes >= 3);
	cost = (struct kdf_cost){ .kdf = KDF_ARGON2ID, .passes = 5 };
	assert_true(kdf_calibrate(&cost, 1, &err));
	assert_int_equal(cost.passes, 5);
	cost = (struct kdf_cost){ .kdf = KDF_PBKDF2_SHA512, .iterations = 1000 };
	assert_true(kdf_calibrate(&cost, 1000, &err));
	assert_int_equal(cost.iterations, 1000);
	cost = (struct kdf_cost){ .kdf = KDF_NONE };
	assert_true(kdf_calibrate(&cost, 1000, &err));
	assert_int_equal(cost.kdf, KDF_NONE);
}

static void calibrating_refuses_what_could_not_be_read_or_is_cheap(void **state)
{
	static const struct kdf_cost bad[] = {
		{ .kdf = KDF_ARGON2ID, .memory_kib = 4 },
		{ .kdf = KDF_ARGON2ID, .memory_kib = 16 << 10, .passes = 3 },
		{ .kdf = KDF_ARGON2ID, .memory_kib = 64 << 10, .passes = 2 },
		{ .kdf = KDF_ARGON2ID, .memory_kib = (1 << 20) + 1 },
		{ .kdf = KDF_ARGON2ID, .memory_kib = 4, .passes = 3 },
		{ .kdf = KDF_ARGON2ID, .memory_kib = 64, .passes = 65 },
		{ .kdf = KDF_ARGON2ID, .passes = 65 },
		{ .kdf = KDF_PBKDF2_SHA512, .iterations = 999 },
		{ .kdf = KDF_PBKDF2_SHA512, .iterations = 100000001 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct kdf_cost cost = bad[i];
		struct error err = { 0 };

		if (kdf_calibrate(&cost, 1, &err))
			fail_msg("row %zu is accepted", i);
		assert_int_equal(err.kind, ERROR_REFUSED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_slots_made_elsewhere),
		cmocka_unit_test(a_wrong_secret_opens_nothing),
		cmocka_unit_test(a_secret_that_is_not_stretched_has_the_length_of_a_recovery_key),
		cmocka_unit_test(a_changed_slot_opens_nothing),
		cmocka_unit_test(creates_what_opens),
		cmocka_unit_test(refuses_to_create),
		cmocka_unit_test(refuses_hostile_costs_before_taking_memory),
		cmocka_unit_test(calibrates_within_the_bounds),
		cmocka_unit_test(calibrating_keeps_what_was_asked_for),
		cmocka_unit_test(calibrating_refuses_what_could_not_be_read_or_is_cheap),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
