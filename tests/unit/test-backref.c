/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who refers to an extent: by references in the extent item and beside it, of one tree and of two that share it, of trees that are gone; with what a
 * log tree has instead; and the same without the extent tree.
 */
#include "common/fs/backref.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/fs/owner-scan.h"
#include "format/extent-item.h"
#include "tests/unit/fs-image.h"

#define INODE (UINT64_C(1) << 40)	/* behind all of the image */
#define LENGTH 65536u
#define SECOND 300u	/* a snapshot: it shares the tree of the top level */

static uint64_t data;	/* the address of an extent that the tests add */
static char seen[1024];

static bool note(void *context, const struct backref_file *file, struct error *err)
{
	char text[80];

	(void)context, (void)err;
	snprintf(text, sizeof(text), "%" PRIu64 ":+%" PRIu64 "@%" PRIu64 " ", file->root, file->inode - INODE, file->offset);
	strcat(seen, text);
	return true;
}

/* Behind what is allocated of a data group. */
static void choose_place(void)
{
	for (size_t i = 0; i < volume->n_chunks; i++) {
		if (volume->chunks[i].type & GROUP_DATA)
			data = volume->chunks[i].logical + volume->chunks[i].length - (1u << 20);
	}
	assert_true(data != 0);
}

static struct disk_file_extent item_of(uint64_t from, uint64_t len)
{
	return (struct disk_file_extent){
		.ram_bytes = to_le64(LENGTH), .type = FILE_EXTENT_REG, .disk_bytenr = to_le64(data), .disk_num_bytes = to_le64(LENGTH),
		.offset = to_le64(from), .num_bytes = to_le64(len),
	};
}

/* Blocks that an edit has made are in the extent tree only when a transaction is settled. */
static void account_leaf(const struct key *key)
{
	const struct disk_extent_item item = { to_le64(1), to_le64(top.generation), to_le64(EXTENT_FLAG_TREE_BLOCK) };
	const struct disk_extent_inline_ref ref = { KEY_TREE_BLOCK_REF, to_le64(FS_TREE_ID) };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	uint8_t bytes[sizeof(item) + sizeof(ref)];
	struct backref_extent extent;
	struct error what = { 0 };
	uint64_t leaf;

	ok(tree_seek(&top, key, &iter, err));
	leaf = iter.path[0]->logical;
	tree_iter_close(&iter);
	memcpy(bytes, &item, sizeof(item));
	memcpy(bytes + sizeof(item), &ref, sizeof(ref));
	if (!backref_extent_at(volume, leaf, &extent, &what))
		insert(EXTENT_TREE_ID, leaf, KEY_METADATA_ITEM, 0, bytes, sizeof(bytes));
}

static void add_item(uint64_t inode, uint64_t file_offset, uint64_t from, uint64_t len)
{
	const struct disk_file_extent item = item_of(from, len);

	insert(FS_TREE_ID, inode, KEY_EXTENT_DATA, file_offset, &item, sizeof(item));
	account_leaf(&(struct key){ inode, KEY_EXTENT_DATA, file_offset });
}

static struct disk_extent_data_ref ref_of(uint64_t root, uint64_t inode, uint64_t offset, uint32_t count)
{
	return (struct disk_extent_data_ref){ to_le64(root), to_le64(inode), to_le64(offset), to_le32(count) };
}

/* The extent item, with one reference in it. */
static void add_extent(uint8_t type, const struct disk_extent_data_ref *ref)
{
	const struct disk_extent_item item = { to_le64(1), to_le64(5), to_le64(EXTENT_FLAG_DATA) };
	uint8_t bytes[sizeof(item) + 1 + sizeof(*ref)];
	size_t len = sizeof(item);

	memcpy(bytes, &item, sizeof(item));
	if (ref) {
		bytes[len++] = type;
		memcpy(bytes + len, ref, sizeof(*ref));
		len += sizeof(*ref);
	}
	insert(EXTENT_TREE_ID, data, KEY_EXTENT_ITEM, LENGTH, bytes, len);
}

static void add_ref_item(uint64_t hash, const struct disk_extent_data_ref *ref)
{
	insert(EXTENT_TREE_ID, data, KEY_EXTENT_DATA_REF, hash, ref, sizeof(*ref));
}

