/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data where the items of a raid stripe tree say, on two devices in memory; items that cannot be. */
#include "common/volume/stripe-tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/volume/block.h"
#include "common/volume/chunk-map.h"
#include "common/volume/csum.h"
#include "common/volume/devices.h"
#include "common/volume/mirror.h"
#include "format/device-item.h"
#include "tests/unit/memory-device.h"

#define KIB 1024ull
#define MIB (1024 * KIB)
#define NODE 4096u
#define TREES (1 * MIB)		/* logical and physical address of the tree blocks: root tree, stripe tree, its leaves */
#define MIRRORED (16 * MIB)
#define STRIPED (32 * MIB)
#define TWICE (48 * MIB)
#define LIKE_ANY (64 * MIB)	/* metadata: where the profile says */

#define SIZE (8 * MIB)

static struct memory_device memory[2];
static struct volume volume;
static struct error err;

/* Each sector of each device says where it is. */
static uint8_t tag(unsigned device, uint64_t physical)
{
	return (uint8_t)(physical / 4096 * 7 + device * 101 + 1);
}

struct item {
	struct key key;
	const void *bytes;
	size_t len;
};

static void put_leaf(uint64_t logical, uint64_t owner, const struct item *item, uint32_t n, uint8_t level)
{
	uint8_t *block = memory[0].bytes + logical;
	struct disk_header header = { .bytenr = to_le64(logical), .generation = to_le64(5), .owner = to_le64(owner), .nritems = to_le32(n),
				      .level = level };
	size_t end = NODE - sizeof(header);

	memset(block, 0, NODE);
	memcpy(block, &header, sizeof(header));
	for (uint32_t i = 0; i < n; i++) {
		const struct disk_key key = key_to_disk(&item[i].key);
		struct disk_item disk = { key, to_le32((uint32_t)(end - item[i].len)), to_le32((uint32_t)item[i].len) };
		struct disk_key_ptr pointer = { key, to_le64(item[i].len), to_le64(5) };

		if (level > 0) {
			memcpy(block + sizeof(header) + i * sizeof(pointer), &pointer, sizeof(pointer));
			continue;
		}
		end -= item[i].len;
		memcpy(block + sizeof(header) + i * sizeof(disk), &disk, sizeof(disk));
		memcpy(block + sizeof(header) + end, item[i].bytes, item[i].len);
	}
	csum_block_update(CSUM_CRC32C, block, NODE);
}

static void add_chunk(uint64_t logical, uint64_t type, unsigned n_stripes, uint64_t devid_2, uint64_t physical)
{
	struct chunk_stripe stripe[2] = { { .devid = 1, .physical = physical }, { .devid = devid_2, .physical = physical } };
	const struct chunk chunk = { .logical = logical, .length = MIB, .type = type, .stripe_len = 64 * KIB, .n_stripes = n_stripes,
				     .sub_stripes = 1, .stripe = stripe };

	if (n_stripes == 2 && devid_2 == 1)
		stripe[1].physical += 512 * KIB;
	stripe[1].dev_uuid[0] = (uint8_t)(devid_2 - 1);
	if (!chunk_map_add(&volume, &chunk, &err))
		fail_msg("%s", err.text);
}

static int open_volume(void **state)
{
	(void)state;
	volume = (struct volume){ .super = { .devid = 1, .sector_size = 4096, .node_size = NODE, .n_devices = 2, .root = TREES, .generation = 5 } };
	volume.devices = calloc(2, sizeof(*volume.devices));
	assert_non_null(volume.devices);
	volume.n_devices = 2;
	for (unsigned i = 0; i < 2; i++) {
		volume.devices[i] = (struct volume_device){ .devid = i + 1, .uuid = { (uint8_t)i }, .size = SIZE };
		memory[i] = (struct memory_device){ .bytes = malloc(SIZE), .len = SIZE };
		assert_non_null(memory[i].bytes);
		volume.devices[i].device = memory_device(&memory[i], "memory", SIZE, false);
		for (uint64_t at = 0; at < SIZE; at += 4096)
			memset(memory[i].bytes + at, tag(i, at), 4096);
	}
	assert_true(block_cache_new(&volume.cache, &err) && stripe_tree_new(&volume, &err));
	add_chunk(TREES, GROUP_METADATA, 1, 1, TREES);
	add_chunk(MIRRORED, GROUP_DATA | GROUP_RAID1, 2, 2, 2 * MIB);
	add_chunk(STRIPED, GROUP_DATA | GROUP_RAID0, 2, 2, 4 * MIB);
	add_chunk(TWICE, GROUP_DATA | GROUP_DUP, 2, 1, 5 * MIB);
	add_chunk(LIKE_ANY, GROUP_METADATA | GROUP_RAID1, 2, 2, 7 * MIB);
	return 0;
}

