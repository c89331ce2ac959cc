/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of crypt items: every field, nothing that opens anything, and damage that ends in an error. */
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/test.h"

#include "cmd/dump/items.h"
#include "cmd/json.h"
#include "format/crypt.h"

#define SECRET 0xe5	/* every byte that must not be printed */

/* --- catching what is printed ------------------------------------------------------------------------------------- */

static char printed[8192];

static bool print(const struct key *key, const void *bytes, size_t len, bool as_json, struct error *err)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct cursor item = { copy, len, TEST_OFFSET };
	struct dump dump = { .key = key, .object = as_json ? json_line() : NULL, .tags = true };
	FILE *file = tmpfile();
	const int saved = dup(STDOUT_FILENO);

	assert_non_null(copy);
	assert_non_null(file);
	memcpy(copy, bytes, len);
	fflush(stdout);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);

	const bool ok = dump_crypt(&dump, &item, err);

	dump_end_line(&dump);
	if (as_json)
		json_print(dump.object, stdout);
	fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	rewind(file);
	printed[fread(printed, 1, sizeof(printed) - 1, file)] = '\0';
	fclose(file);
	free(copy);
	return ok;
}

static void prints(struct key key, const void *bytes, size_t len, const char *want)
{
	struct error err = { 0 };

	if (!print(&key, bytes, len, false, &err))
		fail_msg("%s", err.text);
	assert_string_equal(printed, want);
	for (size_t cut = 0; cut < len; cut++) {
		if (print(&key, bytes, cut, false, &err))
			fail_msg("%zu of %zu bytes are accepted", cut, len);
	}
}

static struct disk_crypt_head head(enum crypt_kind kind, unsigned n)
{
	struct disk_crypt_head disk;

	crypt_head_write(&disk, kind, n);
	return disk;
}

/* --- items ---------------------------------------------------------------------------------------------------------- */

static struct disk_crypt_slot slot_sample(void)
{
	struct disk_crypt_slot slot = {
		.header = {
			.head = head(CRYPT_SLOT, 1), .magic = "BTRCSLOT", .version = to_le32(CRYPT_VERSION), .number = to_le16(3), .type = SLOT_KEY_FILE,
			.kdf = KDF_ARGON2ID, .p1 = to_le32(65536), .p2 = to_le32(4), .p3 = to_le32(1), .time = to_le64(86400),
			.label = "ab\033[31mc",
		},
	};

	memset(slot.header.salt, 0x11, sizeof(slot.header.salt));
	memset(slot.commit, SECRET, sizeof(slot.commit));
	memset(slot.wrapped, SECRET, sizeof(slot.wrapped));
	memset(slot.tag, SECRET, sizeof(slot.tag));
	return slot;
}

static void a_slot_shows_no_key(void **state)
{
	const struct disk_crypt_slot slot = slot_sample();
	const struct key key = crypt_key(2, CRYPT_SLOT, 3);
	struct error err = { 0 };

	(void)state;
	prints(key, &slot, sizeof(slot),
	       "crypt item domain 2 kind slot index 3\n"
	       "number 3 type key-file\n"
	       "label ab\\x1b[31mc\n"
	       "kdf argon2id memory_kib 65536 passes 4 lanes 1\n"
	       "time 86400.0 (1970-01-02 00:00:00)\n"
	       "domain_uuid 00000000-0000-0000-0000-000000000000\n"
	       "salt 11111111111111111111111111111111\n"
	       "commit: 32 bytes\n"
	       "wrapped: 48 bytes\n");
	assert_true(print(&key, &slot, sizeof(slot), true, &err));
	assert_non_null(strstr(printed, "\"wrapped\":\"48 bytes\""));
	assert_non_null(strstr(printed, "\"salt\":\"11111111111111111111111111111111\""));
	assert_null(strstr(printed, "e5e5"));
}

