/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two subvolumes side by side: what is in one only, changed, another under the same number, or damaged. */
#include "common/fs/inode-compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "format/inode.h"
#include "tests/unit/fs-image.h"

#define OTHER 300u	/* the same tree, but for what its overlay says */
#define NEW_INODE (UINT64_C(1) << 40)	/* behind all that mkfs numbers as the source has them */

static struct tree other;
static struct overlay *overlay;
static char seen[4096];
static uint64_t n_equal, last;

static bool note(void *context, uint64_t number, const struct inode *a, const struct inode *b, struct error *err)
{
	char text[64];

	(void)context, (void)err;
	assert_true(number >= last && (a || b));
	last = number;
	if (a && b && a->size == b->size) {
		n_equal++;
		return true;
	}
	snprintf(text, sizeof(text), "%s%" PRIu64 "%s ", a ? "<" : "", number, b ? ">" : "");
	strcat(seen, text);
	return true;
}

static bool compare(struct error *err)
{
	seen[0] = '\0';
	n_equal = last = 0;
	return inode_compare(&top, &other, note, NULL, err);
}

static void open_other(void)
{
	add_root(OTHER, 0, 1, 7);
	ok(tree_open(volume, OTHER, &other, err));
	ok(overlay_make(volume, OTHER, &overlay, err));
}

static void put(uint64_t number, uint64_t generation, uint64_t size)
{
	const struct disk_inode_item item = { .generation = to_le64(generation), .size = to_le64(size), .mode = to_le32(S_IFREG), .nlink = to_le32(1) };
	const struct cursor bytes = { (const uint8_t *)&item, sizeof(item), 0 };

	ok(overlay_put(overlay, &(struct key){ number, KEY_INODE_ITEM, 0 }, &bytes, err));
}

/* The numbers of the first regular files, and the generation of the last of them. */
static uint64_t files(uint64_t number[3])
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	uint64_t generation = 0;
	struct inode inode;
	size_t n = 0;

	ok(tree_seek(&top, &(struct key){ 257, 0, 0 }, &iter, err));
	while (n < 3 && iter.valid) {
		if (iter.key.type == KEY_INODE_ITEM) {
			ok(inode_read(&iter.item, &inode, err));
			if (S_ISREG(inode.mode))
				number[n++] = iter.key.objectid;
			generation = inode.generation;
		}
		ok(tree_next(&iter, err));
	}
	assert_int_equal(n, 3);
	return generation;
}

static void tells_what_differs(void **state)
{
	uint64_t number[3], generation, n_all;
	char want[256];

	(void)state;
	open_other();
	generation = files(number);
	ok(compare(err));
	assert_string_equal(seen, "");
	n_all = n_equal;
	assert_true(n_all > 30);
	put(number[0], generation, 123456);	/* changed */
	ok(overlay_remove(overlay, &(struct key){ number[1], KEY_INODE_ITEM, 0 }, err));	/* other items of it stay */
	put(number[2], generation + 5, 1);	/* another one */
	put(NEW_INODE, 9, 9);
	ok(compare(err));
	snprintf(want, sizeof(want), "<%" PRIu64 "> <%" PRIu64 " <%" PRIu64 " %" PRIu64 "> %" PRIu64 "> ", number[0], number[1], number[2], number[2], NEW_INODE);
	assert_string_equal(seen, want);
	assert_int_equal(n_equal, n_all - 3);
}

static void names_what_is_damaged(void **state)
{
	const struct cursor bytes = { (const uint8_t *)"short", 5, 0x1000 };
	struct error what = { 0 };

	(void)state;
	open_other();
	ok(overlay_put(overlay, &(struct key){ NEW_INODE, KEY_INODE_ITEM, 0 }, &bytes, err));
	assert_false(compare(&what));
	assert_int_equal(what.kind, ERROR_CORRUPT);
	assert_non_null(strstr(what.text, "tree 300 inode 1099511627776: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fs_test(tells_what_differs),
		fs_test(names_what_is_damaged),
	};

	return cmocka_run_group_tests(tests, fs_image_make, fs_image_remove);
}
