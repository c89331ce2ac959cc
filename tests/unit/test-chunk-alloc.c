/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New metadata chunks: where they lie, what the trees say of them, and that nothing of the chunk tree changes in place. */
#include "common/tree/chunk-alloc.h"

#include <stdlib.h>

#include "common/volume/mirror.h"
#include "tests/unit/edit-fixture.h"

#define GIB (1ull << 30)

/* On the disk now, by somebody who has seen nothing of this before. */
static void check_afresh(size_t n_chunks)
{
	cleanup_volume struct volume *fresh = NULL;

	ok(volume_open(image_file(&image, false), &(struct volume_options){ 0 }, &fresh, &err));
	assert_int_equal(fresh->n_chunks, n_chunks);
	ok(tree_check(fresh, &err));
}

/* Not one block of it is among those that a journal would hold. */
static void check_chunk_tree_is_new(void)
{
	for (size_t i = 0; i < transaction_n_changed(tx); i++)
		assert_true(transaction_changed(tx, i)->node.owner != CHUNK_TREE_ID);
}

/* A chunk for so many bytes, and blocks of every other kind in the same transaction. */
static void add_one(uint64_t bytes)
{
	const size_t n_chunks = volume->n_chunks, n_groups = allocator_n_groups(allocator);
	const uint64_t n_free = allocator_n_free_blocks(allocator), old_root = volume->super.chunk_root;
	const uint32_t node_size = volume->super.node_size;
	uint8_t *before = malloc(node_size), *after = malloc(node_size);

	uint64_t sum_before, sum_after;

	assert_true(before && after);
	ok(tree_fingerprint(volume, &sum_before, &err));
	ok(volume_read(volume, old_root, before, node_size, 0, &err));
	begin();
	ok(chunk_alloc(tx, bytes, &err));
	assert_int_equal(volume->n_chunks, n_chunks + 1);
	assert_int_equal(allocator_n_groups(allocator), n_groups + 1);
	/* All but the few blocks that it took itself, some of them in the chunk. */
	assert_true((allocator_n_free_blocks(allocator) - n_free + 8) * node_size >= bytes);
	assert_true(volume->super.chunk_root != old_root);
	for (unsigned i = 0; i < 20; i++) {
		const struct key key = key_of(i);

		ok(tree_insert(tx, ROOT_TREE_ID, &key, NULL, node_size / 3, &err));
	}
	ok(tree_check(volume, &err));
	ok(transaction_settle(tx, &err));
	check_chunk_tree_is_new();
	transaction_drop(tx);
	tx = NULL;

	/* Dropped, it leaves nothing; and then once more. */
	assert_int_equal(volume->n_chunks, n_chunks);
	assert_int_equal(allocator_n_groups(allocator), n_groups);
	assert_int_equal(allocator_n_free_blocks(allocator), n_free);
	assert_int_equal(volume->super.chunk_root, old_root);
	ok(tree_fingerprint(volume, &sum_after, &err));
	assert_true(sum_before == sum_after);
	ok(tree_check(volume, &err));
	begin();
	ok(chunk_alloc(tx, bytes, &err));
	commit();
	ok(tree_check(volume, &err));
	check_afresh(n_chunks + 1);
	ok(volume_read(volume, old_root, after, node_size, 0, &err));
	assert_memory_equal(before, after, node_size);
	free(before);
	free(after);
}