static void share_with_second(void)
{
	add_root(SECOND, 7, 1, 9);
	insert(EXTENT_TREE_ID, top.logical, KEY_TREE_BLOCK_REF, SECOND, NULL, 0);
}

static void files_are(uint64_t at, bool whole, const char *want, uint64_t want_stale)
{
	const struct backref_query query = { volume, data + at, whole, false, note, NULL };
	struct backref_extent extent;
	uint64_t n_stale = 0;

	seen[0] = '\0';
	ok(backref_extent_at(volume, data + at, &extent, err));
	assert_int_equal(extent.logical, data);
	assert_int_equal(extent.length, LENGTH);
	assert_true(extent.is_data);
	ok(backref_files(&query, &extent, &n_stale, err));
	assert_string_equal(seen, want);
	assert_int_equal(n_stale, want_stale);
}

static bool scan_extent(void *context, const struct backref_extent *extent, struct error *err)
{
	(void)context, (void)err;
	assert_int_equal(extent->logical, data);
	assert_int_equal(extent->length, LENGTH);
	return true;
}

static bool scan_tree(void *context, uint64_t root, struct error *err)
{
	(void)context, (void)root, (void)err;
	fail_msg("a tree block at a data address");
	return false;
}

static void scan_bad(void *context, const struct report *report)
{
	++*(unsigned *)context;
	assert_int_equal(report->kind, REPORT_DAMAGED);
}

/* context is for scan_bad() and, unused, for note(). */
static void scan_is(uint64_t at, bool whole, const char *want, unsigned want_bad)
{
	static const struct owner_visitor visitor = { scan_extent, note, scan_tree, scan_bad };
	unsigned n_bad = 0;

	seen[0] = '\0';
	ok(owner_scan(volume, data + at, whole, &visitor, &n_bad, err));
	assert_string_equal(seen, want);
	assert_int_equal(n_bad, want_bad);
}

static void both(uint64_t at, bool whole, const char *want)
{
	files_are(at, whole, want, 0);
	scan_is(at, whole, want, 0);
}

static void tells_the_byte_or_all(void **state)
{
	const struct disk_extent_data_ref first = ref_of(FS_TREE_ID, INODE, 0, 1), second = ref_of(FS_TREE_ID, INODE + 1, 4096, 1);

	(void)state;
	choose_place();
	add_item(INODE, 0, 0, 8192);
	add_item(INODE + 1, 8192 + 4096, 8192, 4096);
	add_extent(KEY_EXTENT_DATA_REF, &first);
	add_ref_item(1234, &second);
	both(0, false, "5:+0@0 ");
	both(4095, false, "5:+0@4095 ");
	both(8192, false, "5:+1@12288 ");
	both(LENGTH - 1, false, "");
	both(LENGTH - 1, true, "5:+0@0 5:+1@12288 ");
}

static void tells_every_tree_that_shares_it(void **state)
{
	const struct disk_extent_data_ref ref = ref_of(FS_TREE_ID, INODE, 0, 1);

	(void)state;
	choose_place();
	add_item(INODE, 0, 0, 4096);
	add_extent(KEY_EXTENT_DATA_REF, &ref);
	share_with_second();
	files_are(1, false, "5:+0@1 300:+0@1 ", 0);
	scan_is(1, false, "5:+0@1 300:+0@1 ", 0);
}

static void counts_what_leads_nowhere(void **state)
{
	const struct disk_extent_data_ref gone = ref_of(999, INODE, 0, 1), elsewhere = ref_of(FS_TREE_ID, INODE + 5, 0, 1);

	(void)state;
	choose_place();
	add_item(INODE, 0, 0, 4096);
	add_extent(KEY_EXTENT_DATA_REF, &gone);
	add_ref_item(77, &elsewhere);
	files_are(0, false, "", 2);
	scan_is(0, false, "5:+0@0 ", 0);	/* it does not ask the references */
}

