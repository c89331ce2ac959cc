/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of an unfinished conversion: written somewhere in a metadata chunk, found through the superblock, damaged on each mirror. */
#include "common/sealed/domain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/sealed/domain-mac.h"
#include "common/device/device.h"
#include "common/volume/device-range.h"
#include "common/volume/mirror.h"
#include "tests/unit/sealed.h"

static uint64_t place;		/* logical, free, in a chunk with two mirrors */
static uint8_t *keys;
static size_t keys_len;

static void set_state(uint64_t logical, uint64_t length, uint16_t domain)
{
	struct disk_crypt_state state = {
		.version = to_le32(CRYPT_VERSION), .operation = CRYPT_OP_ENCRYPT, .direction = CRYPT_TO_SEALED, .phase = CRYPT_PHASE_DATA,
		.cipher = CIPHER_AES_256_GCM, .domain = to_le16(domain), .epoch = to_le64(3), .generation = to_le64(9),
		.n_devices = to_le64(1), .sector_size = to_le32(4096), .node_size = to_le32(16384),
		.keys = { to_le64(logical), to_le64(length) },
	};
	struct superblock *const super = &sealed.volume->super;

	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++)
		state.slot[i] = (struct disk_crypt_range){ to_le64((i + 1) * 0x100000), to_le64(0x100000) };
	memcpy(state.magic, CRYPT_STATE_MAGIC, sizeof(state.magic));
	memcpy(state.domain_uuid, sealed_domain_uuid, sizeof(state.domain_uuid));
	memset(super->disk.tail, 0, sizeof(super->disk.tail));
	memcpy(super->disk.tail, &state, sizeof(state));
	super->incompat |= INCOMPAT_CRYPT_UNFINISHED;
}

static bool write_mirror(void *context, const struct device_range *range, struct error *error)
{
	const unsigned *const mirror = context;

	return range->mirror != *mirror || device_write(range->device, keys + (range->logical - place), range->len, range->physical, error);
}

/* Bits of byte at that are wrong on each mirror. */
static void write_keys(size_t at, uint8_t wrong_0, uint8_t wrong_1)
{
	image_heal(&sealed.image);
	for (unsigned mirror = 0; mirror < 2; mirror++) {
		const uint8_t wrong = mirror == 0 ? wrong_0 : wrong_1;

		keys[at] ^= wrong;
		sealed_ok(device_ranges(sealed.volume, place, keys_len, write_mirror, &mirror, err));
		keys[at] ^= wrong;
	}
}

static void encode(size_t n_slots)
{
	free(keys);
	sealed_ok(domain_keys_encode(&sealed.header, sealed.slot, n_slots, &keys, &keys_len, err));
	write_keys(0, 0, 0);
}

static int set_up(void **state)
{
	sealed_set_up(state);
	for (size_t i = 0; i < sealed.volume->n_chunks; i++) {
		const struct chunk *const chunk = &sealed.volume->chunks[i];

		if ((chunk->type & GROUP_METADATA) && chunk_n_mirrors(chunk) == 2)
			place = chunk->logical + chunk->length - 0x10000;
	}
	assert_int_not_equal(place, 0);
	/* The MAC of the items is no business of the copies. */
	memset(sealed.header.items_mac, 0, sizeof(sealed.header.items_mac));
	sealed_ok(crypt_header_seal(sealed.schedule, &sealed.header, err));
	encode(2);
	set_state(place, 0x10000, DOMAIN);
	return 0;
}

static int tear_down(void **state)
{
	free(keys);
	keys = NULL;
	return sealed_tear_down(state);
}

static enum error_kind try_read(void)
{
	cleanup_domain struct domain *domain = NULL;
	struct error err = { 0 };

	return domain_read_unfinished(sealed.volume, &domain, &err) ? ERROR_NONE : err.kind;
}

static void refuses(enum error_kind kind, const char *text)
{
	cleanup_domain struct domain *domain = NULL;
	struct error err = { 0 };

	assert_false(domain_read_unfinished(sealed.volume, &domain, &err));
	if (err.kind != kind || !strstr(err.text, text))
		fail_msg("%d \"%s\" does not say \"%s\"", err.kind, err.text, text);
}

