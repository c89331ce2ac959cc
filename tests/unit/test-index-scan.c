/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the index: those that the blocks of a tree give, edge by edge, are those that each inode gives by itself. */
#include "common/sealed/index-scan.h"

#include <stdio.h>

#include "tests/unit/fs-image.h"
#include "tests/unit/no-units.h"

#define OVER_LEAVES 300		/* items of one inode, on several leaves of 4096 bytes, with others before and behind */
#define FOUND_MAX 4096

static struct key_schedule *schedule;
static struct canonical canonical;

static int open_all(void **state)
{
	static const struct unit_finder nothing = { no_extent, no_payload, NULL };
	static const uint8_t uuid[CRYPT_UUID_SIZE] = { 1 };
	struct secret *key = NULL;

	fs_image_open(state);
	ok(secret_init(err));
	ok(secret_random(CRYPT_KEY_SIZE, &key, err));
	ok(key_schedule_new(key, uuid, &schedule, err));
	secret_free(key);

	const struct canonical_input input = { .kind = DIGEST_SEALED, .volume = volume, .schedule = schedule, .finder = &nothing };

	ok(canonical_open(&input, &canonical, err));
	return 0;
}

static int close_all(void **state)
{
	canonical_close(&canonical);
	key_schedule_free(schedule);
	return fs_image_close(state);
}

#define index_test(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)

struct gathered {
	struct index_found found[FOUND_MAX];
	size_t n;
};

static bool gather(void *context, const struct index_found *found, struct error *err)
{
	struct gathered *gathered = context;

	(void)err;
	if (gathered->n > 0) {
		const struct index_found *last = &gathered->found[gathered->n - 1];

		assert_true(last->entry.inode < found->entry.inode || memcmp(last->entry.mac, found->entry.mac, sizeof(found->entry.mac)) < 0);
		assert_true(last->entry.inode <= found->entry.inode);
	}
	assert_true(gathered->n < FOUND_MAX);
	gathered->found[gathered->n++] = *found;
	return true;
}

static void gather_all(const uint64_t *ids, size_t n_ids, size_t pass_bytes, struct gathered *gathered)
{
	struct scan *scan = NULL;

	gathered->n = 0;
	ok(scan_run(volume, ids, n_ids, &scan, err));
	ok(index_scan_visit(scan, &canonical, pass_bytes, gather, gathered, err));
	scan_free(scan);
}

static bool has(const struct gathered *gathered, const struct crypt_index_entry *entry)
{
	for (size_t i = 0; i < gathered->n; i++) {
		if (gathered->found[i].entry.inode == entry->inode &&
		    memcmp(gathered->found[i].entry.mac, entry->mac, sizeof(entry->mac)) == 0)
			return true;
	}
	return false;
}

/* Every inode of the tree by itself: all its entries are there.  Returns how many those are. */
static size_t each_alone(const struct tree *tree, const struct gathered *gathered)
{
	struct orphan_memory orphans = { 0 };
	const struct inode_versions from = { &canonical, &orphans, tree, NULL };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	size_t n = 0;

	ok(tree_seek(tree, &(struct key){ 0, 0, 0 }, &iter, err));
	while (iter.valid) {
		const uint64_t inode = iter.key.objectid;
		enum inode_entry_kind kinds[INODE_ENTRIES_MAX];
		struct inode_version version;

		ok(inode_version_read(&from, inode, INODE_PARTS_ALL, &version, err));
		for (unsigned i = 0, n_kinds = inode_version_items(&version) ? inode_entry_kinds(&version, kinds) : 0; i < n_kinds; i++, n++) {
			struct crypt_index_entry entry;

			ok(inode_version_entry(&canonical, &version, kinds[i], &entry, err));
			assert_true(has(gathered, &entry));
		}
		while (iter.valid && iter.key.objectid == inode)
			ok(tree_next(&iter, err));
	}
	return n;
}

static void insert_inode(uint64_t number, uint32_t mode, uint32_t n_links)
{
	const struct disk_inode_item item = { .mode = to_le32(mode), .nlink = to_le32(n_links), .generation = to_le64(number) };

	insert(FS_TREE_ID, number, KEY_INODE_ITEM, 0, &item, sizeof(item));
}

/* With an inode on each edge: one that ends a leaf, one over several leaves, one that nothing follows. */
static void edges_are_put_together(void **state)
{
	static const uint64_t top_level[] = { FS_TREE_ID };
	static struct gathered all, pieces;
	struct scan *scan = NULL;
	size_t n_leaves;

	(void)state;
	for (unsigned i = 0; i < OVER_LEAVES; i++) {
		const uint8_t attribute[60] = { (uint8_t)i, (uint8_t)(i >> 8) };

		if (i % 30 == 0)
			insert_inode(FREE_INODE + i, i % 60 ? 0100644 : 040755, 1);
		insert(FS_TREE_ID, FREE_INODE + OVER_LEAVES / 2, KEY_XATTR_ITEM, i, attribute, sizeof(attribute));
		insert(FS_TREE_ID, FREE_INODE + 2 * OVER_LEAVES, KEY_DIR_INDEX, i, attribute, sizeof(attribute));
	}
	insert_inode(FREE_INODE + 2 * OVER_LEAVES, 040755, 1);
	ok(scan_run(volume, top_level, 1, &scan, err));
	n_leaves = scan->n_leaves;
	scan_free(scan);
	assert_true(n_leaves > 12);

	gather_all(top_level, 1, INDEX_PASS_BYTES, &all);
	assert_int_equal(each_alone(&top, &all), all.n);
	/* One leaf at a time gives the same. */
	gather_all(top_level, 1, 1, &pieces);
	assert_int_equal(pieces.n, all.n);
	for (size_t i = 0; i < all.n; i++)
		assert_memory_equal(&pieces.found[i].entry, &all.found[i].entry, sizeof(all.found[i].entry));
}

