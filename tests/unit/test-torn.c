/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Completing blocks whose overwriting was cut off, every way it can be. */
#include "common/convert/torn.h"
#include "tests/unit/test.h"

#define PART (CRYPT_BLOCK / TORN_PARTS)

struct fixture {
	struct key_schedule *schedule;
	struct unit_cipher *cipher;
	uint8_t plain[CRYPT_BLOCK], sealed[CRYPT_BLOCK], tag[CRYPT_TAG_SIZE];
};

static void open_fixture(struct fixture *f, enum crypt_cipher kind)
{
	const uint8_t uuid[CRYPT_UUID_SIZE] = { 1 }, context[sizeof(struct disk_crypt_u)] = { 2 };
	struct secret *key;
	struct error err;

	assert_true(secret_init(&err));
	assert_true(secret_new(CRYPT_KEY_SIZE, &key, &err));
	assert_true(key_schedule_new(key, uuid, &f->schedule, &err));
	secret_free(key);
	assert_true(unit_cipher_new(f->schedule, kind, "unit", context, sizeof(context), &f->cipher, &err));
	for (unsigned i = 0; i < CRYPT_BLOCK; i++)
		f->plain[i] = (uint8_t)(i * 5 + (i >> 7));
	assert_true(unit_cipher_seal(f->cipher, 3, f->plain, CRYPT_BLOCK, f->sealed, f->tag, &err));
}

static void close_fixture(struct fixture *f)
{
	unit_cipher_free(f->cipher);
	key_schedule_free(f->schedule);
}

static void mix(const struct fixture *f, unsigned mask, uint8_t out[CRYPT_BLOCK])
{
	for (unsigned part = 0; part < TORN_PARTS; part++)
		memcpy(out + part * PART, (mask & 1u << part ? f->plain : f->sealed) + part * PART, PART);
}

static void every_mixture(enum crypt_cipher kind)
{
	struct fixture f;
	struct error err;

	open_fixture(&f, kind);
	for (unsigned mask = 0; mask < 1u << TORN_PARTS; mask++) {
		for (int want_sealed = 0; want_sealed < 2; want_sealed++) {
			uint8_t bytes[CRYPT_BLOCK];
			bool found;

			mix(&f, mask, bytes);
			assert_true(torn_complete(&(struct sided_block){ f.cipher, 3, f.tag, want_sealed ? &side_sealed : &side_plain, NULL, NULL }, bytes, &found, &err));
			assert_true(found);
			assert_memory_equal(bytes, want_sealed ? f.sealed : f.plain, CRYPT_BLOCK);
		}
	}
	close_fixture(&f);
}

static void completes_every_mixture_of_aes(void **state)
{
	(void)state;
	every_mixture(CIPHER_AES_256_GCM);
}

static void completes_every_mixture_of_chacha(void **state)
{
	(void)state;
	every_mixture(CIPHER_CHACHA20_POLY1305);
}

/* Rekeying: each part is under the old key or under the new one. */
static void completes_every_mixture_of_two_keys(void **state)
{
	struct fixture new, old;
	struct error err;

	(void)state;
	open_fixture(&new, CIPHER_CHACHA20_POLY1305);
	open_fixture(&old, CIPHER_AES_256_GCM);
	for (unsigned mask = 0; mask < 1u << TORN_PARTS; mask++) {
		for (unsigned to_new = 0; to_new < 2; to_new++) {
			const struct side *to = to_new ? &side_new : &side_old;
			const struct sided_block block = { new.cipher, 3, new.tag, to, old.cipher, old.tag };
			uint8_t bytes[CRYPT_BLOCK], other[CRYPT_BLOCK];
			bool found, right;

			for (unsigned part = 0; part < TORN_PARTS; part++)
				memcpy(bytes + part * PART, (mask & 1u << part ? old.sealed : new.sealed) + part * PART, PART);
			assert_true(torn_complete(&block, bytes, &found, &err));
			assert_true(found);
			assert_memory_equal(bytes, to_new ? new.sealed : old.sealed, CRYPT_BLOCK);
			assert_true(to->read(&block, bytes, other, &right, &err));
			assert_true(right);
			assert_memory_equal(other, to_new ? old.sealed : new.sealed, CRYPT_BLOCK);
			assert_true(to->other->read(&block, bytes, other, &right, &err));
			assert_false(right);
		}
	}
	/* What does not verify under both is not written. */
	for (unsigned to_new = 0; to_new < 2; to_new++) {
		const struct sided_block block = { new.cipher, 3, new.tag, to_new ? &side_new : &side_old, old.cipher, new.tag };
		uint8_t bytes[CRYPT_BLOCK];
		bool found;

		memcpy(bytes, new.sealed, sizeof(bytes));
		assert_true(torn_complete(&block, bytes, &found, &err));
		assert_int_equal(found, to_new);
		assert_memory_equal(bytes, new.sealed, sizeof(bytes));
	}
	close_fixture(&old);
	close_fixture(&new);
}

static void leaves_alone_what_is_neither(void **state)
{
	struct fixture f;
	struct error err;
	uint8_t bytes[CRYPT_BLOCK], before[CRYPT_BLOCK];
	bool found;

	(void)state;
	open_fixture(&f, CIPHER_AES_256_GCM);
	/* One bit of one part; a part cut off in its middle; another block's bytes. */
	for (unsigned i = 0; i < 3; i++) {
		uint32_t index = 3;

		mix(&f, 0x35, bytes);
		if (i == 0)
			bytes[1000] ^= 1;
		else if (i == 1)
			memcpy(bytes + PART, f.plain + PART, PART / 2);
		else
			index = 4;
		memcpy(before, bytes, sizeof(before));
		assert_true(torn_complete(&(struct sided_block){ f.cipher, index, f.tag, &side_sealed, NULL, NULL }, bytes, &found, &err));
		assert_false(found);
		assert_memory_equal(bytes, before, sizeof(before));
	}
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(completes_every_mixture_of_aes),
		cmocka_unit_test(completes_every_mixture_of_chacha),
		cmocka_unit_test(completes_every_mixture_of_two_keys),
		cmocka_unit_test(leaves_alone_what_is_neither),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
