/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The walk: all of a directory, and what it says of loops, of names that cannot be, of inodes that are not there, of lost leaves. */
#include "common/fs/walk.h"

#include <stdio.h>
#include <sys/stat.h>

#include "common/volume/block.h"
#include "common/volume/mirror.h"
#include "tests/unit/fs-image.h"

struct seen {
	unsigned n_entries, n_files, n_directories, n_left, n_bad, n_later;
	char bad[8192];		/* "path: text" lines */
	char paths[65536];	/* one line each */
};

static bool note_entry(void *context, const struct walk_entry *entry, bool *descend, struct error *err)
{
	struct seen *seen = context;
	const size_t used = strlen(seen->paths);

	(void)err;
	assert_int_equal(strlen((const char *)entry->path), entry->path_len);
	assert_int_equal(*descend, S_ISDIR(entry->inode.mode) && !entry->is_stub);
	seen->n_entries++;
	seen->n_files += S_ISREG(entry->inode.mode);
	seen->n_directories += S_ISDIR(entry->inode.mode);
	seen->n_later += entry->is_later_link;
	snprintf(seen->paths + used, sizeof(seen->paths) - used, "%s\n", entry->path);
	return true;
}

static bool note_leave(void *context, const struct walk_entry *entry, struct error *err)
{
	struct seen *seen = context;

	(void)err;
	assert_true(S_ISDIR(entry->inode.mode));
	seen->n_left++;
	return true;
}

static void note_bad(void *context, const struct report *report)
{
	struct seen *seen = context;
	const size_t used = strlen(seen->bad);

	assert_int_equal(strlen((const char *)report->path), report->path_len);
	seen->n_bad++;
	snprintf(seen->bad + used, sizeof(seen->bad) - used, "%s: %s\n", report->path, report->text);
}

static const struct walk_visitor visitor = { .entry = note_entry, .leave = note_leave, .report = note_bad };

static struct seen *walk_top(void)
{
	struct seen *seen = calloc(1, sizeof(*seen));

	assert_non_null(seen);
	ok(walk(volume, &(struct file_id){ FS_TREE_ID, 256 }, &visitor, seen, err));
	assert_int_equal(seen->n_left, seen->n_directories);
	return seen;
}

static void add_entry(uint64_t dir, uint64_t index, uint64_t objectid, uint8_t key_type, uint8_t type, const char *name)
{
	uint8_t bytes[300];

	insert(FS_TREE_ID, dir, KEY_DIR_INDEX, index, bytes, entry_bytes(bytes, objectid, key_type, type, name));
}

static void has_line(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("no \"%s\" in\n%s", line, text);
}

static void visits_everything_once(void **state)
{
	struct seen *seen = walk_top();

	(void)state;
	assert_int_equal(seen->n_bad, 0);
	assert_true(seen->n_directories > 5 && seen->n_files > 20);
	assert_int_equal(seen->n_entries, seen->n_files + seen->n_directories);
	free(seen);
}

/* Back to the top, to itself, and from two directories to a third. */
static void enters_no_directory_twice(void **state)
{
	struct seen *whole = walk_top(), *seen;
	char directory[256], line[600];
	const uint64_t dirid = some_directory(directory);

	(void)state;
	add_entry(dirid, 1000, 256, KEY_INODE_ITEM, FT_DIR, "top");
	add_entry(dirid, 1001, dirid, KEY_INODE_ITEM, FT_DIR, "self");
	add_entry(256, 1000, dirid, KEY_INODE_ITEM, FT_DIR, "again");
	seen = walk_top();
	assert_int_equal(seen->n_entries, whole->n_entries);
	assert_int_equal(seen->n_bad, 3);
	snprintf(line, sizeof(line), "%s/top: tree 5: directory 256 appears a second time\n", directory);
	has_line(seen->bad, line);
	snprintf(line, sizeof(line), "again: tree 5: directory %u appears a second time\n", (unsigned)dirid);
	has_line(seen->bad, line);
	free(whole);
	free(seen);
}

