/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A domain read, opened with every key, and damaged byte by byte. */
#include "common/sealed/domain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-slots.h"
#include "common/util/hex.h"
#include "tests/unit/sealed.h"

/* Reads and opens it; ERROR_NONE where that succeeds. */
static enum error_kind try_open(struct secret *secret, struct secret *key, int number, int *slot_used, bool *one_bad)
{
	cleanup_domain struct domain *domain = NULL;
	struct error err = { 0 };

	const struct key_source with = { .secret = secret, .volume_key = key, .slot = number };

	if (!domain_read(sealed.volume, DOMAIN, &domain, &err) || !domain_open(domain, &with, &err)) {
		assert_true(err.kind != ERROR_NONE && err.text[0]);
		return err.kind;
	}
	assert_non_null(domain->schedule);
	if (slot_used)
		*slot_used = domain->slot_used;
	if (one_bad)
		*one_bad = domain->one_header_bad;
	return ERROR_NONE;
}

static enum error_kind open_by_key(bool *one_bad)
{
	return try_open(NULL, sealed.volume_key, -1, NULL, one_bad);
}

/* --- opening -------------------------------------------------------------------------- */

static void reads_what_is_there(void **state)
{
	cleanup_domain struct domain *domain = NULL;
	char tag[DOMAIN_TAG_TEXT_SIZE], want[64] = "aes-256-gcm@btrfs:";

	(void)state;
	sealed_ok(domain_read(sealed.volume, DOMAIN, &domain, err));
	assert_int_equal(domain->number, DOMAIN);
	assert_int_equal(domain->n_slots, 2);
	assert_int_equal(domain->slots[1].number, 3);
	assert_string_equal(domain->slots[0].label, "first");
	assert_int_equal(domain->n_members, 2);
	assert_int_equal(domain->members[1].id, 300);
	assert_memory_equal(domain->members[1].path, "a/path", 6);
	assert_int_equal(domain->n_inode_flags, N_FLAGS);
	assert_int_equal(domain->inode_flags[1].member, 300);
	assert_int_equal(domain->header.epoch, 3);
	assert_false(domain->one_header_bad);
	domain_tag_text(domain, tag);
	for (unsigned i = 0; i < 4; i++)
		hex_text(&sealed.header.kcv[3 - i], 1, want + strlen(want));
	assert_string_equal(tag, want);
}

static void opens_with_each_key(void **state)
{
	int used = -2;
	bool one_bad = true;

	(void)state;
	assert_int_equal(try_open(sealed.alpha, NULL, -1, &used, &one_bad), ERROR_NONE);
	assert_int_equal(used, 0);
	assert_false(one_bad);
	assert_int_equal(try_open(sealed.beta, NULL, -1, &used, NULL), ERROR_NONE);
	assert_int_equal(used, 3);
	assert_int_equal(try_open(sealed.beta, NULL, 3, &used, NULL), ERROR_NONE);
	assert_int_equal(try_open(NULL, sealed.volume_key, -1, &used, NULL), ERROR_NONE);
	assert_int_equal(used, -1);
}

static void rejects_other_keys(void **state)
{
	cleanup_domain struct domain *domain = NULL;
	struct error error = { 0 };

	(void)state;
	assert_int_equal(try_open(sealed.beta, NULL, 0, NULL, NULL), ERROR_KEY);
	assert_int_equal(try_open(sealed.beta, NULL, 1, NULL, NULL), ERROR_KEY);
	assert_int_equal(try_open(NULL, sealed.wrong, -1, NULL, NULL), ERROR_KEY);
	assert_int_equal(try_open(NULL, NULL, -1, NULL, NULL), ERROR_KEY);
	sealed_ok(domain_read(sealed.volume, DOMAIN, &domain, err));
	assert_false(domain_open(domain, &(const struct key_source){ .secret = sealed.wrong, .slot = KEY_SLOT_ANY }, &error));
	assert_int_equal(error.kind, ERROR_KEY);
	assert_string_equal(error.text, "wrong key or passphrase");
	assert_null(domain->schedule);
}

