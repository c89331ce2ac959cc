/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Crypt items: header, slot, member, seal and keys; what parses is written back the same. */
#include "tests/unit/test.h"

#include "format/crypt.h"
#include "tests/vectors/vectors.h"

#define HEAD(kind, n) (kind), CRYPT_VERSION, LE16(n), LE32(0)
#define THIRTY_TWO(x) UUID(x), UUID(x)
#define SIXTY_FOUR(x) THIRTY_TWO(x), THIRTY_TWO(x)

static const uint8_t header_sample[] = {
	HEAD(CRYPT_HEADER, 1),
	'B', 'T', 'R', 'C', 'R', 'Y', 'P', 'T',	/* 8: magic */
	LE32(3),				/* 16: version */
	CIPHER_CHACHA20_POLY1305,		/* 20: cipher */
	CRYPT_STATE_SEALED,			/* 21: state */
	LE16(498),				/* 22: unit_max */
	LE32(4096),				/* 24: block_size */
	LE16(0x1234),				/* 28: domain */
	1,					/* 30: had_verity */
	0,					/* 31: zero */
	LE64(0x1122334455667788),		/* 32: epoch */
	UUID(0x0a),				/* 40: op_id */
	UUID(0x0b),				/* 56: domain_uuid */
	THIRTY_TWO(0x0c),			/* 72: kcv */
	LE64(2),				/* 104: n_members */
	LE64(3),				/* 112: n_inode_flags_items */
	LE64(4),				/* 120: n_unit_items */
	LE64(5),				/* 128: n_units */
	LE64(6),				/* 136: n_inline_items */
	LE64(7),				/* 144: n_inline_units */
	LE64(8),				/* 152: n_index_items */
	LE64(9),				/* 160: n_index_entries */
	LE64(10),				/* 168: n_bad_items */
	LE64(11),				/* 176: n_bad_blocks */
	THIRTY_TWO(0x0d),			/* 184: seal */
	THIRTY_TWO(0x0e),			/* 216: items_mac */
	[728] = UUID(0x10), UUID(0x11),		/* slot_hash of slots 30 and 31, from 248 on */
	THIRTY_TWO(0x0f),			/* 760: mac */
};
static_assert(sizeof(header_sample) == sizeof(struct disk_crypt_header), "sample");

static const uint8_t member_sample[] = {
	HEAD(CRYPT_MEMBER, 1),
	LE64(257),			/* 8: id */
	UUID(0x1a),			/* 16: uuid */
	LE64(0x8000000000000001),	/* 32: root_flags */
	SIXTY_FOUR(0x1b),		/* 40: reserved */
	LE64(1000),			/* 104: n_items */
	THIRTY_TWO(0x1c),		/* 112: digest */
	LE16(3),			/* 144: path_len */
	1,				/* 146: path_cut */
	0, 0, 0, 0, 0,			/* 147: zero */
	'a', '/', 'b',
};

static const uint8_t seal_sample[] = {
	HEAD(CRYPT_SEAL, 1),
	LE64(0x1122334455667788),	/* 8: n_units */
	THIRTY_TWO(0x2a),		/* 16: unit_sum */
	LE64(0x99aabbccddeeff00),	/* 48: n_inline_units */
	THIRTY_TWO(0x2b),		/* 56: inline_sum */
	LE64(0x0123456789abcdef),	/* 88: n_index_entries */
	THIRTY_TWO(0x2d),		/* 96: index_sum */
	LE64(0xfedcba9876543210),	/* 128: n_bad_blocks */
	THIRTY_TWO(0x2e),		/* 136: bad_sha256 */
	THIRTY_TWO(0x2c),		/* 168: seal */
};
static_assert(sizeof(seal_sample) == sizeof(struct disk_crypt_seal), "sample");

/* The helpers expect errors of one kind: these are of another, checked here. */
static bool of_the_key_header(bool ok, struct error *err)
{
	if (!ok) {
		assert_int_equal(err->kind, ERROR_KEY_HEADER);
		err->kind = ERROR_CORRUPT;
	}
	return ok;
}

