/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Subvolumes: where they hang, those that hang in nothing, loops, and the names people give them. */
#include "common/fs/subvolume.h"

#include <stdio.h>

#include "tests/unit/fs-image.h"

static void has_path(const struct subvolume_list *list, uint64_t id, uint64_t parent, const char *path)
{
	const struct subvolume *at = subvolume_by_id(list, id);

	assert_non_null(at);
	assert_int_equal(at->parent_id, parent);
	assert_string_equal((const char *)at->path, path);
	assert_int_equal(at->path_len, strlen(path));
}

static void refuses(const char *text)
{
	struct subvolume_list list;
	struct error err = { 0 };

	assert_false(subvolume_list_read(volume, &list, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_string_equal(err.text, text);
	assert_int_equal(list.n, 0);
}

static void lists_the_top_level(void **state)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };

	(void)state;
	ok(subvolume_list_read(volume, &list, err));
	assert_int_equal(list.n, 1);
	assert_int_equal(list.default_id, FS_TREE_ID);
	has_path(&list, FS_TREE_ID, 0, "");
}

static void makes_paths_from_the_top(void **state)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	char directory[256], path[400];
	uint64_t dirid;

	(void)state;
	dirid = some_directory(directory);
	/* The lowest id hangs in the highest. */
	for (uint64_t id = 256; id <= 258; id++)
		add_root(id, 0, 1, id);
	hang(256, 257, dirid, "a b");
	hang(257, 258, 256, "middle");
	hang(258, FS_TREE_ID, 256, "top");
	ok(subvolume_list_read(volume, &list, err));
	assert_int_equal(list.n, 4);
	has_path(&list, 258, FS_TREE_ID, "top");
	has_path(&list, 257, 258, "top/middle");
	snprintf(path, sizeof(path), "top/middle/%s/a b", directory);
	has_path(&list, 256, 257, path);
}

static void the_last_item_of_an_id_counts(void **state)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };

	(void)state;
	add_root(256, 5, 1, 1);
	add_root(256, 9, 1, 2);
	hang(256, FS_TREE_ID, 256, "x");
	ok(subvolume_list_read(volume, &list, err));
	assert_int_equal(list.n, 2);
	assert_int_equal(list.at[1].root_key.offset, 9);
	assert_int_equal(list.at[1].root.uuid[0], 2);
	has_path(&list, 256, FS_TREE_ID, "x");
}

static void what_hangs_in_nothing_has_no_path(void **state)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };

	(void)state;
	add_root(256, 0, 0, 1);		/* deleted */
	add_root(257, 0, 1, 2);		/* inside it */
	add_root(258, 0, 1, 3);		/* in one that does not exist */
	add_root(259, 0, 1, 4);		/* in none */
	hang(257, 256, 256, "x");
	hang(258, 300, 256, "y");
	ok(subvolume_list_read(volume, &list, err));
	for (uint64_t id = 256; id <= 259; id++)
		has_path(&list, id, 0, "");
	assert_true(subvolume_by_id(&list, 256)->deleted);
	assert_false(subvolume_by_id(&list, 257)->deleted);
	assert_null(subvolume_by_id(&list, 300));
}

static void refuses_loops_of_subvolumes(void **state)
{
	(void)state;
	for (uint64_t id = 256; id <= 258; id++)
		add_root(id, 0, 1, id);
	hang(256, 257, 256, "a");
	hang(257, 258, 256, "b");
	hang(258, 257, 256, "c");
	refuses("subvolume 257: the subvolumes above it are a loop");
}

static void refuses_a_subvolume_in_itself(void **state)
{
	(void)state;
	add_root(256, 0, 1, 1);
	hang(256, 256, 256, "a");
	refuses("subvolume 256: the subvolumes above it are a loop");
}

static void refuses_a_directory_without_a_name(void **state)
{
	(void)state;
	add_root(256, 0, 1, 1);
	hang(256, FS_TREE_ID, FREE_INODE, "a");
	refuses("subvolume 256: its directory 100000 in tree 5 has no name");
}

static void finds_by_every_name(void **state)
{
	static const char *const names[] = {
		"one", "/one", "one/", "<FS_TREE>/one", "id:256", "uuid:11111111-1111-1111-1111-111111111111",
	};
	static const struct { const char *name; enum error_kind kind; } wrong[] = {
		{ "on", ERROR_NOT_FOUND }, { "onee", ERROR_NOT_FOUND }, { "one/two/three", ERROR_NOT_FOUND },
		{ "", ERROR_USAGE }, { "id:257", ERROR_NOT_FOUND }, { "id:", ERROR_USAGE }, { "id:256x", ERROR_USAGE }, { "id:-1", ERROR_USAGE },
		{ "uuid:1", ERROR_USAGE }, { "uuid:00000000-0000-0000-0000-000000000000", ERROR_NOT_FOUND },
	};
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	const struct subvolume *found;
	char directory[256];

	(void)state;
	some_directory(directory);
	add_root(256, 0, 1, 0x11);
	add_root(300, 0, 1, 0x22);
	hang(256, FS_TREE_ID, 256, "one");
	hang(300, FS_TREE_ID, 256, "new\nline\\");
	ok(subvolume_list_read(volume, &list, err));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ok(subvolume_find(&list, names[i], &found, err));
		assert_int_equal(found->id, 256);
	}
	ok(subvolume_find(&list, "/", &found, err));
	assert_int_equal(found->id, FS_TREE_ID);
	ok(subvolume_find(&list, "new\nline\\", &found, err));
	assert_int_equal(found->id, 300);
	ok(subvolume_find(&list, "new\\x0aline\\\\", &found, err));
	assert_int_equal(found->id, 300);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct error err = { 0 };

		if (subvolume_find(&list, wrong[i].name, &found, &err) || err.kind != wrong[i].kind)
			fail_msg("%s: %d %s", wrong[i].name, err.kind, err.text);
		assert_null(strstr(err.hint, "file or directory"));
	}

	struct error err = { 0 };

	assert_false(subvolume_find(&list, directory, &found, &err));
	assert_string_equal(err.hint, "it is a file or directory in the subvolume / (id 5), not a subvolume itself");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fs_test(lists_the_top_level),
		fs_test(makes_paths_from_the_top),
		fs_test(the_last_item_of_an_id_counts),
		fs_test(what_hangs_in_nothing_has_no_path),
		fs_test(refuses_loops_of_subvolumes),
		fs_test(refuses_a_subvolume_in_itself),
		fs_test(refuses_a_directory_without_a_name),
		fs_test(finds_by_every_name),
	};

	return cmocka_run_group_tests(tests, fs_image_make, fs_image_remove);
}
