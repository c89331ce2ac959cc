/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a conversion refuses to begin with: each of it, asked for by its own words. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/convert/preflight.h"
#include "common/tree/transaction.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct image image;

/* What preflight_features() says of the volume as it is now; "" where it says nothing. */
static struct error said_of(struct volume *volume)
{
	struct error err = { 0 };

	assert_true(preflight_features(volume, &err) == (err.kind == ERROR_NONE));
	return err;
}

static void expect(const struct error *err, enum error_kind kind, const char *text)
{
	if (err->kind != kind || strcmp(err->text, text) != 0)
		fail_msg("\"%s\" (%d), not \"%s\"", err->text, err->kind, text);
}

/* NULL: the text has no hint. */
static void expect_hint(const struct error *err, const char *hint)
{
	if (strcmp(err->hint, hint ? hint : "") != 0)
		fail_msg("\"%s\": the hint is \"%s\", not \"%s\"", err->text, err->hint, hint ? hint : "");
}

/* --- superblocks ----------------------------------------------------------------------------------------------------- */

static void nothing_is_wrong_with_a_new_one(void **state)
{
	cleanup_volume struct volume *volume = image_volume(&image);
	const struct error err = said_of(volume);

	(void)state;
	expect(&err, ERROR_NONE, "");
}

static void each_superblock_field_has_its_words(void **state)
{
#define FIELD(name, bits, xor_with, text) { offsetof(struct superblock, name), bits, xor_with, text }
	static const struct {
		size_t at;
		unsigned bits;
		uint64_t xor_with;
		const char *text;
	} row[] = {
		FIELD(sector_size, 32, 4096 ^ 65536, "the sector size is 65536, only 4096 can be converted"),
		FIELD(log_root, 64, 30408704, "the filesystem has a log tree to replay"),
		FIELD(flags, 64, SUPER_FLAG_ERROR, "the superblock says that the filesystem has an error"),
		FIELD(flags, 64, SUPER_FLAG_SEEDING, "this is a seed device"),
		FIELD(flags, 64, SUPER_FLAG_METADUMP, "this is a btrfs-image dump"),
		FIELD(flags, 64, SUPER_FLAG_METADUMP_V2, "this is a btrfs-image dump"),
		FIELD(flags, 64, SUPER_FLAG_CHANGING_FSID, "btrfstune was interrupted at a change of the filesystem's uuid (`btrfstune -u`, or -U)"),
		FIELD(flags, 64, SUPER_FLAG_CHANGING_FSID_V2, "btrfstune was interrupted at a change of the filesystem's uuid (`btrfstune -m`, or -M) "
		      "or of its checksums (`btrfstune --csum`)"),
		FIELD(flags, 64, SUPER_FLAG_CHANGING_BG_TREE, "btrfstune was interrupted at a move of block groups to or from their own tree "
		      "(`btrfstune --convert-to-block-group-tree`)"),
		FIELD(flags, 64, SUPER_FLAG_CHANGING_DATA_CSUM, "btrfstune was interrupted at a change of the checksums (`btrfstune --csum`)"),
		FIELD(flags, 64, SUPER_FLAG_CHANGING_META_CSUM, "btrfstune was interrupted at a change of the checksums (`btrfstune --csum`)"),
		FIELD(flags, 64, 1ull << 50, "superblock flags 0x4000000000000 are not known"),
		FIELD(compat_ro, 64, 1ull << 40, "compat_ro features 0x10000000000 are not known"),
		FIELD(compat_ro, 64, COMPAT_RO_FREE_SPACE_TREE_VALID, "the free space tree is not valid"),
		FIELD(incompat, 64, INCOMPAT_ENCRYPT, "the filesystem has fscrypt encryption (incompat bit 15)"),
		FIELD(disk.tail[500], 8, 1, "the unused bytes at the end of the superblock are in use"),
	};
#undef FIELD

	(void)state;
	for (size_t i = 0; i < N(row); i++) {
		cleanup_volume struct volume *volume = image_volume(&image);
		uint8_t *const at = (uint8_t *)&volume->super + row[i].at;

		for (unsigned byte = 0; byte < row[i].bits / 8; byte++)
			at[byte] ^= (uint8_t)(row[i].xor_with >> 8 * byte);	/* the machine is little-endian, as the bytes are */

		const struct error err = said_of(volume);

		expect(&err, ERROR_REFUSED, row[i].text);
	}
}

static void a_damaged_primary_has_its_words(void **state)
{
	cleanup_volume struct volume *volume = image_volume(&image);

	(void)state;
	volume->copy[0].valid = false;
	volume->super_used = 1;

	const struct error err = said_of(volume);

	expect(&err, ERROR_UNFINISHED, "copy 1 of the superblock may be older than copy 0 of the superblock was, and is not converted");
	expect_hint(&err, "`convert --resume` writes copy 0 of the superblock again from copy 1 of the superblock");
}

static void a_small_device_has_its_words(void **state)
{
	cleanup_volume struct volume *volume = image_volume(&image);

	(void)state;
	volume->copy[1].exists = false;

	const struct error err = said_of(volume);
	char text[160];

	snprintf(text, sizeof(text), "devid 1 has %" PRIu64 " bytes and no second superblock, 64 MiB + 4 KiB are needed", image.size);
	expect(&err, ERROR_REFUSED, text);
}