static bool parse_header(struct cursor *item, struct error *err)
{
	struct crypt_header header;
	struct disk_crypt_header disk;
	const uint8_t *bytes = item->at;

	if (!of_the_key_header(crypt_header_read(item, &header, err), err))
		return false;
	assert_int_equal(item->left, 0);
	crypt_header_write(&header, &disk);
	assert_memory_equal(&disk, bytes, sizeof(disk));
	return true;
}

static bool parse_slot(struct cursor *item, struct error *err)
{
	struct crypt_slot slot;
	const uint8_t *bytes = item->at;

	if (!of_the_key_header(crypt_slot_read(item, &slot, err), err))
		return false;
	assert_int_equal(item->left, 0);
	assert_memory_equal(&slot.disk, bytes, sizeof(slot.disk));
	return true;
}

static bool parse_member(struct cursor *item, struct error *err)
{
	uint8_t out[CRYPT_MEMBER_MAX];
	struct crypt_member member;
	const uint8_t *bytes = item->at;
	const size_t len = item->left;

	if (!crypt_member_read(item, &member, err))
		return false;
	assert_int_equal(item->left, 0);
	assert_int_equal(crypt_member_write(&member, out), len);
	assert_memory_equal(out, bytes, len);
	return true;
}

static bool parse_seal(struct cursor *item, struct error *err)
{
	struct disk_crypt_seal disk;
	struct crypt_seal seal;
	const uint8_t *bytes = item->at;

	if (!crypt_seal_read(item, &seal, err))
		return false;
	assert_int_equal(item->left, 0);
	crypt_seal_write(&seal, &disk);
	assert_memory_equal(&disk, bytes, sizeof(disk));
	return true;
}

static void assert_all(const uint8_t *bytes, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(bytes[i], value);
}

static void reads_a_header(void **state)
{
	struct cursor item = { header_sample, sizeof(header_sample), TEST_OFFSET };
	struct error err = { 0 };
	struct crypt_header header;

	(void)state;
	assert_true(crypt_header_read(&item, &header, &err));
	assert_int_equal(header.cipher, CIPHER_CHACHA20_POLY1305);
	assert_int_equal(header.state, CRYPT_STATE_SEALED);
	assert_int_equal(header.unit_max, 498);
	assert_int_equal(header.domain, 0x1234);
	assert_true(header.had_verity);
	assert_int_equal(header.epoch, 0x1122334455667788);
	assert_all(header.op_id, sizeof(header.op_id), 0x0a);
	assert_all(header.domain_uuid, sizeof(header.domain_uuid), 0x0b);
	assert_all(header.kcv, sizeof(header.kcv), 0x0c);
	assert_int_equal(crypt_header_n_slots(&header), 2);
	assert_true(header.slot_hash[30][15] == 0x10 && crypt_header_has_slot(&header, 31) && !crypt_header_has_slot(&header, 32));
	assert_int_equal(header.n_members, 2);
	assert_int_equal(header.n_inode_flags_items, 3);
	assert_int_equal(header.n_unit_items, 4);
	assert_int_equal(header.n_units, 5);
	assert_int_equal(header.n_inline_items, 6);
	assert_int_equal(header.n_inline_units, 7);
	assert_int_equal(header.n_index_items, 8);
	assert_int_equal(header.n_index_entries, 9);
	assert_int_equal(header.n_bad_items, 10);
	assert_int_equal(header.n_bad_blocks, 11);
	assert_all(header.seal, sizeof(header.seal), 0x0d);
	assert_all(header.items_mac, sizeof(header.items_mac), 0x0e);
	assert_all(header.mac, sizeof(header.mac), 0x0f);
}

