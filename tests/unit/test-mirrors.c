/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors that differ when a conversion comes to its end. */
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "tests/unit/ways.h"

/* Where the i-th leaf that was changed since `earlier` is on this mirror, and its bytes then. */
static uint64_t find_leaf_since(const struct disk *earlier, struct disk *disk, unsigned i, unsigned mirror, uint8_t before[NODE_SIZE])
{
	const struct volume_options options = { .unfinished = true };
	cleanup_volume struct volume *volume = NULL;
	cleanup_scan struct scan *scan = NULL;
	const struct chunk *chunk;

	ok(volume_open(disk_device(disk, false), &options, &volume, err));
	ok(scan_run(volume, members.id, members.n, &scan, err));
	for (size_t at = 0; at < scan->n_blocks; at++) {
		uint8_t now[NODE_SIZE];
		uint64_t physical;

		ok(volume_chunk(volume, scan->block[at].logical, &chunk, err));
		physical = chunk_physical(chunk, scan->block[at].logical, mirror);
		disk_read(earlier, physical, before, NODE_SIZE);
		disk_read(disk, physical, now, sizeof(now));
		if (scan->block[at].level > 0 || memcmp(before, now, sizeof(now)) == 0 || i-- > 0)
			continue;
		return physical;
	}
	fail();
	return 0;
}

static uint64_t find_leaf(enum way way, struct disk *disk, unsigned i, unsigned mirror, uint8_t before[NODE_SIZE])
{
	return find_leaf_since(way_start(way), disk, i, mirror, before);
}

static void put_old_leaf(enum way way, struct disk *disk, unsigned i, unsigned mirror)
{
	uint8_t before[NODE_SIZE];
	const uint64_t physical = find_leaf(way, disk, i, mirror, before);

	disk_write(disk, physical, before, sizeof(before));
}

/* Written again from the good one before the state says that it is the end, when the tags that tell which is right are gone. */
static void a_damaged_leaf_on_one_mirror_is_written_again(void **state)
{
	(void)state;
	for (enum way way = SEALING; way <= UNSEALING && n_mirrors > 1; way++) {
		for (unsigned mirror = 0; mirror < n_mirrors; mirror++) {
			uint8_t good[NODE_SIZE], damaged[NODE_SIZE];
			struct disk_log log = { 0 };
			struct disk disk;
			bool is_written = false;

			way_stopped(way, 0, &disk);

			const uint64_t physical = find_leaf(way, &disk, 3, mirror, damaged);

			disk_read(&disk, physical, good, sizeof(good));
			memcpy(damaged, good, sizeof(damaged));
			damaged[NODE_SIZE - 1] ^= 1;
			disk_write(&disk, physical, damaged, sizeof(damaged));
			disk.log = &log;
			ok(way_go_on(way, &disk, err));
			disk.log = NULL;
			for (size_t i = 0; i < log.n && log.write[i].at != superblock_offset(1); i++)
				is_written = is_written || (log.write[i].at == physical && memcmp(log.write[i].bytes, good, sizeof(good)) == 0);
			assert_true(is_written);
			ok(way_is_right(way, &disk, err));
			disk_log_free(&log);
			disk_free(&disk);
		}
	}
}

static void an_old_leaf_on_one_mirror_is_told_by_the_digest(void **state)
{
	(void)state;
	for (enum way way = SEALING; way <= UNSEALING; way++) {
		for (unsigned mirror = 0; mirror < n_mirrors; mirror++) {
			struct error failure = { 0 };
			struct disk disk;

			way_stopped(way, 0, &disk);	/* in front of the cut, or of the seal */
			put_old_leaf(way, &disk, 3, mirror);
			put_old_leaf(way, &disk, 8, mirror);
			if (n_mirrors > 1) {
				ok(way_go_on(way, &disk, err));
				ok(way_is_right(way, &disk, err));
			} else {
				assert_false(way_go_on(way, &disk, &failure));
				assert_int_equal(failure.kind, ERROR_CORRUPT);
				assert_non_null(strstr(failure.text, "a write to it was lost"));
			}
			disk_free(&disk);
		}
	}
}