static void reads_and_opens_the_copies(void **state)
{
	cleanup_domain struct domain *domain = NULL;
	struct error error = { 0 };

	(void)state;
	assert_int_equal(keys_len, 792 + 4 + 2 * 220 + 32);
	sealed_ok(domain_read_unfinished(sealed.volume, &domain, err));
	assert_int_equal(domain->number, DOMAIN);
	assert_true(domain->unfinished);
	assert_int_equal(domain->n_slots, 2);
	assert_int_equal(domain->slots[1].number, 3);
	assert_int_equal(domain->n_members, 0);
	sealed_ok(domain_open(domain, &(const struct key_source){ .secret = sealed.beta, .slot = KEY_SLOT_ANY }, err));
	assert_int_equal(domain->slot_used, 3);
	assert_false(domain_open(domain, &(const struct key_source){ .secret = sealed.wrong, .slot = KEY_SLOT_ANY }, &error));
	assert_int_equal(error.kind, ERROR_KEY);
	assert_false(domain_open(domain, &(const struct key_source){ .volume_key = sealed.wrong, .slot = KEY_SLOT_ANY }, &error));
	assert_int_equal(error.kind, ERROR_KEY);
}

static void a_header_that_is_not_authentic_does_not_open(void **state)
{
	cleanup_domain struct domain *domain = NULL;
	struct error error = { 0 };

	(void)state;
	sealed.header.epoch++;
	encode(2);
	sealed_ok(domain_read_unfinished(sealed.volume, &domain, err));
	assert_false(domain_open(domain, &(const struct key_source){ .secret = sealed.alpha, .slot = KEY_SLOT_ANY }, &error));
	assert_int_equal(error.kind, ERROR_KEY_HEADER);
}

static void as_many_slots_as_there_may_be_and_none(void **state)
{
	struct disk_crypt_slot slots[DOMAIN_KEYS_SLOTS_MAX];

	(void)state;
	/* Old ones and new ones. */
	for (unsigned i = 0; i < DOMAIN_KEYS_SLOTS_MAX; i++) {
		slots[i] = sealed.slot[0];
		slots[i].header.number = to_le16((uint16_t)(i % CRYPT_SLOTS_MAX));
	}
	free(keys);
	sealed_ok(domain_keys_encode(&sealed.header, slots, DOMAIN_KEYS_SLOTS_MAX, &keys, &keys_len, err));
	assert_int_equal(keys_len, DOMAIN_KEYS_MAX);
	write_keys(0, 1, 0);
	assert_int_equal(try_read(), ERROR_NONE);
	set_state(place, 0x1000, DOMAIN);	/* shorter than what is there */
	refuses(ERROR_KEY_HEADER, "64 key slots take 14908 bytes, but there are only 4096");
	encode(0);
	assert_int_equal(try_read(), ERROR_NONE);
}

static void one_mirror_is_enough(void **state)
{
	const size_t n_slots = sizeof(struct disk_crypt_header);

	(void)state;
	for (size_t at = 0; at < keys_len; at++) {
		write_keys(at, at % 2, !(at % 2));
		if (try_read() != ERROR_NONE)
			fail_msg("byte %zu of one mirror", at);
		write_keys(at, 1, 1);
		if (try_read() != ERROR_KEY_HEADER)
			fail_msg("byte %zu of both mirrors", at);
	}
	/* More slots than there may be, and more than any range has room for */
	write_keys(n_slots, 2 ^ (DOMAIN_KEYS_SLOTS_MAX + 1), 2 ^ (DOMAIN_KEYS_SLOTS_MAX + 1));
	refuses(ERROR_KEY_HEADER, "65 key slots, not 0 to 64");
	write_keys(n_slots + 3, 0xff, 0xff);
	refuses(ERROR_KEY_HEADER, "4278190082 key slots, not 0 to 64");
}

/* On both mirrors */
static void put_second(size_t wrong_at)
{
	keys[wrong_at] ^= 1;
	sealed_ok(volume_write(sealed.volume, place + domain_keys_second(0x10000), keys, keys_len, err));
	keys[wrong_at] ^= 1;
}

static void the_second_copy_is_enough(void **state)
{
	(void)state;
	for (size_t at = 0; at < keys_len; at++) {
		write_keys(at, 1, 1);
		put_second((at + 1) % keys_len);
		if (try_read() != ERROR_KEY_HEADER)
			fail_msg("byte %zu of both copies", at);
		write_keys(at, 1, 1);
		sealed_ok(volume_write(sealed.volume, place + domain_keys_second(0x10000), keys, keys_len, err));
		sealed.image.n_warnings = 0;
		if (try_read() != ERROR_NONE || sealed.image.n_warnings != 1)
			fail_msg("byte %zu of the first copy", at);
	}
}

/* Where no copy is whole, what opens is taken; nothing is that does not agree with the header. */
static enum error_kind open_damaged(struct secret *secret, struct secret *volume_key)
{
	cleanup_domain struct domain *domain = NULL;
	struct error err = { 0 };

	const struct key_source with = { .secret = secret, .volume_key = volume_key, .slot = KEY_SLOT_ANY };

	return domain_read_damaged_keys(sealed.volume, &domain, &err) && domain_open(domain, &with, &err) ? ERROR_NONE : err.kind;
}