static void refuses_a_wrong_header(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 1, "crypt header at 0x4000: kind is 1, not 0" },
		{ 1, 4, "crypt header at 0x4000: version is 4, not 3" },
		{ 2, 0, "crypt header at 0x4000: n_entries is 0, not 1" },
		{ 3, 1, "crypt header at 0x4000: n_entries is 257, not 1" },
		{ 7, 1, "crypt header at 0x4000: reserved bytes of the head are 0x1000000, not 0" },
		{ 15, 'X', "crypt header at 0x4000: the magic is not \"BTRCRYPT\"" },
		{ 16, 4, "crypt header at 0x4000: format version is 4, not 3" },
		{ 20, 0, "crypt header at 0x4000: cipher is 0, not 1 or 2" },
		{ 20, 3, "crypt header at 0x4000: cipher is 3, not 1 or 2" },
		{ 21, 0, "crypt header at 0x4000: state is 0, not 1 to 3" },
		{ 21, 4, "crypt header at 0x4000: state is 4, not 1 to 3" },
		{ 22, 501 & 0xff, "crypt header at 0x4000: unit_max is 501, not 1 to 500" },
		{ 25, 32, "crypt header at 0x4000: block_size is 8192, not 4096" },
		{ 30, 2, "crypt header at 0x4000: had_verity is 2, not 0 or 1" },
		{ 31, 1, "crypt header at 0x4000: a reserved byte is 0x1, not 0" },
		{ 110, 1, "crypt header at 0x4000: n_members is 281474976710658, not 0 to 17592186044415" },
		{ 119, 1, "crypt header at 0x4000: n_inode_flags_items is 72057594037927939, not 0 to 17592186044415" },
		{ 127, 1, "crypt header at 0x4000: n_unit_items is 72057594037927940, not 0 to 17592186044415" },
		{ 135, 1, "crypt header at 0x4000: n_units is 72057594037927941, not 0 to 4503599627370495" },
		{ 143, 1, "crypt header at 0x4000: n_inline_items is 72057594037927942, not 0 to 17592186044415" },
		{ 151, 1, "crypt header at 0x4000: n_inline_units is 72057594037927943, not 0 to 4503599627370495" },
		{ 159, 1, "crypt header at 0x4000: n_index_items is 72057594037927944, not 0 to 17592186044415" },
		{ 167, 1, "crypt header at 0x4000: n_index_entries is 72057594037927945, not 0 to 4503599627370495" },
		{ 175, 1, "crypt header at 0x4000: n_bad_items is 72057594037927946, not 0 to 17592186044415" },
		{ 183, 1, "crypt header at 0x4000: n_bad_blocks is 72057594037927947, not 0 to 4503599627370495" },
	};
	uint8_t longer[sizeof(header_sample) + 1] = { 0 };
	struct cursor item = { longer, sizeof(longer), TEST_OFFSET };
	struct error err = { 0 };

	(void)state;
	test_refuses_wrong_bytes(parse_header, header_sample, sizeof(header_sample), wrong, ARRAY_SIZE(wrong));
	test_refuses_truncations(parse_header, header_sample, sizeof(header_sample), ANY_LENGTH_FAILS);
	memcpy(longer, header_sample, sizeof(header_sample));
	assert_false(parse_header(&item, &err));
	assert_string_equal(err.text, "crypt header at 0x4000: 793 bytes, not 792");
}

static void reads_a_slot(void **state)
{
	struct cursor item = { vector_argon2id_slot, sizeof(vector_argon2id_slot), TEST_OFFSET };
	struct error err = { 0 };
	struct crypt_slot slot;

	(void)state;
	assert_true(crypt_slot_read(&item, &slot, &err));
	assert_memory_equal(slot.domain_uuid, vector_domain_uuid, sizeof(slot.domain_uuid));
	assert_int_equal(slot.number, 0);
	assert_int_equal(slot.type, SLOT_PASSPHRASE);
	assert_int_equal(slot.kdf, KDF_ARGON2ID);
	assert_int_equal(slot.p1, 64);
	assert_int_equal(slot.p2, 3);
	assert_int_equal(slot.p3, 1);
	assert_int_equal(slot.time, 1700000000);
	assert_string_equal(slot.label, "first");
}

static void a_label_may_fill_its_place(void **state)
{
	struct disk_crypt_slot disk;
	struct cursor item = { (const uint8_t *)&disk, sizeof(disk), TEST_OFFSET };
	struct error err = { 0 };
	struct crypt_slot slot;

	(void)state;
	memcpy(&disk, vector_argon2id_slot, sizeof(disk));
	memset(disk.header.label, 'x', sizeof(disk.header.label));
	assert_true(crypt_slot_read(&item, &slot, &err));
	assert_int_equal(strlen(slot.label), CRYPT_LABEL_MAX);
}