/* Two subvolumes with one tree give each entry once. */
static void what_is_shared_stands_once(void **state)
{
	static const uint64_t both[] = { FS_TREE_ID, 300 };
	static struct gathered one, two;

	(void)state;
	add_root(300, 0, 1, 0x33);
	gather_all(both, 1, INDEX_PASS_BYTES, &one);
	gather_all(both, 2, INDEX_PASS_BYTES, &two);
	assert_true(one.n > 30);
	assert_int_equal(one.n, two.n);
	for (size_t i = 0; i < one.n; i++)
		assert_memory_equal(&one.found[i].entry, &two.found[i].entry, sizeof(one.found[i].entry));
}

/* Without a link and with an orphan item nothing of it counts; with a link all but its fs-verity items does. */
static void what_a_mount_deletes_is_left_out(void **state)
{
	static const uint64_t top_level[] = { FS_TREE_ID };
	static struct gathered before, after;
	const uint8_t bytes[8] = { 1 };

	(void)state;
	insert_inode(FREE_INODE, 0100644, 1);
	gather_all(top_level, 1, INDEX_PASS_BYTES, &before);
	insert_inode(FREE_INODE + 1, 0100644, 0);
	insert(FS_TREE_ID, FREE_INODE, KEY_VERITY_DESC, 0, bytes, sizeof(bytes));
	insert(FS_TREE_ID, ORPHAN_ID, KEY_ORPHAN_ITEM, FREE_INODE, NULL, 0);
	insert(FS_TREE_ID, ORPHAN_ID, KEY_ORPHAN_ITEM, FREE_INODE + 1, NULL, 0);
	gather_all(top_level, 1, INDEX_PASS_BYTES, &after);
	assert_int_equal(before.n, after.n);
	for (size_t i = 0; i < before.n; i++)
		assert_memory_equal(&before.found[i].entry, &after.found[i].entry, sizeof(before.found[i].entry));
	assert_int_equal(each_alone(&top, &after), after.n);
	/* Without an orphan item nothing is left out, whatever the count. */
	insert_inode(FREE_INODE + 2, 0100644, 0);
	gather_all(top_level, 1, INDEX_PASS_BYTES, &after);
	assert_int_equal(after.n, before.n + 1);
}

/* The room that is planned for is never too small. */
static void the_most_is_no_less(void **state)
{
	static const uint64_t top_level[] = { FS_TREE_ID };
	static struct gathered all;
	struct scan *scan = NULL;
	uint64_t most = 0;

	(void)state;
	gather_all(top_level, 1, INDEX_PASS_BYTES, &all);
	ok(scan_run(volume, top_level, 1, &scan, err));
	for (size_t i = 0; i < scan->n_blocks; i++) {
		struct block *block = NULL;

		ok(block_get(volume, scan->block[i].logical, NULL, &block, err));
		if (scan->block[i].level == 0)
			most += index_entries_most(&block->node);
		block_put(block);
	}
	assert_true(most >= all.n);
	assert_true(most <= all.n + INODE_ENTRIES_MAX * scan->n_leaves);
	scan_free(scan);
}

/* Parts read alone give the entries that the whole gives. */
static void parts_of_a_directory(void **state)
{
	static const struct { enum inode_entry_kind kind; unsigned parts; } row[] = {
		{ INODE_ENTRY_NAMES, INODE_PART_NAMES }, { INODE_ENTRY_DIRECTORY, INODE_PART_REST }, { INODE_ENTRY_LISTING, INODE_PART_LISTING },
	};
	struct orphan_memory orphans = { 0 };
	const struct inode_versions from = { &canonical, &orphans, &top, NULL };
	struct inode_version whole;
	char name[256];
	const uint64_t inode = some_directory(name);
	uint64_t n_parts = 0;

	(void)state;
	ok(inode_version_read(&from, inode, INODE_PARTS_ALL, &whole, err));
	assert_true(whole.is_directory);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct crypt_index_entry want, have;
		struct inode_version part;

		ok(inode_version_read(&from, inode, row[i].parts, &part, err));
		ok(inode_version_entry(&canonical, &whole, row[i].kind, &want, err));
		ok(inode_version_entry(&canonical, &part, row[i].kind, &have, err));
		assert_memory_equal(want.mac, have.mac, sizeof(want.mac));
		n_parts += inode_version_items(&part);
	}
	assert_int_equal(n_parts, inode_version_items(&whole));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		index_test(edges_are_put_together),
		index_test(what_is_shared_stands_once),
		index_test(what_a_mount_deletes_is_left_out),
		index_test(the_most_is_no_less),
		index_test(parts_of_a_directory),
	};

	return cmocka_run_group_tests(tests, fs_image_make, fs_image_remove);
}