static int close_volume(void **state)
{
	(void)state;
	stripe_tree_free(volume.stripe_tree);
	block_cache_free(volume.cache);
	chunk_map_free(&volume);
	volume_devices_close(&volume);
	free(memory[0].bytes);
	free(memory[1].bytes);
	return 0;
}

/* The root tree, and the stripe tree: one leaf, or a node above leaves of two items. */
static void put_trees(const struct item *item, uint32_t n, bool has_node)
{
	struct disk_root_item root = { .generation = to_le64(5), .bytenr = to_le64(TREES + NODE), .level = has_node };
	const struct item in_root = { { RAID_STRIPE_TREE_ID, KEY_ROOT_ITEM, 0 }, &root, sizeof(root) };
	struct item above[8];
	uint32_t n_leaves = 0;

	put_leaf(TREES, ROOT_TREE_ID, &in_root, 1, 0);
	if (!has_node) {
		put_leaf(TREES + NODE, RAID_STRIPE_TREE_ID, item, n, 0);
		return;
	}
	for (uint32_t i = 0; i < n; i += 2, n_leaves++) {
		above[n_leaves] = (struct item){ .key = item[i].key, .len = TREES + (2 + n_leaves) * NODE };
		put_leaf(above[n_leaves].len, RAID_STRIPE_TREE_ID, item + i, n - i < 2 ? 1 : 2, 0);
	}
	put_leaf(TREES + NODE, RAID_STRIPE_TREE_ID, above, n_leaves, 1);
}

#define ITEM(logical, length, stripes) { { logical, KEY_RAID_STRIPE, length }, stripes, sizeof(stripes) }

static struct disk_stripe_place both[2], swapped[2], first[1], second[1], twice[2];

static void put_usual(bool has_node)
{
	const struct item item[] = {
		ITEM(MIRRORED + 8 * KIB, 8 * KIB, both), ITEM(MIRRORED + 16 * KIB, 12 * KIB, swapped),
		ITEM(STRIPED + 60 * KIB, 4 * KIB, first), ITEM(STRIPED + 64 * KIB, 8 * KIB, second), ITEM(TWICE, 64 * KIB, twice),
	};

	both[0] = (struct disk_stripe_place){ to_le64(1), to_le64(3 * MIB) };
	both[1] = (struct disk_stripe_place){ to_le64(2), to_le64(3 * MIB + 64 * KIB) };
	swapped[0] = (struct disk_stripe_place){ to_le64(2), to_le64(2 * MIB + 4 * KIB) };
	swapped[1] = (struct disk_stripe_place){ to_le64(1), to_le64(2 * MIB) };
	first[0] = (struct disk_stripe_place){ to_le64(1), to_le64(4 * MIB + 128 * KIB) };
	second[0] = (struct disk_stripe_place){ to_le64(2), to_le64(4 * MIB + 256 * KIB) };
	twice[0] = (struct disk_stripe_place){ to_le64(1), to_le64(6 * MIB) };
	twice[1] = (struct disk_stripe_place){ to_le64(1), to_le64(6 * MIB + 512 * KIB) };
	put_trees(item, 5, has_node);
}

static void is_at(uint64_t logical, unsigned mirror, unsigned device, uint64_t physical)
{
	uint8_t bytes[4096];

	if (!volume_read(&volume, logical, bytes, sizeof(bytes), mirror, &err))
		fail_msg("%s", err.text);
	assert_int_equal(bytes[0], tag(device, physical));
	assert_int_equal(bytes[4095], tag(device, physical));
}

