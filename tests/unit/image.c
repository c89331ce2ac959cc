/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real filesystems for unit tests. */
#include "tests/unit/image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/convert/convert.h"
#include "common/fs/path.h"
#include "common/sealed/scan.h"
#include "common/tree/tree-edit.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "tests/support/edit.h"
#include "tests/unit/ok.h"

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	assert_true((size_t)vsnprintf(command, sizeof(command), format, args) < sizeof(command));
	va_end(args);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static void fill(const char *dir, unsigned n_files)
{
	char path[192];

	for (unsigned i = 0; i < n_files; i++) {
		snprintf(path, sizeof(path), "%s/src/dir%u", dir, i % 10);
		if (i < 10)
			assert_int_equal(mkdir(path, 0755), 0);
		snprintf(path, sizeof(path), "%s/src/dir%u/file%05u", dir, i % 10, i);
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		for (unsigned line = 0; line < (i % 16 == 0 ? 2000 : 10); line++)
			fprintf(file, "%u %u\n", i, line);
		fclose(file);
	}
}

/* mkfs.btrfs of an ordinary user gives up while any loop device is mounted: it may not ask what is behind it. */
static void exit_if_not_made(struct image *image)
{
	char magic[8];

	if (pread(image->fd, magic, 8, SUPER_OFFSET_0 + offsetof(struct disk_superblock, magic)) == 8 &&
	    memcmp(magic, SUPER_MAGIC, 8) == 0)
		return;
	image_remove(image);
	fflush(stdout);
	fprintf(stderr, "skipped: mkfs.btrfs works for root only while a loop device is mounted\n");
	exit(77);
}

