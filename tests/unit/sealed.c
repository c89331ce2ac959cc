/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes a domain for the tests that read one. */
#include "tests/unit/sealed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-slots.h"
#include "tests/unit/secret-of.h"

#define MIB (1ull << 20)

const uint8_t sealed_domain_uuid[CRYPT_UUID_SIZE] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
						      0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
const uint8_t sealed_uuid_300[UUID_SIZE] = { 3 };
struct sealed sealed;

void sealed_insert(const struct key *key, const void *bytes, size_t len)
{
	sealed_ok(tree_insert(sealed.tx, ROOT_TREE_ID, key, bytes, (uint32_t)len, err));
}

void sealed_remove_item(const struct key *key)
{
	sealed_ok(tree_remove(sealed.tx, ROOT_TREE_ID, key, err));
}

void sealed_insert_at(uint16_t number, enum crypt_kind kind, uint64_t index, const void *bytes, size_t len)
{
	const struct key key = crypt_key(number, kind, index);

	sealed_insert(&key, bytes, len);
}

uint8_t *sealed_item(const struct key *key, uint32_t *len)
{
	uint8_t *bytes = NULL;

	sealed_ok(tree_edit_item(sealed.tx, ROOT_TREE_ID, key, &bytes, len, err));
	return bytes;
}

struct key sealed_header_key(unsigned copy)
{
	return copy ? crypt_second_header_key(DOMAIN) : crypt_key(DOMAIN, CRYPT_HEADER, 0);
}

void sealed_flip(const struct key *key, size_t at)
{
	uint32_t len;
	uint8_t *const bytes = sealed_item(key, &len);

	assert_true(at < len);
	bytes[at] ^= 1;
}

void sealed_put_header(unsigned copy, const struct crypt_header *native)
{
	const struct key key = sealed_header_key(copy);
	uint32_t len;

	crypt_header_write(native, (struct disk_crypt_header *)sealed_item(&key, &len));
	assert_int_equal(len, sizeof(struct disk_crypt_header));
}

static void insert_items(void)
{
	struct crypt_member member = { .id = FS_TREE_ID, .path_len = 0 };
	struct {
		struct disk_crypt_head head;
		struct disk_crypt_inode_flags entry[N_FLAGS];
	} flags = { .entry = { { to_le64(5), to_le64(257), to_le64(INODE_IMMUTABLE) },
			       { to_le64(300), to_le64(256), to_le64(INODE_RO_VERITY) } } };
	uint8_t bytes[CRYPT_MEMBER_MAX];

	sealed_insert_at(DOMAIN, CRYPT_SLOT, 0, &sealed.slot[0], sizeof(sealed.slot[0]));
	sealed_insert_at(DOMAIN, CRYPT_SLOT, 3, &sealed.slot[1], sizeof(sealed.slot[1]));
	memset(member.uuid, 0xf5, sizeof(member.uuid));
	sealed_insert_at(DOMAIN, CRYPT_MEMBER, 0, bytes, crypt_member_write(&member, bytes));
	member.id = 300;
	memcpy(member.uuid, sealed_uuid_300, sizeof(member.uuid));
	member.path_len = (uint16_t)strlen(strcpy((char *)member.path, "a/path"));
	sealed_insert_at(DOMAIN, CRYPT_MEMBER, 1, bytes, crypt_member_write(&member, bytes));
	crypt_head_write(&flags.head, CRYPT_INODE_FLAGS, N_FLAGS);
	sealed_insert_at(DOMAIN, CRYPT_INODE_FLAGS, 0, &flags, sizeof(flags));
	sealed_insert_at(DOMAIN, CRYPT_UNITS, 0, "what follows is not looked at", 29);
}

int sealed_set_up(void **state)
{
	struct disk_crypt_header disk;
	struct key key;

	(void)state;
	sealed.volume = image_volume(&sealed.image);
	sealed_ok(allocator_open(sealed.volume, &sealed.allocator, err));
	sealed_ok(transaction_begin(sealed.volume, sealed.allocator, &sealed.tx, err));
	sealed.header = (struct crypt_header){
		.cipher = CIPHER_AES_256_GCM, .state = CRYPT_STATE_SEALED, .unit_max = 500, .domain = DOMAIN, .epoch = 3,
		.n_members = 2, .n_inode_flags_items = 1, .n_unit_items = 1, .n_units = 1,
	};
	memcpy(sealed.header.domain_uuid, sealed_domain_uuid, sizeof(sealed_domain_uuid));
	sealed_ok(key_schedule_kcv(sealed.schedule, sealed.header.kcv, err));
	insert_items();
	for (unsigned i = 0; i < 2; i++)
		sealed_ok(crypt_slot_hash(&sealed.slot[i], sizeof(sealed.slot[i]), sealed.header.slot_hash[i ? 3 : 0], err));
	sealed_ok(domain_items_mac(sealed.volume, DOMAIN, sealed.schedule, sealed.header.items_mac, err));
	sealed_ok(crypt_header_seal(sealed.schedule, &sealed.header, err));
	crypt_header_write(&sealed.header, &disk);
	for (unsigned copy = 0; copy < 2; copy++) {
		key = sealed_header_key(copy);
		sealed_insert(&key, &disk, sizeof(disk));
	}
	return 0;
}

int sealed_tear_down(void **state)
{
	(void)state;
	transaction_drop(sealed.tx);
	allocator_close(sealed.allocator);
	volume_close(sealed.volume);
	image_heal(&sealed.image);
	return 0;
}

int sealed_make(void **state)
{
	const struct kdf_cost cheap = { .kdf = KDF_PBKDF2_SHA512, .iterations = 1000 };
	uint8_t bytes[CRYPT_KEY_SIZE];

	(void)state;
	sealed_ok(secret_init(err));
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(0x40 + i);
	sealed.volume_key = secret_of(bytes, sizeof(bytes));
	sealed.alpha = secret_of("alpha", 5);
	sealed.beta = secret_of("beta", 4);
	sealed.wrong = secret_of("an unwanted key of 32 bytes.....", 32);
	sealed_ok(key_schedule_new(sealed.volume_key, sealed_domain_uuid, &sealed.schedule, err));
	sealed_ok(key_slot_create(sealed.alpha, &cheap, sealed_domain_uuid, 0, SLOT_PASSPHRASE, "first", sealed.volume_key,
				  &sealed.slot[0], err));
	sealed_ok(key_slot_create(sealed.beta, &cheap, sealed_domain_uuid, 3, SLOT_KEY_FILE, NULL, sealed.volume_key,
				  &sealed.slot[1], err));
	image_make(&sealed.image, 128 * MIB, "-m dup -d single", 0);
	return 0;
}

int sealed_remove(void **state)
{
	(void)state;
	image_remove(&sealed.image);
	key_schedule_free(sealed.schedule);
	secret_free(sealed.volume_key);
	secret_free(sealed.alpha);
	secret_free(sealed.beta);
	secret_free(sealed.wrong);
	return 0;
}