static void names_a_slot_that_costs_too_much_once(void **state)
{
	cleanup_domain struct domain *domain = NULL;
	struct error error = { 0 };

	(void)state;
	sealed_ok(domain_read(sealed.volume, DOMAIN, &domain, err));
	domain->slots[0].kdf = KDF_PBKDF2_SHA512;
	domain->slots[0].p1 = UINT32_MAX;
	assert_false(domain_open(domain, &(const struct key_source){ .secret = sealed.alpha, .slot = 0 }, &error));
	assert_int_equal(error.kind, ERROR_REFUSED);
	assert_string_equal(error.text, "key slot 0: PBKDF2 has 4294967295 iterations, not 1 to 100000000");
}

/* --- damage ------------------------------------------------------------------------------ */

static void one_copy_of_the_header_is_enough(void **state)
{
	(void)state;
	for (unsigned copy = 0; copy < 2; copy++) {
		const struct key key = sealed_header_key(copy);
		bool one_bad = false;

		for (size_t at = 0; at < sizeof(struct disk_crypt_header); at++) {
			sealed_flip(&key, at);
			if (open_by_key(&one_bad) != ERROR_NONE || !one_bad)
				fail_msg("byte %zu of copy %u", at, copy);
			sealed_flip(&key, at);
		}
		assert_int_equal(open_by_key(&one_bad), ERROR_NONE);
		assert_false(one_bad);
	}
}

static void two_bad_copies_are_damage(void **state)
{
	const struct key key[2] = { sealed_header_key(0), sealed_header_key(1) };
	const size_t kcv = offsetof(struct disk_crypt_header, kcv);

	(void)state;
	for (size_t at = 0; at < sizeof(struct disk_crypt_header); at++) {
		/* A sealed.volume key alone cannot tell a damaged check value from another key. */
		const bool is_kcv = at >= kcv && at < kcv + CRYPT_MAC_SIZE;
		/* An unreleased one. */
		const bool is_version = at == 1 || at == 16;

		for (unsigned i = 0; i < 2; i++)
			sealed_flip(&key[i], at);
		if (open_by_key(NULL) != (is_version ? ERROR_REFUSED : is_kcv ? ERROR_KEY : ERROR_KEY_HEADER) ||
		    (at % 4 == 0 && try_open(sealed.alpha, NULL, -1, NULL, NULL) != (is_version ? ERROR_REFUSED : ERROR_KEY_HEADER)))
			fail_msg("byte %zu", at);
		for (unsigned i = 0; i < 2; i++)
			sealed_flip(&key[i], at);
	}
	/* Each bad in its own way */
	sealed_flip(&key[0], 100);
	sealed_flip(&key[1], 200);
	assert_int_equal(open_by_key(NULL), ERROR_KEY_HEADER);
}

static void vouches_for_every_byte_of_the_items(void **state)
{
	const struct key key[] = { crypt_key(DOMAIN, CRYPT_MEMBER, 0), crypt_key(DOMAIN, CRYPT_MEMBER, 1), crypt_key(DOMAIN, CRYPT_INODE_FLAGS, 0) };

	(void)state;
	for (size_t i = 0; i < sizeof(key) / sizeof(key[0]); i++) {
		uint32_t len;

		sealed_item(&key[i], &len);
		for (size_t at = 0; at < len; at++) {
			sealed_flip(&key[i], at);

			const enum error_kind kind = try_open(sealed.alpha, NULL, 0, NULL, NULL);

			if (kind != ERROR_KEY_HEADER && kind != (at == 1 ? ERROR_REFUSED : ERROR_CORRUPT))
				fail_msg("byte %zu of item %zu: %d", at, i, kind);
			sealed_flip(&key[i], at);
		}
	}
	assert_int_equal(open_by_key(NULL), ERROR_NONE);
}

/* What is wrong is seen without a key. */
static void refuses_to_read(const char *text)
{
	cleanup_domain struct domain *domain = NULL;
	struct error err = { 0 };

	assert_false(domain_read(sealed.volume, DOMAIN, &domain, &err));
	if (err.kind != ERROR_KEY_HEADER || !strstr(err.text, text))
		fail_msg("%d \"%s\" does not say \"%s\"", err.kind, err.text, text);
}

static void misses_items_and_notices_more(void **state)
{
	const struct key flags = crypt_key(DOMAIN, CRYPT_INODE_FLAGS, 0);

	(void)state;
	sealed_remove_item(&flags);
	refuses_to_read("says 1 inode flags items, but there are 0");
}

/* --- key slots ------------------------------------------------------------------------------ */