/* A subvolume whose tree is that of the top level, and so holds itself. */
static void enters_no_subvolume_twice(void **state)
{
	struct seen *whole = walk_top(), *seen;

	(void)state;
	add_entry(256, 1000, 300, KEY_ROOT_ITEM, FT_DIR, "sub");
	add_root(300, 0, 1, 1);
	hang(300, FS_TREE_ID, 256, "sub");
	hang(300, 300, 256, "sub");
	insert(ROOT_TREE_ID, 300, KEY_ROOT_REF, 300, "\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3\0sub", 21);
	seen = walk_top();
	assert_true(seen->n_entries > whole->n_entries);
	has_line(seen->bad, "sub/sub: tree 300: directory 256 appears a second time\n");
	assert_true(seen->n_entries <= 2 * whole->n_entries + 2);
	free(whole);
	free(seen);
}

static void tells_names_that_cannot_be(void **state)
{
	struct seen *whole = walk_top(), *seen;
	char name[256];
	const uint64_t dirid = some_directory(name);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct dir_entry entry;

	(void)state;
	ok(tree_seek(&top, &(struct key){ dirid, KEY_DIR_INDEX, 0 }, &iter, err));
	ok(dir_entry_next(&iter.item, &entry, err));
	const uint64_t inode = entry.location.objectid;

	tree_iter_close(&iter);
	add_entry(256, 1000, inode, KEY_INODE_ITEM, FT_REG_FILE, "..");
	add_entry(256, 1001, inode, KEY_INODE_ITEM, FT_REG_FILE, "../../x");
	add_entry(256, 1002, inode, KEY_INODE_ITEM, FT_REG_FILE, ".");
	add_entry(256, 1003, FREE_INODE, KEY_INODE_ITEM, FT_REG_FILE, "gone");
	add_entry(256, 1004, inode, KEY_INODE_ITEM, FT_DIR, "liar");
	seen = walk_top();
	assert_int_equal(seen->n_bad, 5);
	assert_int_equal(seen->n_entries, whole->n_entries + 4);
	has_line(seen->paths, "bad-name-1000\nbad-name-1001\nbad-name-1002\nliar\n");
	has_line(seen->bad, ": the name \"../../x\" cannot be that of a file; it is called bad-name-1001 here\n");
	has_line(seen->bad, "gone: entry 1003 of directory 256: inode 100000 is missing in subvolume id:5\n");
	has_line(seen->bad, "liar: entry 1004 of directory 256: type is 2, inode ");
	free(whole);
	free(seen);
}

/* What a lost leaf held is told; everything else is there. */
static void goes_on_behind_a_lost_leaf(void **state)
{
	struct seen *whole, *seen;
	uint64_t logical = 0;
	const struct chunk *chunk;
	unsigned n_leaves = 0;

	(void)state;
	whole = walk_top();
	{
		cleanup_tree_iter struct tree_iter iter = { 0 };

		ok(tree_seek(&top, &(struct key){ 256, 0, 0 }, &iter, err));
		for (uint64_t last = 0; iter.valid; ) {
			if (iter.path[0]->logical != last && ++n_leaves == 3)
				logical = iter.path[0]->logical;
			last = iter.path[0]->logical;
			ok(tree_next(&iter, err));
		}
	}
	if (n_leaves < 4)
		fail_msg("the tree has %u leaves", n_leaves);
	ok(volume_chunk(volume, logical, &chunk, err));
	for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk); mirror++)
		image_patch(&image, chunk_physical(chunk, logical, mirror) + 200, "damaged", 7);
	block_cache_drop_all(volume);
	seen = walk_top();
	assert_true(seen->n_bad > 0);
	assert_true(seen->n_entries < whole->n_entries && seen->n_entries > whole->n_entries / 3);
	has_line(seen->bad, "the crc32c checksum does not match");
	free(whole);
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fs_test(visits_everything_once),
		fs_test(enters_no_directory_twice),
		fs_test(enters_no_subvolume_twice),
		fs_test(tells_names_that_cannot_be),
		fs_test(goes_on_behind_a_lost_leaf),
	};

	return cmocka_run_group_tests(tests, fs_image_make, fs_image_remove);
}