static void parity_has_its_words(void **state)
{
	cleanup_volume struct volume *volume = image_volume(&image);
	struct error err = { 0 };
	char text[160];

	(void)state;
	assert_true(preflight_no_parity(volume, "this", &err));
	volume->chunks[0].type = GROUP_DATA | GROUP_RAID6;
	assert_false(preflight_no_parity(volume, "this", &err));
	snprintf(text, sizeof(text), "chunk %" PRIu64 " has profile RAID6: this is not supported there", volume->chunks[0].logical);
	expect(&err, ERROR_REFUSED, text);
}

/* --- items ------------------------------------------------------------------------------------------------------------- */

static void each_item_has_its_words(void **state)
{
	static const uint8_t item[1024] = { [32] = 1 };		/* replace_state: started */
	static const uint8_t suspended[1024] = { [32] = 4 }, over[1024] = { [32] = 2 };
	static const struct {
		uint64_t tree;
		struct key key;
		const uint8_t *item;
		uint32_t len;
		const char *text, *hint;
	} row[] = {
		{ ROOT_TREE_ID, { ORPHAN_ID, KEY_ORPHAN_ITEM, 300 }, item, 0, "subvolume 300 was deleted and is not cleaned up yet",
		  "mount it, `btrfs subvolume sync`, unmount" },
		{ ROOT_TREE_ID, { BALANCE_ID, KEY_TEMPORARY_ITEM, 0 }, item, 448, "a balance has not finished",
		  "mount it and let the balance finish, or cancel it" },
		{ ROOT_TREE_ID, { TREE_RELOC_ID, KEY_ROOT_ITEM, 256 }, item, 439, "a relocation has not finished",
		  "mount it, let the balance finish, unmount" },
		{ DEV_TREE_ID, { 0, KEY_DEV_REPLACE, 0 }, item, 80, "a device replace has not finished",
		  "mount it and let the replace finish, or cancel it" },
		{ DEV_TREE_ID, { 0, KEY_DEV_REPLACE, 0 }, suspended, 80, "a device replace has not finished",
		  "mount it and let the replace finish, or cancel it" },
		{ DEV_TREE_ID, { 0, KEY_DEV_REPLACE, 0 }, over, 80, "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < N(row); i++) {
		cleanup_volume struct volume *volume = image_volume(&image);
		struct allocator *allocator;
		struct transaction *tx;

		ok(allocator_open(volume, &allocator, err));
		ok(transaction_begin(volume, allocator, &tx, err));
		ok(tree_insert(tx, row[i].tree, &row[i].key, row[i].item, row[i].len, err));

		const struct error err = said_of(volume);

		expect(&err, row[i].text[0] ? ERROR_REFUSED : ERROR_NONE, row[i].text);
		expect_hint(&err, row[i].hint);
		transaction_drop(tx);
		allocator_close(allocator);
	}
}

/* The last item, of the root directory, becomes one of a file. */
static void move_last_item(uint8_t *bytes, void *context)
{
	struct disk_header *header = (struct disk_header *)bytes;
	struct disk_item *item = (struct disk_item *)(bytes + sizeof(*header)) + le32(header->nritems) - 1;

	(void)context;
	assert_int_equal(le64(item->key.objectid), FIRST_FREE_ID);
	item->key.objectid = to_le64(FIRST_FREE_ID + 1);
}

static void a_data_relocation_has_its_words(void **state)
{
	struct volume *volume = image_volume(&image);
	struct tree tree;

	(void)state;
	ok(tree_open(volume, DATA_RELOC_TREE_ID, &tree, err));
	image_edit_block(&image, volume, tree.logical, 3, move_last_item, NULL);
	volume_close(volume);
	volume = image_volume(&image);

	const struct error err = said_of(volume);

	expect(&err, ERROR_REFUSED, "the data relocation tree is not empty");
	expect_hint(&err, "mount it, let the balance finish, unmount");
	volume_close(volume);
	image_heal(&image);
}

static int make(void **state)
{
	(void)state;
	image_make(&image, 128u << 20, "-m dup -d single", 0);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	image_remove(&image);
	return 0;
}

/* --- room ------------------------------------------------------------------------------------------------------------ */

static void no_room_for_the_journal_has_its_words(void **state)
{
	cleanup_volume struct volume *volume = image_volume(&image);
	struct operation_places places;
	struct scan scan = { .volume = volume };
	struct allocator *allocator;
	struct free_range range;
	struct error what = { 0 };

	(void)state;
	ok(allocator_open(volume, &allocator, err));
	while (allocator_find_journals(allocator, 1, 1 << 20, 1 << 20, &range, &what))
		ok(allocator_reserve(allocator, range.logical, range.length, err));
	assert_false(preflight_places(allocator, volume->super.node_size, preflight_work(&scan), &places, &what));
	expect(&what, ERROR_NO_SPACE, "no room for the journal: it takes 3 free ranges of 1024 KiB");
	assert_string_equal(what.hint, "mount it and make room: delete files, or `btrfs balance start -dusage=50`");
	allocator_close(allocator);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_wrong_with_a_new_one),
		cmocka_unit_test(each_superblock_field_has_its_words),
		cmocka_unit_test(a_damaged_primary_has_its_words),
		cmocka_unit_test(a_small_device_has_its_words),
		cmocka_unit_test(parity_has_its_words),
		cmocka_unit_test(each_item_has_its_words),
		cmocka_unit_test(a_data_relocation_has_its_words),
		cmocka_unit_test(no_room_for_the_journal_has_its_words),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