static void a_header_shows_its_fields(void **state)
{
	struct crypt_header header = {
		.cipher = CIPHER_CHACHA20_POLY1305, .state = CRYPT_STATE_UNSEALING, .unit_max = 250, .domain = 2, .had_verity = true,
		.epoch = 9, .n_members = 2, .n_inode_flags_items = 3, .n_unit_items = 4, .n_units = 5, .n_inline_items = 6,
		.n_inline_units = 7, .n_index_items = 8, .n_index_entries = 9, .n_bad_items = 10, .n_bad_blocks = 11, .kcv = { 0xcc, 0x8e, 0x19, 0x75 },
		.slot_hash = { [0] = { 0x12 }, [31] = { [15] = 0x34 } },
	};
	struct disk_crypt_header disk;

	(void)state;
	crypt_header_write(&header, &disk);
	prints(crypt_second_header_key(2), &disk, sizeof(disk),
	       "crypt item domain 2 kind header copy second\n"
	       "Encryption: chacha-poly1305@btrfs:75198ecc\n"
	       "state unsealing epoch 9 cipher chacha-poly1305 block_size 4096 unit_max 250\n"
	       "domain_uuid 00000000-0000-0000-0000-000000000000\n"
	       "op_id 00000000-0000-0000-0000-000000000000\n"
	       "had_verity 1\n"
	       "n_members 2 n_inode_flags_items 3\n"
	       "n_unit_items 4 n_units 5 n_inline_items 6 n_inline_units 7\n"
	       "n_index_items 8 n_index_entries 9 n_bad_items 10 n_bad_blocks 11\n"
	       "kcv cc8e197500000000000000000000000000000000000000000000000000000000\n"
	       "seal 0000000000000000000000000000000000000000000000000000000000000000\n"
	       "items_mac 0000000000000000000000000000000000000000000000000000000000000000\n"
	       "mac 0000000000000000000000000000000000000000000000000000000000000000\n"
	       "slot 0 slot_hash 12000000000000000000000000000000\n"
	       "slot 31 slot_hash 00000000000000000000000000000034\n");
}

static void units_show_every_tag(void **state)
{
	struct {
		struct disk_crypt_head head;
		struct disk_crypt_unit first;
		uint8_t first_tags[2][CRYPT_TAG_SIZE];
		struct disk_crypt_unit second;
		uint8_t second_tag[CRYPT_TAG_SIZE];
	} item = {
		.head = head(CRYPT_UNITS, 2),
		.first = {
			.u = { .cipher = CIPHER_AES_256_GCM, .unit_id = to_le64(1 << 20), .blocks = to_le32(2), .extent_len = to_le64(16384),
			       .offset_in_extent = to_le64(8192), .nonce = { 0xab } },
			.root = to_le64(256), .inode = to_le64(257), .file_offset = to_le64(4096), .address = to_le64(2 << 20),
			.first = "12345678",
		},
		.first_tags = { { 1 }, { 2 } },
		.second = {
			.u = { .cipher = CIPHER_AES_256_GCM, .unit_id = to_le64(4 << 20), .blocks = to_le32(1), .extent_len = to_le64(4096) },
		},
	};

	(void)state;
	prints(crypt_key(1, CRYPT_UNITS, 0), &item, sizeof(item),
	       "crypt item domain 1 kind units index 0\n"
	       "n_entries 2\n"
	       "unit 1048576 blocks 2 extent_len 16384 offset_in_extent 8192 cipher aes-256-gcm state sealed\n"
	       "root 256 inode 257 file_offset 4096 address 2097152 first 3132333435363738\n"
	       "nonce ab000000000000000000000000000000\n"
	       "tag 0 01000000000000000000000000000000\n"
	       "tag 1 02000000000000000000000000000000\n"
	       "unit 4194304 blocks 1 extent_len 4096 offset_in_extent 0 cipher aes-256-gcm state plain\n"
	       "root 0 inode 0 file_offset 0 address 0 first 0000000000000000\n"
	       "nonce 00000000000000000000000000000000\n"
	       "tag 0 00000000000000000000000000000000\n");
}

