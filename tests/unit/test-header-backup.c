/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A header backup of a real domain: what opens it, which of backup and image counts, and what is no backup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-slots.h"
#include "common/sealed/header-backup.h"
#include "common/util/take.h"
#include "tests/unit/sealed.h"

static uint8_t *encode(bool no_slots, size_t *len)
{
	uint8_t *bytes = NULL;

	sealed_ok(header_backup_encode(sealed.volume, &sealed.header, no_slots, &bytes, len, err));
	return bytes;
}

/* The hash is made right again. NULL: the error. */
static struct header_backup *read_changed(bool no_slots, size_t at, uint8_t xored, struct error *why)
{
	struct header_backup *backup = NULL;
	size_t len;
	uint8_t *bytes = encode(no_slots, &len);

	assert_true(at < len - CRYPT_BACKUP_HASH_SIZE);
	bytes[at] ^= xored;
	sealed_ok(crypto_sha256(bytes, len - CRYPT_BACKUP_HASH_SIZE, bytes + len - CRYPT_BACKUP_HASH_SIZE, err));
	return header_backup_read(bytes, len, &backup, why) ? backup : NULL;
}

static struct header_backup *backup_of(bool no_slots)
{
	struct error why = { 0 };
	struct header_backup *const backup = read_changed(no_slots, 0, 0, &why);

	if (!backup)
		fail_msg("%s", why.text);
	return backup;
}

/* With the domain that is read from this backup, or, with NULL, as the volume says. */
static enum error_kind try_open(const struct header_backup *backup, struct secret *secret, struct secret *key, struct error *why)
{
	const struct key_source with = { .secret = secret, .volume_key = key, .slot = KEY_SLOT_ANY };
	cleanup_domain struct domain *domain = NULL;

	*why = (struct error){ 0 };
	if (!(backup ? domain_read_backup(sealed.volume, backup, &domain, why) : domain_read(sealed.volume, DOMAIN, &domain, why)) ||
	    !domain_open(domain, &with, why))
		return why->kind;
	assert_int_equal(domain->n_members, 2);
	assert_int_equal(domain->n_inode_flags, N_FLAGS);
	return ERROR_NONE;
}

static void opens_with_every_key(void **state)
{
	cleanup_header_backup struct header_backup *backup = backup_of(false);
	struct error why;

	(void)state;
	assert_int_equal(backup->file.n_items, 6);
	assert_memory_equal(backup->file.fsid, sealed.volume->super.fsid, FSID_SIZE);
	assert_int_equal(try_open(backup, sealed.alpha, NULL, &why), ERROR_NONE);
	assert_int_equal(try_open(backup, sealed.beta, NULL, &why), ERROR_NONE);
	assert_int_equal(try_open(backup, NULL, sealed.volume_key, &why), ERROR_NONE);
	assert_int_equal(try_open(backup, sealed.wrong, NULL, &why), ERROR_KEY);
}

static void without_slots_only_the_volume_key_opens_it(void **state)
{
	cleanup_header_backup struct header_backup *backup = backup_of(true);
	struct error why;

	(void)state;
	assert_int_equal(try_open(backup, NULL, sealed.volume_key, &why), ERROR_NONE);
	assert_int_equal(try_open(backup, sealed.alpha, NULL, &why), ERROR_KEY);
	assert_string_equal(why.hint, "it has no key slot; only the volume key opens it");
	/* What was kept of a slot does not tell a guesser whether he is right. */
	for (unsigned i = 0; i < 2; i++) {
		assert_null(memmem(backup->bytes, backup->file.items.left, sealed.slot[i].header.salt, sizeof(sealed.slot[i].header.salt)));
		assert_null(memmem(backup->bytes, backup->file.items.left, sealed.slot[i].commit, sizeof(sealed.slot[i].commit)));
	}
}