static void refuses_a_wrong_slot(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 0, "crypt slot at 0x4000: kind is 0, not 1" },
		{ 8, 'b', "crypt slot at 0x4000: the magic is not \"BTRCSLOT\"" },
		{ 16, 0, "crypt slot at 0x4000: format version is 0, not 3" },
		{ 36, 32, "crypt slot at 0x4000: number is 32, not 0 to 31" },
		{ 37, 1, "crypt slot at 0x4000: number is 257, not 0 to 31" },
		{ 38, 0, "crypt slot at 0x4000: type is 0, not 1 to 3" },
		{ 38, 4, "crypt slot at 0x4000: type is 4, not 1 to 3" },
		{ 39, 0, "crypt slot at 0x4000: kdf is 0, not 1 to 3" },
		{ 39, 4, "crypt slot at 0x4000: kdf is 4, not 1 to 3" },
		{ 39, KDF_NONE, "crypt slot at 0x4000: kdf is none and type is 2, only a recovery key (3) has none" },
		{ 44, 1, "crypt slot at 0x4000: p2 and p3 are 1 and 0, not 0" },
		{ 48, 1, "crypt slot at 0x4000: p2 and p3 are 0 and 1, not 0" },
		{ 76, 0, "crypt slot at 0x4000: the label has 0 bytes, but what follows it is not zero" },
		{ 139, 1, "crypt slot at 0x4000: the label has 15 bytes, but what follows it is not zero" },
	};
	static const struct wrong wrong_recovery[] = {
		{ 40, 1, "crypt slot at 0x4000: p1 is 1, not 0" },
		{ 38, SLOT_PASSPHRASE, "crypt slot at 0x4000: kdf is none and type is 1, only a recovery key (3) has none" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse_slot, vector_pbkdf2_slot, sizeof(vector_pbkdf2_slot), wrong, ARRAY_SIZE(wrong));
	test_refuses_wrong_bytes(parse_slot, vector_recovery_slot, sizeof(vector_recovery_slot), wrong_recovery,
				 ARRAY_SIZE(wrong_recovery));
	test_refuses_truncations(parse_slot, vector_pbkdf2_slot, sizeof(vector_pbkdf2_slot), ANY_LENGTH_FAILS);
}

static void reads_a_member(void **state)
{
	struct cursor item = { member_sample, sizeof(member_sample), TEST_OFFSET };
	struct error err = { 0 };
	struct crypt_member member;

	(void)state;
	assert_true(crypt_member_read(&item, &member, &err));
	assert_int_equal(member.id, 257);
	assert_all(member.uuid, sizeof(member.uuid), 0x1a);
	assert_int_equal(member.root_flags, 0x8000000000000001);
	assert_all(member.reserved, sizeof(member.reserved), 0x1b);
	assert_int_equal(member.n_items, 1000);
	assert_all(member.digest, sizeof(member.digest), 0x1c);
	assert_true(member.path_cut);
	assert_int_equal(member.path_len, 3);
	assert_memory_equal(member.path, "a/b", 3);
}

static void a_path_has_0_to_1024_bytes(void **state)
{
	static const struct { uint16_t path_len; size_t len; bool ok; } row[] = {
		{ 0, 0, true }, { 1024, 1024, true }, { 1025, 1025, false }, { 1024, 1023, false }, { 1023, 1024, false },
		{ 65535, 1100, false },
	};
	uint8_t bytes[sizeof(struct disk_crypt_member) + 1100] = { 0 };

	(void)state;
	memcpy(bytes, member_sample, sizeof(struct disk_crypt_member));
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct error err = { 0 };

		bytes[144] = row[i].path_len & 0xff;
		bytes[145] = row[i].path_len >> 8;
		assert_int_equal(test_parse_copy(parse_member, bytes, sizeof(struct disk_crypt_member) + row[i].len, &err),
				 row[i].ok);
	}
}