/* Of the two trees that share the leaf one has something else in its overlay. */
static void tells_what_a_log_has_instead(void **state)
{
	const struct disk_extent_data_ref ref = ref_of(FS_TREE_ID, INODE, 0, 1);
	const struct disk_file_extent item = item_of(4096, 4096);
	const struct cursor bytes = { (const uint8_t *)&item, sizeof(item), 0 };
	struct backref_extent extent;
	struct overlay *overlay;
	bool found;

	(void)state;
	choose_place();
	add_item(INODE, 0, 0, 8192);
	add_extent(KEY_EXTENT_DATA_REF, &ref);
	share_with_second();
	ok(overlay_make(volume, FS_TREE_ID, &overlay, err));
	both(5000, false, "5:+0@5000 300:+0@5000 ");
	ok(overlay_remove(overlay, &(struct key){ INODE, KEY_EXTENT_DATA, 0 }, err));
	both(5000, false, "300:+0@5000 ");
	ok(overlay_put(overlay, &(struct key){ INODE, KEY_EXTENT_DATA, 0 }, &bytes, err));
	both(5000, false, "300:+0@5000 5:+0@904 ");
	both(0, false, "300:+0@0 ");
	ok(backref_logged_extent_at(volume, data + 1, &extent, &found, err));
	assert_true(found && extent.is_logged && extent.logical == data && extent.length == LENGTH);
	ok(backref_logged_extent_at(volume, data + LENGTH, &extent, &found, err));
	assert_false(found);
}

static void refuses_what_is_no_reference_to_data(void **state)
{
	const struct disk_extent_item item = { to_le64(1), to_le64(5), to_le64(EXTENT_FLAG_DATA) };
	struct backref_extent extent;
	struct error what = { 0 };
	uint64_t n_stale = 0;

	(void)state;
	choose_place();
	assert_false(backref_extent_at(volume, data, &extent, &what));
	assert_int_equal(what.kind, ERROR_NOT_FOUND);
	insert(EXTENT_TREE_ID, data, KEY_EXTENT_ITEM, LENGTH, &item, sizeof(item));
	insert(EXTENT_TREE_ID, data, KEY_TREE_BLOCK_REF, FS_TREE_ID, NULL, 0);
	ok(backref_extent_at(volume, data + LENGTH - 1, &extent, err));
	what = (struct error){ 0 };
	assert_false(backref_files(&(struct backref_query){ volume, extent.logical, true, false, note, NULL }, &extent, &n_stale, &what));
	assert_int_equal(what.kind, ERROR_CORRUPT);
	assert_non_null(strstr(what.text, "has a reference of type 176, of a tree block"));
}

static void looks_past_damage(void **state)
{
	struct disk_file_extent item = item_of(0, 4096);
	struct error what = { 0 };
	static const struct owner_visitor visitor = { scan_extent, note, scan_tree, scan_bad };
	unsigned n_bad = 0;

	(void)state;
	choose_place();
	item.type = 9;
	insert(FS_TREE_ID, INODE, KEY_EXTENT_DATA, 0, &item, sizeof(item));
	add_item(INODE + 1, 0, 0, 4096);
	scan_is(0, false, "5:+1@0 ", 1);
	assert_false(owner_scan(volume, data + 2 * LENGTH, false, &visitor, &n_bad, &what));
	assert_int_equal(what.kind, ERROR_NOT_FOUND);
}

/* Every block of the tree belongs to it; with a second root that has it, to both. */
static void tells_the_trees_of_blocks(void **state)
{
	struct root_ids roots = { 0 };
	struct backref_extent extent;
	uint64_t n_stale = 0;

	(void)state;
	assert_true(top.level > 0);
	ok(backref_extent_at(volume, top.logical + 5, &extent, err));
	assert_true(!extent.is_data && extent.logical == top.logical && extent.level == top.level);
	ok(backref_roots(volume, top.logical, &roots, &n_stale, err));
	assert_true(roots.n == 1 && roots.id[0] == FS_TREE_ID && n_stale == 0);
	free(roots.id);
	share_with_second();
	ok(backref_roots(volume, top.logical, &roots, &n_stale, err));
	assert_true(roots.n == 2 && roots.id[0] == FS_TREE_ID && roots.id[1] == SECOND && n_stale == 0);
	free(roots.id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fs_test(tells_the_byte_or_all),
		fs_test(tells_every_tree_that_shares_it),
		fs_test(counts_what_leads_nowhere),
		fs_test(tells_what_a_log_has_instead),
		fs_test(refuses_what_is_no_reference_to_data),
		fs_test(looks_past_damage),
		fs_test(tells_the_trees_of_blocks),
	};

	return cmocka_run_group_tests(tests, fs_image_make, fs_image_remove);
}