static void places_are_those_of_the_items(void **state)
{
	uint8_t bytes[20 * KIB];
	char text[MIRROR_TEXT_SIZE];

	(void)state;
	for (int has_node = 0; has_node < 2; has_node++) {
		put_usual(has_node);
		stripe_tree_drop(volume.stripe_tree);
		block_cache_drop_all(&volume);
		is_at(MIRRORED + 8 * KIB, 0, 0, 3 * MIB);
		is_at(MIRRORED + 12 * KIB, 1, 1, 3 * MIB + 68 * KIB);
		is_at(MIRRORED + 24 * KIB, 0, 0, 2 * MIB + 8 * KIB);
		is_at(MIRRORED + 24 * KIB, 1, 1, 2 * MIB + 12 * KIB);
		is_at(STRIPED + 64 * KIB, 0, 1, 4 * MIB + 256 * KIB);
		is_at(STRIPED + 60 * KIB, 0, 0, 4 * MIB + 128 * KIB);
		is_at(TWICE + 60 * KIB, 0, 0, 6 * MIB + 60 * KIB);
		is_at(TWICE + 4 * KIB, 1, 0, 6 * MIB + 516 * KIB);
		is_at(LIKE_ANY + 4 * KIB, 1, 1, 7 * MIB + 4 * KIB);
		/* Over the edge of two items, whose lengths are no power of two; a byte from the middle of a sector. */
		assert_true(volume_read(&volume, MIRRORED + 8 * KIB, bytes, sizeof(bytes), 1, &err));
		assert_int_equal(bytes[8 * KIB - 1], tag(1, 3 * MIB + 68 * KIB));
		assert_int_equal(bytes[8 * KIB], tag(1, 2 * MIB + 4 * KIB));
		assert_int_equal(bytes[20 * KIB - 1], tag(1, 2 * MIB + 12 * KIB));
		assert_true(volume_read_any(&volume, MIRRORED + 17 * KIB, bytes, 1, &err));
		assert_int_equal(bytes[0], tag(0, 2 * MIB));
	}
	assert_string_equal(volume_mirror_text(&volume, MIRRORED + 20 * KIB, 1, text), "devid 2, physical 2105344");
	assert_string_equal(volume_mirror_text(&volume, MIRRORED, 1, text), "devid 2, at an unknown place");
}

/* However many sectors: the leaf is held, not searched again. */
static void an_item_is_searched_once(void **state)
{
	struct stripe_place place;
	const struct chunk *chunk;

	(void)state;
	put_usual(true);
	assert_true(volume_chunk(&volume, TWICE, &chunk, &err));
	assert_true(volume_place(&volume, chunk, TWICE, 0, &place, &err));
	assert_int_equal(place.len, 64 * KIB);

	const unsigned n = memory[0].n_reads;

	/* A damaged tree would be found out by whoever reads it again. */
	block_cache_drop_all(&volume);
	for (uint64_t at = 0; at < 64 * KIB; at += 4096)
		assert_true(volume_place(&volume, chunk, TWICE + at, 1, &place, &err));
	assert_int_equal(memory[0].n_reads, n);
	assert_int_equal(place.len, 4096);
}