static void refuses_a_wrong_member(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 3, "crypt member at 0x4000: kind is 3, not 2" },
		{ 9, 0, "crypt member at 0x4000: id is 1, no subvolume has it" },
		{ 144, 2, "crypt member at 0x4000: path_len is 2, the item has 3 bytes left" },
		{ 144, 4, "crypt member at 0x4000: path_len is 4, the item has 3 bytes left" },
		{ 145, 5, "crypt member at 0x4000: path_len is 1283, not 0 to 1024" },
		{ 146, 2, "crypt member at 0x4000: path_cut is 2, not 0 or 1" },
		{ 147, 1, "crypt member at 0x4000: 5 reserved bytes are not 0" },
		{ 151, 1, "crypt member at 0x4000: 5 reserved bytes are not 0" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse_member, member_sample, sizeof(member_sample), wrong, ARRAY_SIZE(wrong));
	test_refuses_truncations(parse_member, member_sample, sizeof(member_sample), ANY_LENGTH_FAILS);
}

static void a_member_has_the_id_of_a_subvolume(void **state)
{
	static const struct { uint64_t id; bool ok; } row[] = {
		{ 0, false }, { 4, false }, { 5, true }, { 6, false }, { 255, false }, { 256, true },
		{ 0xffffffffffffff00, true }, { 0xffffffffffffff01, false }, { CRYPT_ID, false },
	};
	uint8_t bytes[sizeof(member_sample)];

	(void)state;
	memcpy(bytes, member_sample, sizeof(bytes));
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const struct le64 id = to_le64(row[i].id);
		struct error err = { 0 };

		memcpy(bytes + 8, &id, sizeof(id));
		assert_int_equal(test_parse_copy(parse_member, bytes, sizeof(bytes), &err), row[i].ok);
	}
}

static void reads_and_refuses_seals(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 0, "crypt seal at 0x4000: kind is 0, not 6" },
		{ 2, 2, "crypt seal at 0x4000: n_entries is 2, not 1" },
	};
	struct cursor item = { seal_sample, sizeof(seal_sample), TEST_OFFSET };
	struct error err = { 0 };
	struct crypt_seal seal;

	(void)state;
	assert_true(crypt_seal_read(&item, &seal, &err));
	assert_int_equal(seal.n_units, 0x1122334455667788);
	assert_int_equal(seal.n_inline_units, 0x99aabbccddeeff00);
	assert_int_equal(seal.n_index_entries, 0x0123456789abcdef);
	assert_int_equal(seal.n_bad_blocks, 0xfedcba9876543210);
	assert_all(seal.index_sum, sizeof(seal.index_sum), 0x2d);
	assert_all(seal.bad_sha256, sizeof(seal.bad_sha256), 0x2e);
	assert_all(seal.unit_sum, sizeof(seal.unit_sum), 0x2a);
	assert_all(seal.inline_sum, sizeof(seal.inline_sum), 0x2b);
	assert_all(seal.seal, sizeof(seal.seal), 0x2c);
	test_refuses_wrong_bytes(parse_seal, seal_sample, sizeof(seal_sample), wrong, ARRAY_SIZE(wrong));
	test_refuses_truncations(parse_seal, seal_sample, sizeof(seal_sample), ANY_LENGTH_FAILS);
}

static void keys_and_places_agree(void **state)
{
	static const struct { enum crypt_kind kind; uint64_t index, offset; } row[] = {
		{ CRYPT_HEADER, 0, 0xabcd000000000000 },
		{ CRYPT_SLOT, 31, 0xabcd10000000001f },
		{ CRYPT_MEMBER, 1, 0xabcd200000000001 },
		{ CRYPT_INODE_FLAGS, 0, 0xabcd300000000000 },
		{ CRYPT_UNITS, CRYPT_INDEX_LAST, 0xabcd4fffffffffff },
		{ CRYPT_INLINE_UNITS, 5, 0xabcd500000000005 },
		{ CRYPT_SEAL, 0, 0xabcd600000000000 },
		{ CRYPT_INDEX, 7, 0xabcd700000000007 },
		{ CRYPT_BAD_BLOCKS, 1, 0xabcd800000000001 },
	};
	struct crypt_place place;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const struct key key = crypt_key(0xabcd, row[i].kind, row[i].index);

		assert_int_equal(key.objectid, 0xffffffffffffff38);
		assert_int_equal(key.type, 249);
		assert_int_equal(key.offset, row[i].offset);
		assert_true(crypt_place_of_key(&key, &place));
		assert_int_equal(place.domain, 0xabcd);
		assert_int_equal(place.kind, row[i].kind);
		assert_int_equal(place.index, row[i].index);
		assert_false(place.second_header);
	}

	const struct key second = crypt_second_header_key(0xabcd);

	assert_int_equal(second.offset, 0xabcdffffffffffff);
	assert_true(crypt_place_of_key(&second, &place));
	assert_int_equal(place.domain, 0xabcd);
	assert_int_equal(place.kind, CRYPT_HEADER);
	assert_true(place.second_header);
}

