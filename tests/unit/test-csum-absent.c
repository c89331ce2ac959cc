/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items that refer to parts of one extent, every second sector of which has no checksum: each is asked for its own part. */
#include "common/sealed/csum-absent.h"

#include <sys/stat.h>

#include "common/fs/csum-lookup.h"
#include "tests/unit/fs-image.h"

#define LOGICAL (1ull << 40)
#define SECTOR 4096u
#define N_ITEMS 200u
#define STEP 4u			/* sectors from item to item; each refers to two of them */
#define N_SECTORS (N_ITEMS * STEP)

/* --- in the place of the csum tree, which has none of odd sectors ------------------------------------------------------------- */

static size_t n_looked_at;	/* sectors */

bool csum_lookup_in(const struct tree *tree, uint64_t logical, uint64_t len, csum_visit *visit, void *context, struct error *err)
{
	static const uint8_t csum[32];

	(void)tree;
	for (uint64_t at = logical; at < logical + len; at += SECTOR) {
		n_looked_at++;
		if (at / SECTOR % 2 == 0 && !visit(context, at, 1, csum, err))
			return false;
	}
	return true;
}

bool csum_lookup(struct volume *of, uint64_t logical, uint64_t len, csum_visit *visit, void *context, struct error *err)
{
	(void)of;
	return csum_lookup_in(NULL, logical, len, visit, context, err);
}

/* --- the file ----------------------------------------------------------------------------------------------------------------- */

static void insert_item(uint64_t file_offset, uint64_t disk_bytenr, uint64_t disk_num_bytes, uint64_t offset, uint64_t num_bytes, uint8_t compression)
{
	const struct disk_file_extent item = {
		.ram_bytes = to_le64(compression ? 32 * SECTOR : disk_num_bytes), .compression = compression, .type = FILE_EXTENT_REG,
		.disk_bytenr = to_le64(disk_bytenr), .disk_num_bytes = to_le64(disk_num_bytes), .offset = to_le64(offset), .num_bytes = to_le64(num_bytes),
	};

	insert(FS_TREE_ID, FREE_INODE, KEY_EXTENT_DATA, file_offset, &item, sizeof(item));
}

struct told {
	size_t n;
	struct extent_part part[N_ITEMS + 4];
	uint64_t logical[N_ITEMS + 4];
};

static bool tell(void *context, const struct tree *subvolume, uint64_t inode, const struct extent_part *part, uint64_t logical, struct error *err)
{
	struct told *told = context;

	(void)err;
	assert_int_equal(subvolume->id, FS_TREE_ID);
	assert_int_equal(inode, FREE_INODE);
	assert_true(told->n < ARRAY_SIZE(told->part));
	told->part[told->n] = *part;
	told->logical[told->n++] = logical;
	return true;
}

/* The leaves of the top level, as edited, and two extents. */
static void look(struct scan_extent *extents, size_t n_extents, struct told *told)
{
	static struct scan_block blocks[1000];
	struct scan scan = { .volume = volume, .tree = &top, .n_members = 1, .block = blocks, .extent = extents, .n_extents = n_extents };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	*told = (struct told){ 0 };
	ok(tree_seek(&top, &(struct key){ 0 }, &iter, err));
	while (iter.valid) {
		if (scan.n_blocks == 0 || blocks[scan.n_blocks - 1].logical != iter.path[0]->logical) {
			assert_true(scan.n_blocks < ARRAY_SIZE(blocks));
			blocks[scan.n_blocks++] = (struct scan_block){ .logical = iter.path[0]->logical };
		}
		ok(tree_next(&iter, err));
	}
	n_looked_at = 0;
	ok(csum_absent(&scan, false, tell, told, err));
}

static void an_item_is_asked_for_its_own_part(void **state)
{
	const struct disk_inode_item inode = { .nlink = to_le32(1), .mode = to_le32(S_IFREG | 0644) };
	struct scan_extent extents[] = { { .logical = LOGICAL, .length = N_SECTORS * SECTOR }, { .logical = 2 * LOGICAL, .length = 4 * SECTOR } };
	struct told told;

	(void)state;
	insert(FS_TREE_ID, FREE_INODE, KEY_INODE_ITEM, 0, &inode, sizeof(inode));
	for (uint64_t i = 0; i < N_ITEMS; i++)
		insert_item(i * 2 * STEP * SECTOR, LOGICAL, N_SECTORS * SECTOR, i * STEP * SECTOR, 2 * SECTOR, COMPRESS_NONE);
	/* Of a compressed one all is needed for any part. */
	insert_item(N_ITEMS * 2 * STEP * SECTOR, 2 * LOGICAL, 4 * SECTOR, 8 * SECTOR, SECTOR, COMPRESS_ZLIB);
	look(extents, ARRAY_SIZE(extents), &told);
	assert_int_equal(told.n, N_ITEMS + 1);
	for (uint64_t i = 0; i < N_ITEMS; i++) {
		assert_int_equal(told.part[i].first, (i * 2 * STEP + 1) * SECTOR);
		assert_int_equal(told.part[i].last, (i * 2 * STEP + 2) * SECTOR - 1);
		assert_int_equal(told.logical[i], LOGICAL + (i * STEP + 1) * SECTOR);
	}
	assert_int_equal(told.part[N_ITEMS].first, N_ITEMS * 2 * STEP * SECTOR);
	assert_int_equal(told.part[N_ITEMS].last, N_ITEMS * 2 * STEP * SECTOR + SECTOR - 1);
	/* Each extent once as a whole, then two sectors for each item, and the compressed one again. */
	assert_int_equal(n_looked_at, N_SECTORS + 4 + N_ITEMS * 2 + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fs_test(an_item_is_asked_for_its_own_part),
	};

	return cmocka_run_group_tests(tests, fs_image_make, fs_image_remove);
}
