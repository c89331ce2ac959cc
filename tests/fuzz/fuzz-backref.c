/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who refers to what, in images changed as fuzz-image.c changes them: back references from addresses to trees and files, the same by looking through
 * all trees, all names of inodes, two subvolumes side by side.
 */
#define LLVMFuzzerTestOneInput fuzz_image
#include "tests/fuzz/fuzz-image.c"
#undef LLVMFuzzerTestOneInput

#include "common/fs/inode-compare.h"
#include "common/fs/inode-names.h"
#include "common/fs/log-replay.h"
#include "common/fs/owner-scan.h"
#include "format/file-extent.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define ADDRESSES 12u	/* of each kind, in one run */
#define INODES 40u

static bool see_file(void *context, const struct backref_file *file, struct error *err)
{
	(void)context, (void)file, (void)err;
	return true;
}

static bool see_extent(void *context, const struct backref_extent *extent, struct error *err)
{
	(void)context, (void)err;
	must(extent->length > 0, "an extent of no bytes");
	return true;
}

static bool see_tree(void *context, uint64_t root, struct error *err)
{
	(void)context, (void)root, (void)err;
	return true;
}

static void see_bad(void *context, const struct report *report)
{
	(void)context;
	must(report->kind == REPORT_DAMAGED && report->text[0], "damage that says nothing");
}

static bool see_name(void *context, const uint8_t *path, size_t len, struct error *err)
{
	(void)context, (void)err;
	if (path)
		fuzz_touch((struct cursor){ path, len, 0 });
	return true;
}

static bool see_pair(void *context, uint64_t number, const struct inode *a, const struct inode *b, struct error *err)
{
	(void)context, (void)number, (void)err;
	must(a || b, "a pair of none");
	return true;
}

static void ask_address(struct volume *volume, uint64_t logical)
{
	static const struct owner_visitor visitor = { see_extent, see_file, see_tree, see_bad };
	const struct backref_query query = { volume, logical, logical % 2, false, see_file, NULL };
	struct backref_extent extent;
	struct root_ids roots = { 0 };
	struct error err = { 0 };
	uint64_t n_stale = 0;

	if (backref_extent_at(volume, logical, &extent, &err)) {
		must(logical - extent.logical < extent.length, "an extent elsewhere");
		if (extent.is_data ? !backref_files(&query, &extent, &n_stale, &err)
				   : !backref_roots(volume, extent.logical, &roots, &n_stale, &err))
			must(err.kind != ERROR_NONE, "a failure that says nothing");
		free(roots.id);
	}
	err = (struct error){ 0 };
	if (!owner_scan(volume, logical, logical % 2, &visitor, NULL, &err))
		must(err.kind != ERROR_NONE, "a failure that says nothing");
}

/* Data, as far as there are any: their addresses are in the items of files. */
static void ask_data(struct volume *volume, const struct tree *tree, unsigned first)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error err = { 0 };
	unsigned n = 0;

	if (!tree_seek(tree, &(struct key){ 0 }, &iter, &err))
		return;
	for (; iter.valid && n < first + ADDRESSES / 4; ) {
		struct cursor item = iter.item;
		struct file_extent e;

		if (iter.key.type == KEY_EXTENT_DATA && file_extent_read(&item, iter.key.offset, volume->super.sector_size, &e, &err) &&
		    file_extent_has_disk(&e) && n++ >= first)
			ask_address(volume, e.disk_bytenr + n % 3 * 4096);
		if (!tree_next(&iter, &err))
			return;
	}
}

static void ask_all(struct volume *volume, const struct base *base, unsigned choice)
{
	const uint64_t ids[] = { FS_TREE_ID, 256, 257, 258 };
	struct error err = { 0 };
	struct tree tree, other;
	uint64_t n;

	for (size_t i = 0; i < ADDRESSES; i++)
		ask_address(volume, base->place[(choice * 7 + i * 5) % base->n_places].logical + i);
	for (size_t k = 0; k < sizeof(ids) / sizeof(ids[0]); k++) {
		if (!tree_open(volume, ids[k], &tree, &err))
			continue;
		ask_data(volume, &tree, choice % 8);
		for (uint64_t inode = 256; inode < 256 + INODES; inode++)
			if (!inode_names(&tree, inode, see_name, NULL, &n, &err))
				must(err.kind != ERROR_NONE, "a failure that says nothing");
		if (tree_open(volume, ids[(k + 1) % 4], &other, &err) && !inode_compare(&tree, &other, see_pair, NULL, &err))
			must(err.kind != ERROR_NONE, "a failure that says nothing");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t undo[CHANGES_MAX][2 * NODE_SIZE_MAX];
	static bool has_begun;
	const struct volume_options options = { .unfinished = true };
	struct cursor input = { bytes, len, 0 };
	size_t changed[CHANGES_MAX], n = 0;
	struct volume *volume = NULL;
	struct error err = { 0 };
	struct device *device;
	struct change change;
	char path[64];

	if (!has_begun)
		begin();
	has_begun = true;

	const uint8_t choice = fuzz_choice(&input);
	const struct base *base = &bases[choice / 2 % N_BASES];

	if (input.left % sizeof(change) != 0)
		return 0;
	for (; n < CHANGES_MAX && cursor_read(&input, &change, sizeof(change)); n++) {
		changed[n] = number(change.block, 2) % base->n_places;
		change_place(base, &change, changed[n], undo[n]);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", base->fd);
	if (device_open(path, DEVICE_READ_ONLY, &device, &err) && volume_open(device, &options, &volume, &err)) {
		/* What is in a log tree counts as well, as far as it can be replayed. */
		if (choice % 2 == 0 || !log_is_there(volume) || log_replay(volume, &err))
			ask_all(volume, base, choice);
		volume_close(volume);
	}
	while (n-- > 0)
		undo_place(base, changed[n], undo[n]);
	return 0;
}