static bool parse_bridge(struct cursor *item, struct error *err)
{
	struct disk_crypt_bridge bridge;

	return crypt_bridge_read(item, &bridge, err);
}

static const uint8_t bridge_sample[sizeof(struct disk_crypt_bridge)] = {
	9, 3, 1, 0, 0, 0, 0, 0,		/* head */
	3, 0, 0, 0, 0, 0, 0, 0,		/* domain, zeros */
	0xaa,				/* uuid, and the rest */
};

static void reads_and_refuses_bridges(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 8, "crypt bridge at 0x4000: kind is 8, not 9" },
		{ 1, 4, "crypt bridge at 0x4000: version is 4, not 3" },
		{ 2, 2, "crypt bridge at 0x4000: n_entries is 2, not 1" },
		{ 10, 1, "crypt bridge at 0x4000: 6 reserved bytes are not 0" },
		{ 15, 1, "crypt bridge at 0x4000: 6 reserved bytes are not 0" },
	};
	struct cursor item = { bridge_sample, sizeof(bridge_sample), TEST_OFFSET };
	struct disk_crypt_bridge bridge;
	struct error err = { 0 };

	(void)state;
	assert_true(crypt_bridge_read(&item, &bridge, &err));
	assert_int_equal(le16(bridge.domain), 3);
	assert_memory_equal(&bridge, bridge_sample, sizeof(bridge));
	test_refuses_wrong_bytes(parse_bridge, bridge_sample, sizeof(bridge_sample), wrong, ARRAY_SIZE(wrong));
	test_refuses_truncations(parse_bridge, bridge_sample, sizeof(bridge_sample), ANY_LENGTH_FAILS);
}

static void other_keys_are_no_crypt_keys(void **state)
{
	static const struct key keys[] = {
		{ CRYPT_ID + 1, KEY_PERSISTENT_ITEM, 0 },
		{ 0, KEY_PERSISTENT_ITEM, 0 },
		{ CRYPT_ID, KEY_TEMPORARY_ITEM, 0 },
		{ CRYPT_ID, KEY_PERSISTENT_ITEM, 1 },			/* a header of index 1 */
		{ CRYPT_ID, KEY_PERSISTENT_ITEM, 0x600000000001 },	/* a seal of index 1 */
		{ CRYPT_ID, KEY_PERSISTENT_ITEM, 0x900000000001 },	/* a bridge of index 1 */
		{ CRYPT_ID, KEY_PERSISTENT_ITEM, 0xa00000000000 },	/* kind 10 */
		{ CRYPT_ID, KEY_PERSISTENT_ITEM, 0xfffffffffffe },	/* kind 15, not the second header */
	};
	struct crypt_place place;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_false(crypt_place_of_key(&keys[i], &place));
}

static void names_the_ciphers(void **state)
{
	(void)state;
	assert_string_equal(crypt_cipher_name(CIPHER_AES_256_GCM), "aes-256-gcm");
	assert_string_equal(crypt_cipher_name(CIPHER_CHACHA20_POLY1305), "chacha-poly1305");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_header),
		cmocka_unit_test(refuses_a_wrong_header),
		cmocka_unit_test(reads_a_slot),
		cmocka_unit_test(a_label_may_fill_its_place),
		cmocka_unit_test(refuses_a_wrong_slot),
		cmocka_unit_test(reads_a_member),
		cmocka_unit_test(a_path_has_0_to_1024_bytes),
		cmocka_unit_test(refuses_a_wrong_member),
		cmocka_unit_test(a_member_has_the_id_of_a_subvolume),
		cmocka_unit_test(reads_and_refuses_seals),
		cmocka_unit_test(keys_and_places_agree),
		cmocka_unit_test(reads_and_refuses_bridges),
		cmocka_unit_test(other_keys_are_no_crypt_keys),
		cmocka_unit_test(names_the_ciphers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