static void what_is_left_of_them_opens(void **state)
{
	const size_t header = sizeof(struct disk_crypt_header) + 4, slot = sizeof(struct disk_crypt_slot);

	(void)state;
	for (size_t at = header; at < header + slot; at += 73) {
		write_keys(at, 1, 1);
		assert_int_equal(try_read(), ERROR_KEY_HEADER);
		if (open_damaged(NULL, sealed.volume_key) != ERROR_NONE || open_damaged(sealed.beta, NULL) != ERROR_NONE ||
		    open_damaged(sealed.wrong, NULL) != ERROR_KEY || open_damaged(sealed.alpha, NULL) == ERROR_NONE)
			fail_msg("byte %zu, in the first slot", at);
	}
	write_keys(keys_len - 1, 1, 1);
	assert_int_equal(open_damaged(sealed.alpha, NULL), ERROR_NONE);
	for (size_t at = 0; at < sizeof(struct disk_crypt_header); at++) {
		write_keys(at, 1, 1);
		if (open_damaged(NULL, sealed.volume_key) == ERROR_NONE || (at % 96 == 5 && open_damaged(sealed.beta, NULL) == ERROR_NONE))
			fail_msg("byte %zu, of the header", at);
	}
}

static void a_state_that_leads_elsewhere(void **state)
{
	const struct chunk *const last = &sealed.volume->chunks[sealed.volume->n_chunks - 1];
	cleanup_domain struct domain *domain = NULL;
	struct error error = { 0 };

	(void)state;
	set_state(place, 0x1000, DOMAIN);
	assert_int_equal(try_read(), ERROR_NONE);
	set_state(place, 291, DOMAIN);
	assert_int_equal(try_read(), ERROR_STATE);
	set_state(place + 0x1000, 0x8000, DOMAIN);
	assert_int_equal(try_read(), ERROR_KEY_HEADER);
	set_state(last->logical + last->length, 0x8000, DOMAIN);
	assert_int_equal(try_read(), ERROR_STATE);
	set_state(last->logical + last->length - 0x1000, 0x8000, DOMAIN);
	assert_int_equal(try_read(), ERROR_STATE);
	set_state(place, 0x10000, DOMAIN + 1);
	assert_int_equal(try_read(), ERROR_STATE);
	sealed.volume->super.disk.tail[0] ^= 1;
	assert_int_equal(try_read(), ERROR_STATE);
	sealed.volume->super.incompat &= ~INCOMPAT_CRYPT_UNFINISHED;
	assert_false(domain_read_unfinished(sealed.volume, &domain, &error));
	assert_int_equal(error.kind, ERROR_NOT_FOUND);
}

/* What is under way is known by its copies, whatever stands in the root tree; members by their items or their tag. */
static void finds_what_is_being_converted(void **state)
{
	struct subvolume at[] = { { .id = 300, .root = { .has_v2 = true } }, { .id = 301, .root = { .has_v2 = true } } };
	const struct subvolume_list list = { .volume = sealed.volume, .at = at, .n = 2 };
	const struct key first = sealed_header_key(0);
	struct domain *domain = NULL;
	struct le32 hash;

	(void)state;
	memcpy(at[0].root.uuid, sealed_uuid_300, UUID_SIZE);
	sealed_ok(domain_find(sealed.volume, &list, &at[0], &domain, err));
	assert_non_null(domain);
	assert_true(domain->unfinished);
	domain_free(domain);
	sealed_ok(domain_find(sealed.volume, &list, &at[1], &domain, err));
	assert_null(domain);
	sealed_remove_item(&first);
	sealed_flip(&(struct key){ CRYPT_ID, KEY_PERSISTENT_ITEM, sealed_header_key(1).offset }, 20);
	sealed_ok(domain_find(sealed.volume, &list, &at[0], &domain, err));
	assert_null(domain);
	memcpy(&hash, sealed.header.kcv, sizeof(hash));
	at[1].root.key_hash = le32(hash);
	strcpy(at[1].root.algorithm, "aes-256-gcm");
	sealed_ok(domain_find(sealed.volume, &list, &at[1], &domain, err));
	assert_non_null(domain);
	assert_true(domain->unfinished);
	domain_free(domain);
}

int main(void)
{
#define KEYS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		KEYS_TEST(reads_and_opens_the_copies),
		KEYS_TEST(a_header_that_is_not_authentic_does_not_open),
		KEYS_TEST(as_many_slots_as_there_may_be_and_none),
		KEYS_TEST(one_mirror_is_enough),
		KEYS_TEST(the_second_copy_is_enough),
		KEYS_TEST(what_is_left_of_them_opens),
		KEYS_TEST(a_state_that_leads_elsewhere),
		KEYS_TEST(finds_what_is_being_converted),
	};

	return cmocka_run_group_tests(tests, sealed_make, sealed_remove);
}
