/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where members were sealed: how often directories are looked up for it, however many member items there are. */
#include "common/sealed/member-places.h"

#include <stdio.h>

#include "common/fs/path.h"
#include "format/crypt.h"
#include "tests/unit/fs-image.h"

#define DEPTH 400u
#define N_MEMBERS 300u
#define DOMAIN 7u

static char deep[2 * DEPTH + 1];	/* "a/a/a", as many directories */

static void add_directory(uint64_t parent, uint64_t inode, const char *name)
{
	uint8_t bytes[300];

	insert(FS_TREE_ID, parent, KEY_DIR_ITEM, dir_entry_name_hash(name, strlen(name)), bytes, entry_bytes(bytes, inode, KEY_INODE_ITEM, FT_DIR, name));
}

static void add_deep(void)
{
	for (unsigned i = 0; i < DEPTH; i++) {
		add_directory(i ? FREE_INODE + i - 1 : 256, FREE_INODE + i, "a");
		memcpy(deep + 2 * i, "a/", 2);
	}
	deep[2 * DEPTH - 1] = '\0';
}

static void add_member(unsigned index, uint64_t id, const uint8_t *uuid, const char *path)
{
	struct crypt_member member = { .id = id, .path_len = (uint16_t)strlen(path) };
	const struct key key = crypt_key(DOMAIN, CRYPT_MEMBER, index);
	uint8_t bytes[CRYPT_MEMBER_MAX];

	memcpy(member.uuid, uuid, UUID_SIZE);
	memcpy(member.path, path, strlen(path));
	insert(ROOT_TREE_ID, key.objectid, key.type, key.offset, bytes, crypt_member_write(&member, bytes));
}

static void follows_what_paths_have_in_common_once(void **state)
{
	static const uint8_t none[UUID_SIZE] = { 1 };
	cleanup_subvolume_list struct subvolume_list before = { 0 }, list = { 0 };
	cleanup_member_places struct member_places places = { 0 };
	char path[CRYPT_PATH_MAX];

	(void)state;
	add_deep();
	ok(subvolume_list_read(volume, &before, err));
	add_member(0, FS_TREE_ID, before.at[0].root.uuid, "");
	/* By number they take turns between the two ends of the tree. */
	for (unsigned i = 0; i < N_MEMBERS; i++) {
		snprintf(path, sizeof(path), "%s%s/n%u", i % 2 ? "" : "b/", deep, i);
		add_member(i + 1, 1000 + i, none, path);
	}
	add_member(N_MEMBERS + 1, 9000, none, "../x");
	ok(subvolume_list_read(volume, &list, err));
	ok(member_places_read(&list, &places, err));
	assert_int_equal(places.n, N_MEMBERS + 2);
	assert_int_equal(places.lost.n, 0);
	/* Of "b", which is not there, each costs one. */
	assert_in_range(places.n_followed, DEPTH, DEPTH + 2 * N_MEMBERS);
}

static void same_as(struct path_memory *memory, const char *path)
{
	struct file_id want = { 0 }, have = { 0 };
	struct error first = { 0 };

	if (path_find(volume, FS_TREE_ID, path, &want, &first)) {
		ok(path_find_again(memory, volume, FS_TREE_ID, path, &have, err));
		assert_int_equal(have.subvolume, want.subvolume);
		assert_int_equal(have.inode, want.inode);
	} else {
		struct error other = { 0 };

		assert_false(path_find_again(memory, volume, FS_TREE_ID, path, &have, &other));
		assert_string_equal(other.text, first.text);
		assert_int_equal(other.kind, first.kind);
	}
}

static void finds_what_a_first_search_finds(void **state)
{
	static const char *const paths[] = {
		"", "a", "a/b", "a/bc", "a/b/c", "a/bc/c", "//a//b/", "a/./b", ".", "x", "x/y", "a/x", "a/b/x", "b", "a/b/c/d", "..", "a/..", "ab", "a/bcd",
	};
	struct path_memory memory = { 0 };

	(void)state;
	add_directory(256, FREE_INODE, "a");
	add_directory(FREE_INODE, FREE_INODE + 1, "b");
	add_directory(FREE_INODE, FREE_INODE + 2, "bc");
	add_directory(FREE_INODE + 1, FREE_INODE + 3, "c");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(paths); j++) {
			same_as(&memory, paths[i]);
			same_as(&memory, paths[j]);
		}
	}
	path_memory_free(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fs_test(follows_what_paths_have_in_common_once),
		fs_test(finds_what_a_first_search_finds),
	};

	return cmocka_run_group_tests(tests, fs_image_make, fs_image_remove);
}