static void members_and_the_rest(void **state)
{
	struct {
		struct disk_crypt_head head;
		struct disk_crypt_inline_unit unit;
	} inline_item = {
		head(CRYPT_INLINE_UNITS, 1),
		{ .i = { .cipher = CIPHER_AES_256_GCM, .kind = INLINE_SYMLINK, .root = to_le64(256), .inode = to_le64(300),
			 .length = to_le32(9), .nonce = { 7 } }, .tag = { 8 } },
	};
	struct {
		struct disk_crypt_head head;
		struct disk_crypt_inode_flags flags;
	} flags_item = {
		head(CRYPT_INODE_FLAGS, 1),
		{ .member = to_le64(256), .inode = to_le64(301), .flags = to_le64(INODE_IMMUTABLE) },
	};
	struct {
		struct disk_crypt_head head;
		struct disk_crypt_index_entry entry;
	} index_item = { head(CRYPT_INDEX, 1), { .inode = to_le64(302), .mac = { 9 }, .hint = to_le64(5 << 16 | 3) } };
	struct {
		struct disk_crypt_head head;
		struct disk_crypt_bad_block bad[2];
	} bad_item = {
		head(CRYPT_BAD_BLOCKS, 2),
		{ { to_le64(1 << 20), to_le32(4), to_le32(BAD_CARRIED) }, { to_le64(1 << 20), to_le32(5), to_le32(BAD_SKIPPED) } },
	};
	struct crypt_seal seal = { .n_units = 1, .n_inline_units = 2, .n_index_entries = 3, .n_bad_blocks = 4 };
	struct disk_crypt_seal seal_item;
	struct crypt_member member = { .id = 256, .root_flags = ROOT_RDONLY, .n_items = 12, .path_len = 3, .path = "a\nb" };
	uint8_t member_item[CRYPT_MEMBER_MAX];
	const size_t member_len = crypt_member_write(&member, member_item);

	(void)state;
	prints(crypt_key(1, CRYPT_INLINE_UNITS, 5), &inline_item, sizeof(inline_item),
	       "crypt item domain 1 kind inline-units index 5\n"
	       "n_entries 1\n"
	       "inline symlink root 256 inode 300 offset 0 length 9 cipher aes-256-gcm state sealed\n"
	       "nonce 07000000000000000000000000000000\n"
	       "tag 08000000000000000000000000000000\n");
	prints(crypt_key(1, CRYPT_INODE_FLAGS, 0), &flags_item, sizeof(flags_item),
	       "crypt item domain 1 kind inode-flags index 0\n"
	       "n_entries 1\n"
	       "member 256 inode 301 flags 0x40(IMMUTABLE)\n");
	prints(crypt_key(1, CRYPT_INDEX, 2), &index_item, sizeof(index_item),
	       "crypt item domain 1 kind index index 2\n"
	       "n_entries 1\n"
	       "inode 302 mac 09000000000000000000000000000000 hint 327683\n");
	prints(crypt_key(1, CRYPT_BAD_BLOCKS, 0), &bad_item, sizeof(bad_item),
	       "crypt item domain 1 kind bad-blocks index 0\n"
	       "n_entries 2\n"
	       "unit 1048576 block 4 what carried-over\n"
	       "unit 1048576 block 5 what skipped\n");
	crypt_seal_write(&seal, &seal_item);
	prints(crypt_key(1, CRYPT_SEAL, 0), &seal_item, sizeof(seal_item),
	       "crypt item domain 1 kind seal index 0\n"
	       "n_units 1 n_inline_units 2 n_index_entries 3 n_bad_blocks 4\n"
	       "unit_sum 0000000000000000000000000000000000000000000000000000000000000000\n"
	       "inline_sum 0000000000000000000000000000000000000000000000000000000000000000\n"
	       "index_sum 0000000000000000000000000000000000000000000000000000000000000000\n"
	       "bad_sha256 0000000000000000000000000000000000000000000000000000000000000000\n"
	       "seal 0000000000000000000000000000000000000000000000000000000000000000\n");
	prints(crypt_key(1, CRYPT_MEMBER, 0), member_item, member_len,
	       "crypt item domain 1 kind member index 0\n"
	       "id 256 uuid 00000000-0000-0000-0000-000000000000\n"
	       "path a\\x0ab\n"
	       "root_flags 0x1(RDONLY)\n"
	       "reserved 0000000000000000000000000000000000000000000000000000000000000000"
	       "0000000000000000000000000000000000000000000000000000000000000000\n"
	       "n_items 12\n"
	       "digest 0000000000000000000000000000000000000000000000000000000000000000\n");
}

static void refuses_more_entries_than_there_are(void **state)
{
	struct {
		struct disk_crypt_head head;
		struct disk_crypt_inode_flags flags;
	} item = { head(CRYPT_INODE_FLAGS, 65535), { .member = to_le64(256), .inode = to_le64(301), .flags = to_le64(INODE_IMMUTABLE) } };
	const struct key key = crypt_key(1, CRYPT_INODE_FLAGS, 0);
	const struct key unknown = { CRYPT_ID, KEY_PERSISTENT_ITEM, 15ull << 44 };
	struct error err = { 0 };

	(void)state;
	assert_false(print(&key, &item, sizeof(item), false, &err));
	assert_false(print(&key, &item, sizeof(item), true, &err));
	item.head = head(CRYPT_INODE_FLAGS, 1);
	assert_true(print(&key, &item, sizeof(item), true, &err));
	assert_false(print(&unknown, &item, sizeof(item), false, &err));
	assert_string_equal(err.text, "crypt item of an unknown kind");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slot_shows_no_key),
		cmocka_unit_test(a_header_shows_its_fields),
		cmocka_unit_test(units_show_every_tag),
		cmocka_unit_test(members_and_the_rest),
		cmocka_unit_test(refuses_more_entries_than_there_are),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