/* Bytes of header, slots, members, flags, of a backup that somebody changed and hashed again. */
static void no_changed_backup_opens(void **state)
{
	const size_t items = sizeof(struct disk_crypt_backup), head = sizeof(struct disk_crypt_backup_item);
	const size_t slot = items + head + sizeof(struct disk_crypt_header), member = slot + 2 * (head + sizeof(struct disk_crypt_slot));
	const struct { bool no_slots; size_t at; enum error_kind kind; const char *text; } change[] = {
		{ false, items + head + 32, ERROR_KEY_HEADER, "fails authentication" },		/* epoch */
		{ false, items + head + 192, ERROR_KEY_HEADER, "fails authentication" },	/* seal */
		{ false, items + head + 72, ERROR_KEY, "wrong key" },				/* key check value */
		{ false, items + head + 248, ERROR_KEY_HEADER, "fails authentication" },	/* the hash of a slot */
		{ false, member + head + 112, ERROR_KEY_HEADER, "does not vouch" },		/* a digest */
		{ false, member + head + 8, ERROR_KEY_HEADER, "id is 4, no subvolume has it" },
		{ false, items + head + 104, ERROR_KEY_HEADER, "says 3 subvolumes, but there are 2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
		struct error why = { 0 };
		cleanup_header_backup struct header_backup *backup = read_changed(change[i].no_slots, change[i].at, 1, &why);

		assert_non_null(backup);
		assert_int_equal(try_open(backup, NULL, sealed.volume_key, &why), change[i].kind);
		if (!strstr(why.text, change[i].text))
			fail_msg("change %zu: %s", i, why.text);
	}
}

/* One slot that is not what the header vouches for: the others open it. */
static void a_changed_slot_costs_only_its_own_key(void **state)
{
	const size_t slot = sizeof(struct disk_crypt_backup) + 2 * sizeof(struct disk_crypt_backup_item) + sizeof(struct disk_crypt_header);
	const size_t change[] = { slot + 172, slot + 20 };	/* the wrapped key, the domain uuid */

	(void)state;
	for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
		struct error why = { 0 };
		cleanup_header_backup struct header_backup *backup = read_changed(false, change[i], 1, &why);

		assert_non_null(backup);
		sealed.image.n_warnings = 0;
		assert_int_equal(try_open(backup, sealed.beta, NULL, &why), ERROR_NONE);
		assert_int_equal(sealed.image.n_warnings, 1);
		assert_string_equal(sealed.image.warning, "key slot 0 is damaged: it is not the one that the header vouches for");
		assert_int_equal(try_open(backup, NULL, sealed.volume_key, &why), ERROR_NONE);
		assert_int_equal(try_open(backup, sealed.alpha, NULL, &why), ERROR_KEY);
		assert_string_equal(why.text, "wrong key or passphrase");
	}
}

/* What is damaged in the image is not saved, and not missed when the backup is used. */
static void leaves_out_a_damaged_slot(void **state)
{
	const struct key key = crypt_key(DOMAIN, CRYPT_SLOT, 0);
	cleanup_header_backup struct header_backup *backup = NULL;
	struct error why;

	(void)state;
	sealed_flip(&key, offsetof(struct disk_crypt_slot, tag));
	backup = backup_of(false);
	assert_int_equal(backup->file.n_items, 5);
	sealed.image.n_warnings = 0;
	assert_int_equal(try_open(backup, sealed.beta, NULL, &why), ERROR_NONE);
	assert_int_equal(try_open(backup, sealed.alpha, NULL, &why), ERROR_KEY);
	assert_int_equal(sealed.image.n_warnings, 0);
}

static void refuses_what_is_no_backup(void **state)
{
	struct header_backup *backup = NULL;
	struct error why = { 0 };
	size_t len;
	uint8_t *bytes = encode(false, &len);

	(void)state;
	bytes[len / 2] ^= 1;
	assert_false(header_backup_read(bytes, len, &backup, &why));
	assert_int_equal(why.kind, ERROR_KEY_HEADER);
	assert_string_equal(why.text, "header backup: its hash is wrong; the file is damaged");
	/* state, domain of the header */
	assert_null(read_changed(false, sizeof(struct disk_crypt_backup) + 16 + 21, CRYPT_STATE_SEALED ^ CRYPT_STATE_SEALING, &why));
	assert_string_equal(why.text, "header backup: state is 1, not 2 (sealed)");
	assert_null(read_changed(false, sizeof(struct disk_crypt_backup) + 16 + 28, 1, &why));
	assert_string_equal(why.text, "header backup: its header belongs to sealing 6, the other items to sealing 7");
}

/* --- which one counts ---------------------------------------------------------------------------------------------- */

static void set_epoch(uint64_t epoch, bool authentic)
{
	struct crypt_header header = sealed.header;

	header.epoch = epoch;
	sealed_ok(crypt_header_seal(sealed.schedule, &header, err));
	header.mac[0] ^= !authentic;
	sealed_put_header(0, &header);
	sealed_put_header(1, &header);
}

static bool uses_backup_with(struct secret *secret, struct secret *volume_key)
{
	const struct key_source with = { .secret = secret, .volume_key = volume_key, .slot = KEY_SLOT_ANY };
	cleanup_domain struct domain *domain = NULL;

	sealed_ok(domain_read(sealed.volume, DOMAIN, &domain, err));
	sealed_ok(domain_open(domain, &with, err));
	return domain->backup;
}