/* The same while the sealing that is undone has no tags any more that could be asked. */
static void an_old_leaf_is_told_by_the_digest_at_the_end_of_undoing(void **state)
{
	(void)state;
	for (unsigned mirror = 0; mirror < n_mirrors && n_mirrors > 1; mirror++) {
		struct error failure = { 0 };
		uint8_t before[NODE_SIZE];
		struct disk sealing, disk;

		way_stopped(SEALING, 1, &sealing);
		disk_clone(&sealing, &disk);
		ok(run_continue(&disk, CONVERT_ABORT, &keys, false, NEVER, err));
		disk_free(&disk);
		disk_clone(&sealing, &disk);
		assert_false(run_continue(&disk, CONVERT_ABORT, &keys, false, run_n_asked - 1, &failure));
		assert_int_equal(failure.kind, ERROR_STOPPED);

		const uint64_t physical = find_leaf_since(&sealing, &disk, 3, mirror, before);

		disk_write(&disk, physical, before, sizeof(before));
		ok(run_continue(&disk, CONVERT_ABORT, &keys, false, NEVER, err));
		ok(way_is_right(UNDOING_SEALING, &disk, err));
		disk_free(&disk);
		disk_free(&sealing);
	}
}

/* Each mirror has an old leaf: no mirror is right everywhere, but the leaves themselves tell which are old. */
static void old_leaves_on_both_are_told_by_themselves(void **state)
{
	(void)state;
	for (enum way way = SEALING; way <= UNSEALING && n_mirrors > 1; way++) {
		struct disk disk;

		way_stopped(way, 0, &disk);
		put_old_leaf(way, &disk, 3, 0);
		put_old_leaf(way, &disk, 8, 1);
		ok(way_go_on(way, &disk, err));
		ok(way_is_right(way, &disk, err));
		disk_free(&disk);
	}
}

/* A name in a leaf is another one on the second mirror, which no conversion does: the digest tells. */
static void what_no_conversion_changes_is_told_by_the_digest(void **state)
{
	(void)state;
	for (enum way way = SEALING; way <= UNSEALING && n_mirrors > 1; way++) {
		uint8_t before[NODE_SIZE], good[NODE_SIZE], other[NODE_SIZE];
		bool is_changed = false;
		struct disk disk;
		struct node node;

		way_stopped(way, 0, &disk);
		put_old_leaf(way, &disk, 8, 0);

		const uint64_t physical = find_leaf(way, &disk, 3, 1, before);

		disk_read(&disk, physical, good, sizeof(good));
		memcpy(other, good, sizeof(other));
		ok(node_read(other, sizeof(other), le64(((struct disk_header *)other)->bytenr), &node, err));
		for (uint32_t slot = 0; slot < node.n_items && !is_changed; slot++) {
			const struct cursor item = leaf_item(&node, slot);

			is_changed = node_key(&node, slot).type == KEY_DIR_INDEX || node_key(&node, slot).type == KEY_INODE_REF;
			if (is_changed)
				other[item.at - other + item.left - 1] ^= 1;
		}
		assert_true(is_changed);
		csum_block_update(CSUM_CRC32C, other, sizeof(other));
		disk_write(&disk, physical, other, sizeof(other));
		ok(way_go_on(way, &disk, err));
		ok(way_is_right(way, &disk, err));
		disk_read(&disk, physical, other, sizeof(other));
		if (way == SEALING)
			assert_memory_equal(other, good, sizeof(good));
		disk_free(&disk);
	}
}

/* What no digest covers is changed in a leaf: whichever is taken, everything else is right. */
static void put_other_leaf(enum way way, struct disk *disk, unsigned i, unsigned mirror)
{
	uint8_t before[NODE_SIZE], other[NODE_SIZE];
	const uint64_t physical = find_leaf(way, disk, i, mirror, before);

	disk_read(disk, physical, other, sizeof(other));
	other[offsetof(struct disk_header, chunk_tree_uuid)] ^= 1;
	csum_block_update(CSUM_CRC32C, other, sizeof(other));
	disk_write(disk, physical, other, sizeof(other));
}