static struct key slot_key(unsigned number) { return crypt_key(DOMAIN, CRYPT_SLOT, number); }

/* Opens with this secret or key, and finds this status; the warning is the first of what is wrong, or, NULL, there is none. */
static void opens(const struct secret *secret, int slot, enum error_kind want, const char *text, const char *warning)
{
	const struct key_source key = { .secret = (struct secret *)secret, .volume_key = secret ? NULL : sealed.volume_key, .slot = slot };
	cleanup_domain struct domain *domain = NULL;
	struct error why = { 0 };

	sealed.image.n_warnings = 0;
	sealed_ok(domain_read(sealed.volume, DOMAIN, &domain, err));
	(void)!domain_open(domain, &key, &why);
	if (why.kind != want || strcmp(why.text, text) != 0)
		fail_msg("%d \"%s\", not %d \"%s\"", why.kind, why.text, want, text);
	if (warning ? sealed.image.n_warnings != 1 || strcmp(sealed.image.warning, warning) != 0 : sealed.image.n_warnings > 0)
		fail_msg("%u warnings, the last one \"%s\", not \"%s\"", sealed.image.n_warnings, sealed.image.warning, warning ? warning : "");
	assert_int_equal(domain->slot_used >= 0 && domain->schedule, secret && want == ERROR_NONE);
}

#define WRONG_KEY "wrong key or passphrase"
#define NOT_THIS "the header of sealing 7 does not vouch for key slot 3, which this key opens"

/* Something is wrong with slot 3, which beta opens: alpha in slot 0 and the volume key open as before. */
static void costs_only_its_own_key(const char *fault, enum error_kind beta, const char *text)
{
	opens(sealed.alpha, KEY_SLOT_ANY, ERROR_NONE, "", fault);
	opens(sealed.alpha, 0, ERROR_NONE, "", fault);
	opens(NULL, KEY_SLOT_ANY, ERROR_NONE, "", fault);
	opens(sealed.beta, KEY_SLOT_ANY, beta, text, beta == ERROR_KEY_HEADER ? NULL : fault);
	opens(sealed.beta, 3, beta, beta == ERROR_KEY_HEADER ? text : fault, beta == ERROR_KEY_HEADER ? NULL : fault);
	opens(sealed.wrong, KEY_SLOT_ANY, ERROR_KEY, WRONG_KEY, fault);
}

static void every_byte_of_a_slot_costs_only_its_own_key(void **state)
{
	static const struct { size_t at; const char *fault; } said[] = {
		{ 0, "key slot 3 is damaged: crypt slot at %: kind is 0, not 1" },
		{ 1, "key slot 3 is damaged: crypt slot at %: format version 2 was made by an unreleased version" },
		{ 36, "key slot 3 is damaged: its record belongs to slot 2" },
	};
	const size_t p1 = offsetof(struct disk_crypt_slot_header, p1);
	const struct key key = slot_key(3);
	uint32_t len;

	(void)state;
	opens(sealed.beta, 3, ERROR_NONE, "", NULL);
	for (size_t at = 0; at < sizeof(struct disk_crypt_slot); at++) {
		bool one_bad;

		sealed_flip(&key, at);
		/* With the last byte of p1 it would take long. */
		if (try_open(sealed.alpha, NULL, KEY_SLOT_ANY, NULL, &one_bad) != ERROR_NONE || one_bad || open_by_key(NULL) != ERROR_NONE ||
		    (at != p1 + 3 && try_open(sealed.beta, NULL, KEY_SLOT_ANY, NULL, NULL) != ERROR_KEY))
			fail_msg("byte %zu", at);
		sealed_flip(&key, at);
	}
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		const char *const end = strchr(said[i].fault, '%');

		sealed_flip(&key, said[i].at);
		sealed.image.n_warnings = 0;
		assert_int_equal(try_open(sealed.alpha, NULL, KEY_SLOT_ANY, NULL, NULL), ERROR_NONE);
		if (sealed.image.n_warnings != 1 || strncmp(sealed.image.warning, said[i].fault, end ? (size_t)(end - said[i].fault) : strlen(said[i].fault) + 1) != 0 ||
		    (end && !strstr(sealed.image.warning, end + 1)))
			fail_msg("\"%s\"", sealed.image.warning);
		sealed_flip(&key, said[i].at);
	}
	sealed_flip(&key, offsetof(struct disk_crypt_slot, tag));
	costs_only_its_own_key("key slot 3 is damaged: it is not the one that the header vouches for", ERROR_KEY, WRONG_KEY);
	sealed_flip(&key, offsetof(struct disk_crypt_slot, tag));
	/* One that is too costly is not worth an error of its own. */
	sealed_item(&key, &len)[p1 + 3] = 0xff;
	costs_only_its_own_key("key slot 3 is damaged: it is not the one that the header vouches for", ERROR_KEY, WRONG_KEY);
	sealed_item(&key, &len)[p1 + 3] = 0;
	assert_int_equal(try_open(sealed.beta, NULL, 3, NULL, NULL), ERROR_NONE);
}