static void refused(uint64_t logical, unsigned mirror, const char *text)
{
	uint8_t bytes[4096];

	stripe_tree_drop(volume.stripe_tree);
	block_cache_drop_all(&volume);
	assert_false(volume_read(&volume, logical, bytes, sizeof(bytes), mirror, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_string_equal(err.text, text);
}

static void what_is_not_there_is_named(void **state)
{
	uint8_t bytes[8 * KIB];

	(void)state;
	for (int has_node = 0; has_node < 2; has_node++) {
		put_usual(has_node);
		refused(MIRRORED, 0, "raid stripe tree: it has no item of logical address 16777216");
		refused(MIRRORED + 28 * KIB, 1, "raid stripe tree: it has no item of logical address 16805888");
		refused(STRIPED + 72 * KIB, 0, "raid stripe tree: it has no item of logical address 33628160");
		refused(TWICE + 64 * KIB, 0, "raid stripe tree: it has no item of logical address 50397184");
	}
	assert_false(volume_read(&volume, MIRRORED + 24 * KIB, bytes, sizeof(bytes), 0, &err));
	assert_false(volume_read_any(&volume, MIRRORED + 24 * KIB, bytes, sizeof(bytes), &err));
	put_leaf(TREES, ROOT_TREE_ID, NULL, 0, 0);
	refused(TWICE, 0, "raid stripe tree: the root tree has no raid stripe tree");
}

static void items_that_cannot_be_are_named(void **state)
{
	const struct disk_stripe_place good[2] = { { to_le64(1), to_le64(3 * MIB) }, { to_le64(2), to_le64(3 * MIB) } };
	const struct disk_stripe_place odd[1] = { { to_le64(1), to_le64(3 * MIB + 512) } };
	const struct disk_stripe_place last[1] = { { to_le64(1), to_le64(UINT64_MAX - 4095) } };
	const struct disk_stripe_place behind[1] = { { to_le64(1), to_le64(8 * MIB - 4096) } };
	const struct disk_stripe_place alone[2] = { { to_le64(7), to_le64(3 * MIB) }, { to_le64(2), to_le64(3 * MIB) } };
	const struct { struct item item[2]; uint32_t n; uint64_t logical; const char *text; } row[] = {
		{ { ITEM(MIRRORED, 0, good) }, 1, MIRRORED,
		  "raid stripe tree: item of 16777216: its length is 0: both must be multiples of 4096, and the length not 0" },
		{ { ITEM(MIRRORED, 4097, good) }, 1, MIRRORED,
		  "raid stripe tree: item of 16777216: its length is 4097: both must be multiples of 4096, and the length not 0" },
		{ { ITEM(MIRRORED + 512, 8192, good) }, 1, MIRRORED + 4096,
		  "raid stripe tree: item of 16777728: its length is 8192: both must be multiples of 4096, and the length not 0" },
		{ { ITEM(MIRRORED, UINT64_MAX - 4095, good) }, 1, MIRRORED,
		  "raid stripe tree: item of 16777216: its length is 18446744073709547520, past the end of addresses" },
		{ { ITEM(MIRRORED, 8192, good), ITEM(MIRRORED + 4096, 8192, good) }, 2, MIRRORED,
		  "raid stripe tree: item of 16777216: 8192 bytes overlap the item of 16781312" },
		{ { ITEM(MIRRORED, 4096, odd) }, 1, MIRRORED,
		  "raid stripe tree: item of 16777216: stripe 0 is at 3146240 of devid 1, not a multiple of 4096 before the end of addresses" },
		{ { ITEM(MIRRORED, 8192, last) }, 1, MIRRORED,
		  "raid stripe tree: item of 16777216: stripe 0 is at 18446744073709547520 of devid 1, not a multiple of 4096 before the end of addresses" },
		{ { ITEM(MIRRORED, 8192, behind) }, 1, MIRRORED + 4096, "memory: 4096 bytes at 0x800000 are outside the device of 8388608 bytes" },
		{ { ITEM(MIRRORED, 4096, alone) }, 1, MIRRORED, "raid stripe tree: item of 16777216: it has no stripe on devid 1" },
		{ { ITEM(TWICE, 4096, alone) }, 1, TWICE, "raid stripe tree: item of 50331648: it has no stripe for this copy on devid 1" },
		{ { { { MIRRORED, KEY_RAID_STRIPE, 4096 }, good, 15 } }, 1, MIRRORED,
		  "raid stripe tree: item of 16777216: stripe extent at 0x101ff1: 15 bytes, not a list of 16 each, with or without 8 before it" },
		{ { { { MIRRORED, KEY_RAID_STRIPE + 1, 4096 }, good, 32 } }, 1, MIRRORED,
		  "raid stripe tree: it has no item of logical address 16777216" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		put_trees(row[i].item, row[i].n, false);
		refused(row[i].logical, 0, row[i].text);
	}
	/* The overlap is seen over the edge of leaves as well. */
	const struct item three[] = { ITEM(MIRRORED, 4096, good), ITEM(MIRRORED + 4096, 8192, good), ITEM(MIRRORED + 8192, 4096, good) };

	put_trees(three, 3, true);
	refused(MIRRORED + 4096, 0, "raid stripe tree: item of 16781312: 8192 bytes overlap the item of 16785408");
}

/* Otherwise reading a block would need the tree, and the tree that block. */
static void trees_are_not_found_by_what_is_in_them(void **state)
{
	const struct disk_stripe_place good[2] = { { to_le64(1), to_le64(3 * MIB) }, { to_le64(2), to_le64(3 * MIB) } };
	const struct item item[] = { ITEM(TREES, 64 * KIB, good), ITEM(MIRRORED, 4096, good) };

	(void)state;
	put_trees(item, 2, false);
	volume.chunks[0].type = GROUP_DATA | GROUP_RAID0;
	refused(MIRRORED, 0, "raid stripe tree: raid stripe tree: a block on the way to it is in a chunk of data");
	refused(TREES, 0, "raid stripe tree: raid stripe tree: a block on the way to it is in a chunk of data");
	volume.chunks[0].type = GROUP_METADATA;
	stripe_tree_drop(volume.stripe_tree);
	is_at(MIRRORED, 0, 0, 3 * MIB);
}

#define with_volume(test) cmocka_unit_test_setup_teardown(test, open_volume, close_volume)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_volume(places_are_those_of_the_items),
		with_volume(an_item_is_searched_once),
		with_volume(what_is_not_there_is_named),
		with_volume(items_that_cannot_be_are_named),
		with_volume(trees_are_not_found_by_what_is_in_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