void image_make(struct image *image, uint64_t size, const char *options, unsigned n_files)
{
	const char *temp = getenv("TMPDIR");

	*image = (struct image){ .fd = -1, .size = size };
	snprintf(image->dir, sizeof(image->dir), "%s/image-XXXXXX", temp && strlen(temp) < 100 ? temp : "/tmp");
	assert_non_null(mkdtemp(image->dir));
	snprintf(image->path, sizeof(image->path), "%s/image", image->dir);
	run("mkdir %s/src", image->dir);
	fill(image->dir, n_files);
	image->fd = open(image->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(image->fd >= 0);
	assert_int_equal(ftruncate(image->fd, (off_t)size), 0);
	run("PATH=$PATH:/usr/sbin:/sbin; mkfs.btrfs -q %s --rootdir %s/src %s >%s/log 2>&1 || { cat %s/log >&2; "
	    "grep -q 'cannot check mount status' %s/log; }", options, image->dir, image->path, image->dir, image->dir, image->dir);
	exit_if_not_made(image);
}

void image_let_go(struct image *image)
{
	close(image->fd);
	image->fd = -1;
}

void image_take(struct image *image)
{
	image->fd = open(image->path, O_RDWR | O_CLOEXEC);
	assert_true(image->fd >= 0);
}

void image_remove(struct image *image)
{
	image_heal(image);
	if (image->fd >= 0)
		close(image->fd);
	if (image->dir[0])
		run("rm -rf %s", image->dir);
}

void image_read(const struct image *image, uint64_t at, void *bytes, size_t len)
{
	assert_int_equal(pread(image->fd, bytes, len, (off_t)at), len);
	for (size_t i = 0; i < image->n_patches; i++) {
		const struct image_patch *patch = &image->patch[i];
		const uint64_t start = patch->at > at ? patch->at : at;
		const uint64_t end = patch->at + patch->len < at + len ? patch->at + patch->len : at + len;

		if (start < end)
			memcpy((uint8_t *)bytes + (start - at), patch->bytes + (start - patch->at), end - start);
	}
}

void image_patch(struct image *image, uint64_t at, const void *bytes, size_t len)
{
	struct image_patch *patch = &image->patch[image->n_patches++];

	assert_true(image->n_patches <= IMAGE_PATCHES);
	*patch = (struct image_patch){ at, len, malloc(len) };
	assert_non_null(patch->bytes);
	memcpy(patch->bytes, bytes, len);
}

void image_heal(struct image *image)
{
	while (image->n_patches > 0) {
		struct image_patch *patch = &image->patch[--image->n_patches];

		explicit_bzero(patch->bytes, patch->len);	/* a disk, not memory that anybody should have wiped */
		free(patch->bytes);
	}
	image->n_writes = image->n_flushes = image->n_warnings = 0;
	image->warning[0] = '\0';
}

static bool read_bytes(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	(void)err;
	image_read(self, at, bytes, len);
	return true;
}

static bool write_bytes(void *self, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	struct image *image = self;

	(void)err;
	image->n_writes++;
	image->last_write = at;
	image_patch(image, at, bytes, len);
	return true;
}

static bool flush(void *self, struct error *err)
{
	struct image *image = self;

	(void)err;
	image->n_flushes++;
	return true;
}

static bool read_file(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct image *image = self;

	return pread(image->fd, bytes, len, (off_t)at) == (ssize_t)len || error_system(err, "read");
}

static bool write_file(void *self, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct image *image = self;

	return pwrite(image->fd, bytes, len, (off_t)at) == (ssize_t)len || error_system(err, "write");
}

struct device *image_file(struct image *image, bool writable)
{
	static const struct device_ops ops = { .read = read_file, .write = write_file, .flush = flush };
	struct device *device;
	struct error err;

	if (!device_new(&ops, image, image->path, image->size, writable, &device, &err))
		fail_msg("%s", err.text);
	return device;
}

struct device *image_device(struct image *image)
{
	static const struct device_ops ops = { .read = read_bytes, .write = write_bytes, .flush = flush };
	struct device *device;
	struct error err;

	if (!device_new(&ops, image, "disk.img", image->size, true, &device, &err))
		fail_msg("%s", err.text);
	return device;
}

static void hear(void *context, const struct report *report)
{
	struct image *image = context;

	image->n_warnings++;
	snprintf(image->warning, sizeof(image->warning), "%s", report->text);
}

bool image_open(struct image *image, bool unfinished, struct volume **volume, struct error *err)
{
	const struct volume_options options = { .unfinished = unfinished, .reporter = { hear, image } };

	return volume_open(image_device(image), &options, volume, err);
}

struct volume *image_volume(struct image *image)
{
	struct volume *volume;
	struct error err;

	if (!image_open(image, false, &volume, &err))
		fail_msg("%s", err.text);
	return volume;
}

void image_edit_super(struct image *image, unsigned copies, void (*edit)(struct disk_superblock *disk))
{
	struct disk_superblock disk;

	for (unsigned n = 0; n < SUPER_COPIES; n++)
		if (copies & (1u << n)) {
			image_read(image, superblock_offset(n), &disk, sizeof(disk));
			edit(&disk);
			csum_block_update(le16(disk.csum_type), (uint8_t *)&disk, sizeof(disk));
			image_patch(image, superblock_offset(n), &disk, sizeof(disk));
		}
}

void image_edit_block(struct image *image, const struct volume *volume, uint64_t logical, unsigned mirrors,
		      void (*edit)(uint8_t *bytes, void *context), void *context)
{
	const uint32_t size = volume->super.node_size;
	const struct chunk *chunk;
	struct error err;

	assert_true(volume_chunk(volume, logical, &chunk, &err));
	for (unsigned n = 0; n < chunk_n_mirrors(chunk); n++)
		if (mirrors & (1u << n)) {
			uint8_t *bytes = malloc(size);

			assert_non_null(bytes);
			image_read(image, chunk_physical(chunk, logical, n), bytes, size);
			edit(bytes, context);
			csum_block_update(volume->super.csum_type, bytes, size);
			image_patch(image, chunk_physical(chunk, logical, n), bytes, size);
			free(bytes);
		}
}

/* --- checksums of data ---------------------------------------------------------------------------------------- */

struct edit {
	struct volume *volume;
	struct allocator *allocator;
	struct transaction *tx;
};

static struct edit edit_begin(struct image *image)
{
	struct edit edit = { 0 };
	struct error err = { 0 };
	struct device *device;

	if (!device_open(image->path, DEVICE_WRITABLE, &device, &err) || !volume_open(device, NULL, &edit.volume, &err) ||
	    !allocator_open(edit.volume, &edit.allocator, &err) || !transaction_begin(edit.volume, edit.allocator, &edit.tx, &err))
		fail_msg("%s", err.text);
	return edit;
}

static void edit_end(struct edit *edit)
{
	struct error err = { 0 };

	if (!edit_commit(edit->volume, edit->tx, &err))
		fail_msg("%s", err.text);
	allocator_close(edit->allocator);
	volume_close(edit->volume);
}

void image_do_without_csums(struct image *image)
{
	struct edit edit = edit_begin(image);
	struct error err = { 0 };
	struct tree tree;

	assert_true(tree_open(edit.volume, FS_TREE_ID, &tree, &err));
	for (struct key at = { 0, 0, 0 };; at.offset++) {
		cleanup_tree_iter struct tree_iter iter = { 0 };
		struct disk_inode_item disk;
		uint8_t *bytes;
		uint32_t len;

		assert_true(tree_seek(&tree, &at, &iter, &err));
		if (!iter.valid)
			break;
		at = iter.key;
		if (at.type != KEY_INODE_ITEM)
			continue;
		assert_true(tree_edit_item(edit.tx, FS_TREE_ID, &at, &bytes, &len, &err));
		assert_int_equal(len, sizeof(disk));
		memcpy(&disk, bytes, sizeof(disk));
		disk.flags = to_le64(le64(disk.flags) | INODE_NODATASUM);
		memcpy(bytes, &disk, sizeof(disk));
	}
	edit_end(&edit);
}

void image_drop_csums(struct image *image)
{
	const struct key first = { EXTENT_CSUM_ID, KEY_EXTENT_CSUM, 0 }, last = { EXTENT_CSUM_ID, KEY_EXTENT_CSUM, UINT64_MAX };
	struct edit edit = edit_begin(image);
	struct error err = { 0 };

	assert_true(tree_cut(edit.tx, CSUM_TREE_ID, &first, &last, &err));
	edit_end(&edit);
}

uint64_t image_file_logical(struct volume *volume, const char *name, uint64_t offset)
{
	const uint64_t top = FS_TREE_ID;
	struct scan *scan = NULL;
	struct file_id file;
	struct error err = { 0 };
	uint64_t found = 0;

	if (!path_find(volume, top, name, &file, &err) || !scan_run(volume, &top, 1, &scan, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < scan->n_extents; i++) {
		if (scan->extent[i].inode == file.inode)
			found = scan->extent[i].logical + offset;
	}
	scan_free(scan);
	assert_true(found != 0);
	return found;
}

void image_seal(struct image *image, struct secret **key)
{
	const char *const names[] = { "/", NULL };
	struct convert_encrypt_options options = { .cipher = CIPHER_CHACHA20_POLY1305 };
	struct convert_plan plan = { 0 };
	struct device *device;
	struct volume *volume = NULL;

	ok(secret_init(err));
	ok(secret_random(CRYPT_KEY_SIZE, key, err));
	options.key = &(const struct key_source){ .volume_key = *key };
	image_let_go(image);
	ok(device_open(image->path, DEVICE_WRITABLE, &device, err));
	ok(volume_open(device, NULL, &volume, err));
	ok(convert_encrypt(volume, names, &options, NULL, &plan, err));
	convert_plan_free(&plan);
	volume_close(volume);
	image_take(image);
}