static void put_slot_3(const struct disk_crypt_slot *slot)
{
	const struct key key = slot_key(3);

	sealed_remove_item(&key);
	sealed_insert(&key, slot, sizeof(*slot));
}

static void a_slot_may_be_gone_or_added_or_exchanged(void **state)
{
	const struct kdf_cost cheap = { .kdf = KDF_PBKDF2_SHA512, .iterations = 1000 };
	const struct key first = slot_key(0), second = slot_key(3), third = slot_key(4), far = slot_key(77);
	struct disk_crypt_slot older, moved, foreign = sealed.slot[1];
	const uint8_t other_uuid[CRYPT_UUID_SIZE] = { 1 };

	(void)state;
	sealed_remove_item(&second);
	costs_only_its_own_key("key slot 3 is missing: the header vouches for one", ERROR_KEY, WRONG_KEY);
	sealed_insert(&second, "too short", 9);
	sealed.image.n_warnings = 0;
	assert_int_equal(try_open(sealed.alpha, NULL, KEY_SLOT_ANY, NULL, NULL), ERROR_NONE);
	assert_non_null(strstr(sealed.image.warning, "key slot 3 is damaged: crypt slot at "));

	/* An older one put back, which the same passphrase opens. */
	sealed_ok(key_slot_create(sealed.beta, &cheap, sealed_domain_uuid, 3, SLOT_KEY_FILE, NULL, sealed.volume_key, &older, err));
	put_slot_3(&older);
	costs_only_its_own_key("key slot 3 is damaged: it is not the one that the header vouches for", ERROR_KEY_HEADER, NOT_THIS);

	/* One of another sealing, even if it is said to be of this one. */
	sealed_ok(key_slot_create(sealed.beta, &cheap, other_uuid, 3, SLOT_KEY_FILE, NULL, sealed.wrong, &foreign, err));
	put_slot_3(&foreign);
	costs_only_its_own_key("key slot 3 is damaged: it is not the one that the header vouches for", ERROR_KEY_HEADER,
			       "the header of sealing 7 does not belong to the volume key in key slot 3");
	sealed_ok(key_slot_create(sealed.beta, &cheap, sealed_domain_uuid, 3, SLOT_KEY_FILE, NULL, sealed.wrong, &foreign, err));
	put_slot_3(&foreign);
	costs_only_its_own_key("key slot 3 is damaged: it is not the one that the header vouches for", ERROR_KEY_HEADER,
			       "the header of sealing 7 does not belong to the volume key in key slot 3");
	put_slot_3(&sealed.slot[1]);
	opens(sealed.beta, 3, ERROR_NONE, "", NULL);

	/* One too many: a copy of one that is right, under another number; one that beta opened; and a number that none has. */
	sealed_insert(&third, &sealed.slot[1], sizeof(sealed.slot[1]));
	opens(sealed.beta, KEY_SLOT_ANY, ERROR_NONE, "", "key slot 4 is one too many: the header does not vouch for it");
	sealed_remove_item(&third);
	sealed_ok(key_slot_create(sealed.wrong, &cheap, sealed_domain_uuid, 4, SLOT_KEY_FILE, NULL, sealed.volume_key, &moved, err));
	sealed_insert(&third, &moved, sizeof(moved));
	opens(sealed.beta, KEY_SLOT_ANY, ERROR_NONE, "", "key slot 4 is one too many: the header does not vouch for it");
	opens(sealed.wrong, KEY_SLOT_ANY, ERROR_KEY_HEADER, "the header of sealing 7 does not vouch for key slot 4, which this key opens", NULL);
	sealed_remove_item(&third);
	sealed_insert(&far, &sealed.slot[1], sizeof(sealed.slot[1]));
	opens(sealed.beta, KEY_SLOT_ANY, ERROR_NONE, "", "key slot 77 is one too many: their numbers are 0 to 31");
	sealed_remove_item(&far);

	/* Two that changed places: neither passphrase, but the volume key. */
	sealed_remove_item(&first);
	sealed_insert(&first, &sealed.slot[1], sizeof(sealed.slot[1]));
	put_slot_3(&sealed.slot[0]);
	assert_int_equal(try_open(sealed.alpha, NULL, KEY_SLOT_ANY, NULL, NULL), ERROR_KEY);
	assert_int_equal(try_open(sealed.beta, NULL, KEY_SLOT_ANY, NULL, NULL), ERROR_KEY);
	sealed.image.n_warnings = 0;
	assert_int_equal(open_by_key(NULL), ERROR_NONE);
	assert_int_equal(sealed.image.n_warnings, 2);
	assert_string_equal(sealed.image.warning, "key slot 3 is damaged: its record belongs to slot 0");
}

