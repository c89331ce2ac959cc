/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All names of an inode: several in one item, in several directories, by long references, and those that lead nowhere. */
#include "common/fs/inode-names.h"

#include <stdio.h>

#include "format/inode.h"
#include "tests/unit/fs-image.h"

#define A (FREE_INODE + 1)	/* directories */
#define B (FREE_INODE + 2)
#define LOST (FREE_INODE + 3)	/* without a name */
#define FILE_INODE (FREE_INODE + 9)

static char seen[1024];

static bool note(void *context, const uint8_t *path, size_t len, struct error *err)
{
	(void)context, (void)err;
	strcat(seen, "[");
	if (path)
		strncat(seen, (const char *)path, len);
	else
		strcat(seen, "?");
	strcat(seen, "]");
	return true;
}

static size_t add_ref(uint8_t *bytes, const char *name)
{
	const struct disk_inode_ref ref = { .name_len = to_le16(strlen(name)) };

	memcpy(bytes, &ref, sizeof(ref));
	memcpy(bytes + sizeof(ref), name, strlen(name));
	return sizeof(ref) + strlen(name);
}

static void add_name(uint64_t inode, uint64_t parent, const char *name)
{
	uint8_t bytes[300];

	insert(FS_TREE_ID, inode, KEY_INODE_REF, parent, bytes, add_ref(bytes, name));
}

static void add_long_name(uint64_t inode, uint64_t parent, const char *name)
{
	const struct disk_inode_extref ref = { .parent = to_le64(parent), .name_len = to_le16(strlen(name)) };
	uint8_t bytes[300];

	memcpy(bytes, &ref, sizeof(ref));
	memcpy(bytes + sizeof(ref), name, strlen(name));
	insert(FS_TREE_ID, inode, KEY_INODE_EXTREF, inode_extref_hash(parent, name, strlen(name)), bytes, sizeof(ref) + strlen(name));
}

static void names_are(uint64_t inode, const char *want, uint64_t n_want)
{
	uint64_t n = 77;

	seen[0] = '\0';
	ok(inode_names(&top, inode, note, NULL, &n, err));
	assert_string_equal(seen, want);
	assert_int_equal(n, n_want);
}

static void tells_every_name(void **state)
{
	uint8_t two[300];
	size_t len = add_ref(two, "x");

	(void)state;
	add_name(A, 256, "a");
	add_name(B, A, "b");
	len += add_ref(two + len, "y");
	insert(FS_TREE_ID, FILE_INODE, KEY_INODE_REF, A, two, len);
	add_name(FILE_INODE, B, "z");
	add_long_name(FILE_INODE, B, "long");
	names_are(FILE_INODE, "[a/x][a/y][a/b/z][a/b/long]", 4);
	names_are(A, "[a]", 1);
	names_are(256, "[]", 1);
	names_are(FREE_INODE + 50, "", 0);
}

static void a_directory_without_a_name(void **state)
{
	(void)state;
	add_name(FILE_INODE, 256, "known");
	add_name(FILE_INODE, LOST, "lost");
	names_are(FILE_INODE, "[known][?]", 2);
}

static void refuses_what_leads_astray(void **state)
{
	const struct disk_inode_ref ref = { .name_len = to_le16(200) };
	struct error err = { 0 };
	uint64_t n;

	(void)state;
	insert(FS_TREE_ID, FILE_INODE, KEY_INODE_REF, 256, &ref, sizeof(ref));
	assert_false(inode_names(&top, FILE_INODE, note, NULL, &n, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	err = (struct error){ 0 };
	add_name(A, B, "a");
	add_name(B, A, "b");
	add_name(FILE_INODE + 1, A, "x");
	assert_false(inode_names(&top, FILE_INODE + 1, note, NULL, &n, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_non_null(strstr(err.text, "the directories above it are a loop"));
}

static bool stop(void *context, const uint8_t *path, size_t len, struct error *err)
{
	(void)context, (void)path, (void)len;
	return error_set(err, ERROR_STOPPED, "stopped");
}

static void ends_where_the_visitor_ends(void **state)
{
	struct error err = { 0 };
	uint64_t n;

	(void)state;
	add_name(FILE_INODE, 256, "x");
	assert_false(inode_names(&top, FILE_INODE, stop, NULL, &n, &err));
	assert_int_equal(err.kind, ERROR_STOPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fs_test(tells_every_name),
		fs_test(a_directory_without_a_name),
		fs_test(refuses_what_leads_astray),
		fs_test(ends_where_the_visitor_ends),
	};

	return cmocka_run_group_tests(tests, fs_image_make, fs_image_remove);
}