static void two_that_nothing_decides_are_left_as_they_are(void **state)
{
	(void)state;
	for (enum way way = SEALING; way <= UNSEALING && n_mirrors > 1; way++) {
		struct error failure = { 0 };
		struct disk disk, before;

		way_stopped(way, 0, &disk);
		put_other_leaf(way, &disk, 3, 0);
		put_other_leaf(way, &disk, 8, 1);
		disk_clone(&disk, &before);
		assert_false(way_go_on(way, &disk, &failure));
		assert_int_equal(failure.kind, ERROR_CORRUPT);
		assert_non_null(strstr(failure.text, "nothing tells which is right"));
		for (uint64_t at = 1 << 20; at < disk.size; at += DISK_PAGE) {
			uint8_t is[DISK_PAGE], was[DISK_PAGE];

			disk_read(&disk, at, is, sizeof(is));
			disk_read(&before, at, was, sizeof(was));
			/* Only what every resume writes: the journal's last records, superblocks. */
			if (memcmp(is, was, sizeof(is)) != 0)
				assert_true(write_is_data(&disk, at) || at == superblock_offset(1));
		}
		disk_free(&before);
		disk_free(&disk);
	}
}

/* Of a tree that is nobody's alone: the conversion ends, leaves both, and says so. */
static void other_blocks_that_nothing_decides_are_told(void **state)
{
	struct error failure = { 0 };
	struct content content;
	struct disk disk;

	(void)state;
	if (n_mirrors == 1)
		return;
	disk_clone(&disk_sealed, &disk);

	cleanup_volume struct volume *volume = NULL;
	const struct chunk *chunk;
	uint8_t bytes[NODE_SIZE], left[NODE_SIZE];
	struct tree tree;

	ok(volume_open(disk_device(&disk, false), NULL, &volume, err));
	ok(tree_open(volume, DEV_TREE_ID, &tree, err));
	ok(volume_read(volume, tree.logical, bytes, sizeof(bytes), 1, err));
	bytes[sizeof(struct disk_header) + 1000] ^= 1;
	csum_block_update(volume->super.csum_type, bytes, sizeof(bytes));
	ok(volume_chunk(volume, tree.logical, &chunk, err));
	disk_write(&disk, chunk_physical(chunk, tree.logical, 1), bytes, sizeof(bytes));

	assert_false(way_run(UNSEALING, &disk, &failure));
	assert_int_equal(failure.kind, ERROR_CORRUPT);
	assert_non_null(strstr(failure.text, "the conversion has finished, but the mirrors of tree block"));
	disk_read(&disk, chunk_physical(chunk, tree.logical, 1), left, sizeof(left));
	assert_memory_equal(left, bytes, sizeof(left));
	disk_read(&disk, chunk_physical(chunk, tree.logical, 0), left, sizeof(left));
	disk_write(&disk, chunk_physical(chunk, tree.logical, 1), left, sizeof(left));
	ok(content_read(&disk, &members, CONTENT_PLAIN, &content, err));
	assert_null(content_compare(&plain_content, &content));
	disk_free(&disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_leaf_on_one_mirror_is_written_again),
		cmocka_unit_test(an_old_leaf_on_one_mirror_is_told_by_the_digest),
		cmocka_unit_test(an_old_leaf_is_told_by_the_digest_at_the_end_of_undoing),
		cmocka_unit_test(old_leaves_on_both_are_told_by_themselves),
		cmocka_unit_test(what_no_conversion_changes_is_told_by_the_digest),
		cmocka_unit_test(two_that_nothing_decides_are_left_as_they_are),
		cmocka_unit_test(other_blocks_that_nothing_decides_are_told),
	};

	return ways_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
