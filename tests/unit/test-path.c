/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths: names of one hash, nested subvolumes, loops of directories, and paths without an end. */
#include "common/fs/inode-names.h"
#include "common/fs/path.h"

#include <stdio.h>

#include "tests/unit/fs-image.h"

static void add_name(uint64_t inode, uint64_t parent, const char *name)
{
	const struct disk_inode_ref ref = { .name_len = to_le16(strlen(name)) };
	uint8_t bytes[300];

	memcpy(bytes, &ref, sizeof(ref));
	memcpy(bytes + sizeof(ref), name, strlen(name));
	insert(FS_TREE_ID, inode, KEY_INODE_REF, parent, bytes, sizeof(ref) + strlen(name));
}

static void not_found(const char *path, enum error_kind kind, const char *text)
{
	struct error err = { 0 };
	struct file_id found;

	assert_false(path_find(volume, FS_TREE_ID, path, &found, &err));
	assert_string_equal(err.text, text);
	assert_int_equal(err.kind, kind);
}

static void walks_down_and_up(void **state)
{
	char directory[256], path[300];
	struct file_id found;
	uint64_t dirid;
	char *name;

	(void)state;
	dirid = some_directory(directory);
	snprintf(path, sizeof(path), "//./%s/./", directory);
	ok(path_find(volume, FS_TREE_ID, path, &found, err));
	assert_int_equal(found.inode, dirid);
	ok(inode_path(&top, dirid, &name, err));
	assert_string_equal(name, directory);
	free(name);
	ok(inode_path(&top, 256, &name, err));
	assert_string_equal(name, "");
	free(name);
	ok(inode_path(&top, FREE_INODE, &name, err));
	assert_string_equal(name, "inode 100000 (no name)");
	free(name);
	not_found("no\nwhere", ERROR_NOT_FOUND, "\"no\\x0awhere\" not found");
	not_found("../x", ERROR_USAGE, "\"..\" in a path is not supported");
}

/* Two names with one hash, in one item. */
static void tells_names_of_one_hash_apart(void **state)
{
	uint8_t bytes[300];
	size_t len = entry_bytes(bytes, 1000, KEY_INODE_ITEM, FT_REG_FILE, "first");
	struct file_id found;

	(void)state;
	len += entry_bytes(bytes + len, 1001, KEY_INODE_ITEM, FT_SYMLINK, "second");
	insert(FS_TREE_ID, 256, KEY_DIR_ITEM, dir_entry_name_hash("second", 6), bytes, len);
	ok(path_find(volume, FS_TREE_ID, "second", &found, err));
	assert_int_equal(found.inode, 1001);
	not_found("second/x", ERROR_NOT_FOUND, "\"second\" is a symbolic link, which is not followed");
	not_found("first", ERROR_NOT_FOUND, "\"first\" not found");
}

static void crosses_into_nested_subvolumes(void **state)
{
	struct file_id found;
	uint8_t bytes[300];

	(void)state;
	add_root(256, 0, 1, 1);
	hang(256, FS_TREE_ID, 256, "here");
	insert(FS_TREE_ID, 256, KEY_DIR_ITEM, dir_entry_name_hash("here", 4), bytes,
	       entry_bytes(bytes, 256, KEY_ROOT_ITEM, FT_DIR, "here"));
	insert(FS_TREE_ID, 256, KEY_DIR_ITEM, dir_entry_name_hash("elsewhere", 9), bytes,
	       entry_bytes(bytes, 256, KEY_ROOT_ITEM, FT_DIR, "elsewhere"));
	insert(FS_TREE_ID, 256, KEY_DIR_ITEM, dir_entry_name_hash("bad", 3), bytes,
	       entry_bytes(bytes, 256, KEY_EXTENT_DATA, FT_DIR, "bad"));
	ok(path_find(volume, FS_TREE_ID, "here", &found, err));
	assert_int_equal(found.subvolume, 256);
	assert_int_equal(found.inode, 256);
	/* The root tree says that it hangs somewhere else. */
	ok(path_find(volume, FS_TREE_ID, "elsewhere", &found, err));
	assert_int_equal(found.subvolume, FS_TREE_ID);
	assert_int_equal(found.inode, EMPTY_SUBVOLUME_INODE);
	not_found("elsewhere/x", ERROR_NOT_FOUND, "\"elsewhere/x\" not found: the snapshot holds no copy of the nested subvolume");
	not_found("bad", ERROR_CORRUPT, "tree 5 directory 256: an entry leads to key (256 EXTENT_DATA 0), not to an inode");
}

static void refuses_loops_of_directories(void **state)
{
	static const unsigned lengths[] = { 1, 2, 3, 7, 50 };

	(void)state;
	for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
		const uint64_t first = FREE_INODE + l * 1000;
		struct error err = { 0 };
		char text[100];
		char *path;

		for (unsigned i = 0; i < lengths[l]; i++)
			add_name(first + i, first + (i + 1) % lengths[l], "loop");
		add_name(first + 500, first, "tail");
		assert_false(inode_path(&top, first + 500, &path, &err));
		snprintf(text, sizeof(text), "tree 5 inode %llu: the directories above it are a loop", (unsigned long long)first + 500);
		assert_string_equal(err.text, text);
	}
}

static void refuses_endless_paths(void **state)
{
	struct error error = { 0 };
	char name[256];
	char *path;

	(void)state;
	memset(name, 'n', 255);
	name[255] = '\0';
	for (unsigned i = 0; i < 300; i++)
		add_name(FREE_INODE + i, i ? FREE_INODE + i - 1 : 256, name);
	/* 256 components of 255 bytes with 255 slashes between them are one byte less than the most. */
	ok(inode_path(&top, FREE_INODE + 255, &path, err));
	assert_int_equal(strlen(path), 65535);
	free(path);
	assert_false(inode_path(&top, FREE_INODE + 256, &path, &error));
	assert_string_equal(error.text, "tree 5 inode 100256: its path is longer than 65536 bytes");
	assert_int_equal(error.kind, ERROR_REFUSED);	/* a limit, not damage */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fs_test(walks_down_and_up),
		fs_test(tells_names_of_one_hash_apart),
		fs_test(crosses_into_nested_subvolumes),
		fs_test(refuses_loops_of_directories),
		fs_test(refuses_endless_paths),
	};

	return cmocka_run_group_tests(tests, fs_image_make, fs_image_remove);
}