static void in_every_form(void **state)
{
	static const struct { uint64_t size; const char *options; enum form form; } forms[] = {
		{ 300 * MIB, "-n 16384 -m dup", AS_MADE },
		{ 200 * MIB, "-n 4096 -m single --csum sha256", AS_MADE },
		{ 200 * MIB, "-n 4096 --mixed -m single -d single", AS_MADE },
		{ 200 * MIB, "-n 4096 -m single -R ^free-space-tree", AS_MADE },
		{ 200 * MIB, "-n 4096 -m single -O ^skinny-metadata", AS_MADE },
		{ 200 * MIB, "-n 4096 -m single", BITMAPS },
		{ 200 * MIB, "-n 4096 -m single", GROUP_TREE },
		{ 400 * MIB, "-n 65536 -m dup", AS_MADE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		const struct chunk *chunk;
		uint64_t type;

		open_image(forms[i].size, forms[i].options, forms[i].form);
		add_one(3 * MIB);
		add_one(9 * MIB);
		chunk = &volume->chunks[volume->n_chunks - 1];
		type = strstr(forms[i].options, "--mixed") ? GROUP_DATA | GROUP_METADATA : GROUP_METADATA;
		assert_int_equal(chunk->type, strstr(forms[i].options, "dup") ? type | GROUP_DUP : type);
		assert_true(chunk->length >= 9 * MIB && chunk->length <= 12 * MIB);
		assert_int_equal(chunk[-1].length, 8 * MIB);
		close_image(state);
	}
}

/* Many chunks: the chunk tree grows leaf by leaf and gets another level. */
static void large_devices(void **state)
{
	(void)state;
	open_image(300 * GIB, "-n 4096 -m dup", AS_MADE);

	const size_t n_chunks = volume->n_chunks;

	assert_int_equal(volume->super.chunk_root_level, 0);
	for (unsigned i = 0; i < 3; i++) {
		begin();
		ok(chunk_alloc(tx, 40 * GIB, &err));
		ok(transaction_settle(tx, &err));
		check_chunk_tree_is_new();
		commit();
		check_afresh(volume->n_chunks);
	}
	assert_true(volume->n_chunks >= n_chunks + 120);
	assert_int_equal(volume->super.chunk_root_level, 1);
	for (size_t i = n_chunks; i < volume->n_chunks; i++)
		assert_true(volume->chunks[i].length <= GIB);
}

/* Of a chunk that lies over a superblock copy everything else is given out. */
static void spares_superblocks(void **state)
{
	const uint32_t node_size = 16384;
	const struct chunk *chunk;
	uint64_t logical;

	(void)state;
	open_image(257 * GIB, "-n 16384 -m single -d single", AS_MADE);
	for (unsigned i = 0; i < 5; i++) {
		begin();
		ok(chunk_alloc(tx, (i < 4 ? 62 : 8) * GIB, &err));
		commit();
	}
	chunk = &volume->chunks[volume->n_chunks - 1];
	while (chunk->stripe[0].physical > SUPER_OFFSET_2)
		chunk--;
	assert_true(chunk->stripe[0].physical + chunk->length > SUPER_OFFSET_2);
	begin();
	for (uint64_t n = 0, of_chunk = 0; of_chunk < chunk->length / node_size - SUPER_STRIPE / node_size; n++) {
		ok(allocator_take_block(allocator, &logical, &err));
		assert_false(volume_range_is_reserved(volume, logical, node_size));
		of_chunk += logical >= chunk->logical && logical - chunk->logical < chunk->length;
	}
}

static void small_devices(void **state)
{
	cleanup_chunk_plan struct chunk_plan plan = { 0 };
	const struct key key = key_of(1);
	uint64_t before, room;

	(void)state;
	open_image(200 * MIB, "-n 4096 -m single -d single", AS_MADE);
	/* 1 MiB for nobody, 4 + 8 + 8 MiB of mkfs.btrfs */
	ok(chunk_plan_make(volume, allocator, GIB, &plan, &err));
	room = plan.length;
	assert_true(plan.usable < GIB && room > 170 * MIB && room < 200 * MIB);
	ok(tree_fingerprint(volume, &before, &err));
	begin();
	ok(tree_insert(tx, ROOT_TREE_ID, &key, NULL, 10, &err));
	assert_false(chunk_alloc(tx, GIB, &err));
	assert_int_equal(err.kind, ERROR_NO_SPACE);
	transaction_drop(tx);
	tx = NULL;

	uint64_t after;

	ok(tree_fingerprint(volume, &after, &err));
	assert_true(before == after);
	/* Everything that there is. */
	begin();
	ok(chunk_alloc(tx, plan.usable, &err));
	commit();
	ok(tree_check(volume, &err));
	check_afresh(volume->n_chunks);
	chunk_plan_free(&plan);
	ok(chunk_plan_make(volume, allocator, 1, &plan, &err));
	assert_int_equal(plan.n, 0);
	assert_int_equal(plan.usable, 0);
}

static void no_room_for_the_chunk_tree(void **state)
{
	cleanup_chunk_plan struct chunk_plan plan = { 0 };
	uint64_t logical;

	(void)state;
	open_image(200 * MIB, "-n 4096 -m single", AS_MADE);
	ok(chunk_plan_make(volume, allocator, MIB, &plan, &err));
	ok(chunk_alloc_check(volume, allocator, &plan, &err));
	while (allocator_n_free_system_blocks(allocator) > 4)
		ok(allocator_take_system_block(allocator, &logical, &err));
	expect_error(chunk_alloc_check(volume, allocator, &plan, &err), ERROR_NO_SPACE,
		     "the system block groups have room for 4 tree blocks, but a new metadata chunk may need 5");
	while (allocator_n_free_system_blocks(allocator) > 0)
		ok(allocator_take_system_block(allocator, &logical, &err));
	begin();
	expect_error(chunk_alloc(tx, MIB, &err), ERROR_NO_SPACE,
		     "no room for another block of the chunk tree in the system block groups");
}

static void never_in_place(void **state)
{
	const struct key key = { FIRST_CHUNK_TREE_ID, KEY_CHUNK_ITEM, GIB * GIB / 2 };
	uint8_t *data;
	uint32_t len;
	char text[200];
	struct key device;

	(void)state;
	open_image(200 * MIB, "-n 4096 -m single", AS_MADE);
	device = (struct key){ DEV_ITEMS_ID, KEY_DEV_ITEM, volume->super.devid };
	snprintf(text, sizeof(text), "tree block %llu belongs to the chunk tree, which does not change in place",
		 (unsigned long long)volume->super.chunk_root);
	begin();
	expect_error(tree_insert(tx, CHUNK_TREE_ID, &key, NULL, 80, &err), ERROR_REFUSED, text);
	expect_error(tree_edit_item(tx, CHUNK_TREE_ID, &device, &data, &len, &err), ERROR_REFUSED, text);
}

/* Device extents that are not those of the chunks: nothing is free for certain. */
static void lying_device_trees(void **state)
{
	cleanup_chunk_plan struct chunk_plan plan = { 0 };
	struct disk_dev_extent *disk;
	struct key key;
	uint32_t len;
	uint8_t *data;
	char text[200];
	const struct chunk *chunk;

	(void)state;
	open_image(200 * MIB, "-n 4096 -m single", AS_MADE);
	chunk = &volume->chunks[1];
	key = (struct key){ 1, KEY_DEV_EXTENT, chunk->stripe[0].physical };

	begin();
	ok(tree_edit_item(tx, DEV_TREE_ID, &key, &data, &len, &err));
	disk = (struct disk_dev_extent *)data;
	disk->length = to_le64(chunk->length / 2);
	snprintf(text, sizeof(text), "device extent at %llu: %llu bytes of chunk %llu, which has no such stripe",
		 (unsigned long long)key.offset, (unsigned long long)chunk->length / 2, (unsigned long long)chunk->logical);
	expect_error(chunk_plan_make(volume, allocator, 1, &plan, &err), ERROR_CORRUPT, text);
	chunk_plan_free(&plan);
	disk->length = to_le64(chunk->length);
	disk->chunk_offset = to_le64(chunk->logical + 4096);
	assert_false(chunk_plan_make(volume, allocator, 1, &plan, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	chunk_plan_free(&plan);
	disk->chunk_offset = to_le64(0);
	snprintf(text, sizeof(text), "device extent at %llu: logical address 0 is in no chunk", (unsigned long long)key.offset);
	expect_error(chunk_plan_make(volume, allocator, 1, &plan, &err), ERROR_CORRUPT, text);
	chunk_plan_free(&plan);
	ok(tree_remove(tx, DEV_TREE_ID, &key, &err));
	snprintf(text, sizeof(text), "device 1 has %zu extents, but its chunks have %zu stripes", volume->n_chunks - 1, volume->n_chunks);
	expect_error(chunk_plan_make(volume, allocator, 1, &plan, &err), ERROR_CORRUPT, text);
	chunk_plan_free(&plan);
	ok(tree_insert(tx, DEV_TREE_ID, &key, NULL, sizeof(*disk) - 1, &err));
	snprintf(text, sizeof(text), "device extent at %llu: its item does not have 48 bytes", (unsigned long long)key.offset);
	expect_error(chunk_plan_make(volume, allocator, 1, &plan, &err), ERROR_CORRUPT, text);
}

/* A power cut between the superblock copies: the first still has the old chunk tree, which is whole, the second the new one. */
static void between_two_superblocks(void **state)
{
	cleanup_volume struct volume *fresh = NULL;
	uint8_t primary[SUPER_SIZE];
	size_t n_chunks;

	(void)state;
	open_image(200 * MIB, "-n 4096 -m single", AS_MADE);
	n_chunks = volume->n_chunks;
	ok(device_read(volume->device, primary, sizeof(primary), SUPER_OFFSET_0, &err));
	begin();
	ok(chunk_alloc(tx, MIB, &err));
	commit();
	ok(device_write(volume->device, primary, sizeof(primary), SUPER_OFFSET_0, &err));

	ok(volume_open(image_file(&image, true), &(struct volume_options){ 0 }, &fresh, &err));
	assert_int_equal(fresh->n_chunks, n_chunks);
	ok(volume_use_copy(fresh, 1, &err));
	assert_int_equal(fresh->n_chunks, n_chunks + 1);
	assert_int_equal(fresh->super_used, 1);
	ok(tree_check(fresh, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(in_every_form, close_image),
		cmocka_unit_test_teardown(large_devices, close_image),
		cmocka_unit_test_teardown(spares_superblocks, close_image),
		cmocka_unit_test_teardown(small_devices, close_image),
		cmocka_unit_test_teardown(no_room_for_the_chunk_tree, close_image),
		cmocka_unit_test_teardown(never_in_place, close_image),
		cmocka_unit_test_teardown(lying_device_trees, close_image),
		cmocka_unit_test_teardown(between_two_superblocks, close_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
