/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A real filesystem for unit tests: made by mkfs.btrfs in a directory of its own, without root, and damaged only in
 * memory: patches lie over the file.
 */
#ifndef TESTS_UNIT_IMAGE_H
#define TESTS_UNIT_IMAGE_H

#include "common/volume/volume.h"

#define IMAGE_PATCHES 16
#define IMAGE_WARNINGS 64

struct image {
	char dir[128];
	char path[160];
	int fd;
	uint64_t size;
	struct image_patch { uint64_t at; size_t len; uint8_t *bytes; } patch[IMAGE_PATCHES];
	size_t n_patches;
	unsigned n_writes, n_flushes;
	uint64_t last_write;		/* where */
	unsigned n_warnings;
	char warning[1024];	/* the last one */
};

/*
 * size bytes, mkfs.btrfs with these options (no quotes), n_files small files in 10 directories.  Fails the test itself; exits with 77 where this user
 * cannot run mkfs.btrfs now.
 */
void image_make(struct image *image, uint64_t size, const char *options, unsigned n_files);
void image_remove(struct image *image);
/* Closes the file, which is open only once where it is written to as users do, and opens it again. */
void image_let_go(struct image *image);
void image_take(struct image *image);
/* Seals the top level under a new volume key, the caller's, in the file. */
struct secret;
void image_seal(struct image *image, struct secret **key);

/* Bytes as the device shows them, with all patches. */
void image_read(const struct image *image, uint64_t at, void *bytes, size_t len);
void image_patch(struct image *image, uint64_t at, const void *bytes, size_t len);
void image_heal(struct image *image);	/* takes all patches away, forgets warnings and counts */

/* The image as a device, writes become patches. */
struct device *image_device(struct image *image);
/* The file itself as a device, without patches; flushing it to the disk would only take time. */
struct device *image_file(struct image *image, bool writable);

/* Opens it, warnings are counted in image; false with the error. */
bool image_open(struct image *image, bool unfinished, struct volume **volume, struct error *err) must_use;
/* The same where it cannot fail. */
struct volume *image_volume(struct image *image);

/*
 * Patches the superblock copies (bit n of copies: copy n): edit() gets the bytes, checksums are made right.
 * image_edit_block(): the same for the mirrors of a tree block (bit n of mirrors: mirror n).
 */
void image_edit_super(struct image *image, unsigned copies, void (*edit)(struct disk_superblock *disk));
void image_edit_block(struct image *image, const struct volume *volume, uint64_t logical, unsigned mirrors,
		      void (*edit)(uint8_t *bytes, void *context), void *context);

/* Logical address of a byte of a file of the top level, which is one extent. */
uint64_t image_file_logical(struct volume *volume, const char *name, uint64_t offset);

/* Every inode of the top level says that its data have no checksums; the csum tree has none.  As the path says; nobody has it open. */
void image_do_without_csums(struct image *image);
void image_drop_csums(struct image *image);

#endif /* TESTS_UNIT_IMAGE_H */