/* A slot that was removed, and is put back with the header of then beside the newer one. */
static void an_old_header_does_not_bring_a_slot_back(void **state)
{
	struct crypt_header newer = sealed.header;

	(void)state;
	newer.epoch++;
	memset(newer.slot_hash[3], 0, sizeof(newer.slot_hash[3]));
	sealed_ok(crypt_header_seal(sealed.schedule, &newer, err));
	for (unsigned copy = 0; copy < 2; copy++) {
		sealed_put_header(copy, &newer);
		sealed_put_header(!copy, &sealed.header);
		assert_int_equal(try_open(sealed.beta, NULL, KEY_SLOT_ANY, NULL, NULL), ERROR_KEY_HEADER);
		assert_int_equal(try_open(sealed.alpha, NULL, KEY_SLOT_ANY, NULL, NULL), ERROR_NONE);
	}
}

static void the_header_of_another_domain_is_none(void **state)
{
	cleanup_domain struct domain *domain = NULL;
	struct crypt_header other = sealed.header;

	(void)state;
	other.domain = DOMAIN + 1;
	other.epoch++;
	sealed_ok(crypt_header_seal(sealed.schedule, &other, err));
	sealed_put_header(0, &other);
	sealed_ok(domain_read(sealed.volume, DOMAIN, &domain, err));
	assert_true(domain->one_header_bad);
	sealed_ok(domain_open(domain, &(const struct key_source){ .volume_key = sealed.volume_key, .slot = KEY_SLOT_ANY }, err));
	assert_int_equal(domain->header.domain, DOMAIN);
	sealed_put_header(1, &other);
	refuses_to_read("copy 0 of the header of sealing 7 belongs to sealing 8");
}

static void the_newest_authentic_header_wins(void **state)
{
	cleanup_domain struct domain *domain = NULL;
	struct crypt_header newer = sealed.header;

	(void)state;
	newer.epoch = 4;
	sealed_put_header(1, &newer);		/* the MAC is that of epoch 3 */
	sealed_ok(domain_read(sealed.volume, DOMAIN, &domain, err));
	assert_int_equal(domain->header.epoch, 4);
	sealed_ok(domain_open(domain, &(const struct key_source){ .volume_key = sealed.volume_key, .slot = KEY_SLOT_ANY }, err));
	assert_int_equal(domain->header.epoch, 3);
	assert_true(domain->one_header_bad);
	sealed_ok(crypt_header_seal(sealed.schedule, &newer, err));
	for (unsigned copy = 0; copy < 2; copy++) {
		sealed_put_header(copy, &newer);
		sealed_put_header(!copy, &sealed.header);
		domain_free(domain);
		domain = NULL;
		sealed_ok(domain_read(sealed.volume, DOMAIN, &domain, err));
		sealed_ok(domain_open(domain, &(const struct key_source){ .volume_key = sealed.volume_key, .slot = KEY_SLOT_ANY }, err));
		assert_int_equal(domain->header.epoch, 4);
		assert_true(domain->one_header_bad);
	}
}

/* --- MACs beside another implementation's ---------------------------------------------------- */