static bool uses_backup(struct secret *secret) { return uses_backup_with(secret, NULL); }

static void the_newer_authentic_header_counts(void **state)
{
	cleanup_header_backup struct header_backup *backup = backup_of(false);
	const struct key first = crypt_key(DOMAIN, CRYPT_SLOT, 0), second = crypt_key(DOMAIN, CRYPT_SLOT, 3);
	struct error why;

	(void)state;
	sealed.volume->backup = backup;
	assert_true(uses_backup(sealed.alpha));
	sealed.image.n_warnings = 0;
	set_epoch(4, true);
	assert_false(uses_backup(sealed.alpha));
	assert_int_equal(sealed.image.n_warnings, 1);
	assert_string_equal(sealed.image.warning, "the header in the image has epoch 4 and is used: the header backup is older and has epoch 3");
	/* Nobody but who has the key makes an image newer than its backup. */
	set_epoch(4, false);
	assert_true(uses_backup(sealed.alpha));
	assert_string_equal(sealed.image.warning, "the header of sealing 7 fails authentication; the header backup is used");
	/* Nor who makes it one of another key, or spoils its slots, so that the key does not open it either. */
	for (unsigned i = 0; i < 2; i++) {
		const struct crypt_header header = sealed.header;

		sealed.header.kcv[5] ^= i == 0;
		if (i == 1)
			sealed_flip(&first, offsetof(struct disk_crypt_slot, commit));
		set_epoch(4, false);
		assert_true(i == 0 ? uses_backup_with(NULL, sealed.volume_key) : uses_backup(sealed.alpha));
		assert_string_equal(sealed.image.warning, "the header in the image says that it is newer than the header backup, but is not authentic; "
				    "the header backup is used");
		sealed.header = header;
	}
	assert_int_equal(try_open(NULL, sealed.wrong, NULL, &why), ERROR_KEY);
	assert_string_equal(why.hint, "key slot 0 is damaged: it is not the one that the header vouches for; what belongs to it opens nothing until "
			    "`key restore` puts it back from a header backup");
	sealed_flip(&first, offsetof(struct disk_crypt_slot, commit));
	set_epoch(2, true);
	assert_true(uses_backup(sealed.alpha));
	/* A slot that is gone from a newer header opens it no more, as the backup would. */
	sealed_remove_item(&second);
	memset(sealed.header.slot_hash[3], 0, sizeof(sealed.header.slot_hash[3]));
	set_epoch(4, true);
	assert_int_equal(try_open(NULL, sealed.beta, NULL, &why), ERROR_KEY);
	assert_string_equal(why.hint, "the header in the image is newer than the backup, so its key slots count");
	assert_int_equal(try_open(backup, sealed.beta, NULL, &why), ERROR_NONE);
	/* Nothing is left of it in the image. */
	for (unsigned copy = 0; copy < 2; copy++) {
		const struct key key = sealed_header_key(copy);

		sealed_remove_item(&key);
	}
	assert_true(uses_backup(sealed.beta));
	sealed.volume->backup = NULL;
}

static void another_domain_does_not_count(void **state)
{
	cleanup_header_backup struct header_backup *backup = backup_of(false);
	struct error why;

	(void)state;
	sealed.volume->backup = backup;
	/* One byte that went wrong in one place is not another sealing. */
	sealed.header.domain_uuid[0] ^= 1;
	sealed_put_header(0, &sealed.header);
	sealed_put_header(1, &sealed.header);
	assert_int_equal(try_open(NULL, sealed.alpha, NULL, &why), ERROR_NONE);
	for (unsigned i = 0; i < 2; i++) {
		const struct key key = crypt_key(DOMAIN, CRYPT_SLOT, i ? 3 : 0);

		sealed_flip(&key, offsetof(struct disk_crypt_slot_header, domain_uuid));
	}
	assert_int_equal(try_open(NULL, sealed.alpha, NULL, &why), ERROR_KEY_HEADER);
	assert_string_equal(why.text, "the header backup belongs to another sealing than number 7 of this image");
	sealed.volume->backup = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SEALED_TEST(opens_with_every_key),
		SEALED_TEST(without_slots_only_the_volume_key_opens_it),
		SEALED_TEST(no_changed_backup_opens),
		SEALED_TEST(a_changed_slot_costs_only_its_own_key),
		SEALED_TEST(leaves_out_a_damaged_slot),
		SEALED_TEST(refuses_what_is_no_backup),
		SEALED_TEST(the_newer_authentic_header_counts),
		SEALED_TEST(another_domain_does_not_count),
	};

	return cmocka_run_group_tests(tests, sealed_make, sealed_remove);
}