static void macs_are_those_of_the_specification(void **state)
{
	/* tests/vectors/domain.py prints them */
	static const char items[] = "615bb120789c06bde8c8a1cd76a8b78320910c67b9d0cdb54b3ee7ec970f9170";
	static const char mac[] = "1c92dd125b19f6c3fb1072256d4db1d248c7cb2a5787f6afbc47b6f2e25e9f99";
	struct crypt_header h = {
		.cipher = CIPHER_CHACHA20_POLY1305, .state = CRYPT_STATE_SEALED, .unit_max = 500, .domain = DOMAIN, .had_verity = true,
		.epoch = 0x0102030405060708, .n_members = 2, .n_inode_flags_items = 3, .n_unit_items = 4, .n_units = 5,
		.n_inline_items = 6, .n_inline_units = 7, .n_index_items = 8, .n_index_entries = 9, .n_bad_items = 10, .n_bad_blocks = 11,
	};
	struct key first = crypt_key(DOMAIN, CRYPT_SLOT, 0), last = crypt_key(DOMAIN, CRYPT_INODE_FLAGS, CRYPT_INDEX_LAST);
	bool authentic = false;
	char text[65];

	(void)state;
	sealed_ok(tree_cut(sealed.tx, ROOT_TREE_ID, &first, &last, err));
	sealed_insert_at(DOMAIN, CRYPT_SLOT, 0, "the payload of slot 0", 21);
	sealed_insert_at(DOMAIN, CRYPT_SLOT, 3, "of slot 3", 9);
	sealed_insert_at(DOMAIN, CRYPT_MEMBER, 0, "of member 0", 11);
	sealed_insert_at(DOMAIN, CRYPT_INODE_FLAGS, 0, "of inode flags item 0", 21);
	sealed_insert_at(DOMAIN, CRYPT_INDEX, 0, "of index item 0", 15);
	sealed_insert_at(DOMAIN, CRYPT_BAD_BLOCKS, 0, "of bad blocks item 0", 20);
	sealed_ok(domain_items_mac(sealed.volume, DOMAIN, sealed.schedule, h.items_mac, err));
	sealed_ok(crypt_slot_hash("the payload of slot 0", 21, h.slot_hash[0], err));
	sealed_ok(crypt_slot_hash("of slot 3", 9, h.slot_hash[3], err));
	hex_text(h.slot_hash[3], sizeof(h.slot_hash[3]), text);
	assert_string_equal(text, "bba63025cfab70e3ec2d4a097d861492");
	hex_text(h.items_mac, sizeof(h.items_mac), text);
	assert_string_equal(text, items);
	for (unsigned i = 0; i < CRYPT_UUID_SIZE; i++)
		h.op_id[i] = (uint8_t)i;
	memcpy(h.domain_uuid, sealed_domain_uuid, sizeof(sealed_domain_uuid));
	memset(h.seal, 0xaa, sizeof(h.seal));
	sealed_ok(key_schedule_kcv(sealed.schedule, h.kcv, err));
	sealed_ok(crypt_header_seal(sealed.schedule, &h, err));
	hex_text(h.mac, sizeof(h.mac), text);
	assert_string_equal(text, mac);
	sealed_ok(crypt_header_check(sealed.schedule, &h, &authentic, err));
	assert_true(authentic);
	h.n_inline_units++;
	sealed_ok(crypt_header_check(sealed.schedule, &h, &authentic, err));
	assert_false(authentic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SEALED_TEST(reads_what_is_there),
		SEALED_TEST(opens_with_each_key),
		SEALED_TEST(rejects_other_keys),
		SEALED_TEST(names_a_slot_that_costs_too_much_once),
		SEALED_TEST(one_copy_of_the_header_is_enough),
		SEALED_TEST(two_bad_copies_are_damage),
		SEALED_TEST(vouches_for_every_byte_of_the_items),
		SEALED_TEST(misses_items_and_notices_more),
		SEALED_TEST(every_byte_of_a_slot_costs_only_its_own_key),
		SEALED_TEST(a_slot_may_be_gone_or_added_or_exchanged),
		SEALED_TEST(an_old_header_does_not_bring_a_slot_back),
		SEALED_TEST(the_header_of_another_domain_is_none),
		SEALED_TEST(the_newest_authentic_header_wins),
		SEALED_TEST(macs_are_those_of_the_specification),
	};

	return cmocka_run_group_tests(tests, sealed_make, sealed_remove);
}
