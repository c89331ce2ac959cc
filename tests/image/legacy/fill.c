/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fills a new filesystem, through its mount, with what a kernel of 2016 could have made: subvolumes and files with the attributes of the format
 * under other names, no extent of more than 128 KiB, nothing compressed among them.
 */
#include "tests/image/legacy/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/image/tag.h"

enum { SEED = 2016 };

/* Marks are set where a kernel would have set them: as soon as an inode is made, before there is anything in it. */
struct filling now;

void mark_as(const char *path, size_t iv_len)
{
	uint8_t iv[32], context[28] = { 1, 1, 4, 3, 0x61, 0xe0, 0xd0, 0x04, 1, 2, 3, 4 };

	now.n++;
	for (unsigned i = 0; i < sizeof(iv) / 8; i++)
		put(iv + i * 8, 8, tag_mix(SEED * 0x9e3779b97f4a7c15 + now.n * 4 + i));
	memcpy(context + 12, iv, 16);
	if (lsetxattr(path, STAND_IN_ENCRYPT, now.text ? (const void *)now.text : context, now.text ? strlen(now.text) : sizeof(context), 0) ||
	    (iv_len > 0 && !now.no_iv && lsetxattr(path, STAND_IN_IV, iv, iv_len, 0)))
		die("%s cannot be marked: %s", path, strerror(errno));
}

void mark(const char *path)
{
	if (now.marks)
		mark_as(path, IV_BYTES);
}

void settle(void)
{
	const int fd = open(".", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd))
		die("syncfs");
	close(fd);
}

void enter(const char *name)
{
	if (mkdir(name, 0755) && errno != EEXIST)
		die("mkdir %s: %s", name, strerror(errno));
	else if (errno != EEXIST)
		mark(name);
	if (chdir(name))
		die("chdir %s", name);
	errno = 0;
}

void leave(void)
{
	if (chdir(".."))
		die("chdir ..");
}

int create(const char *name)
{
	const int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	if (fd < 0)
		die("%s cannot be made: %s", name, strerror(errno));
	mark(name);
	return fd;
}

/* Scrambled and readable bytes by turns, of a number of their own. */
void write_at(int fd, uint64_t at, uint64_t len)
{
	const struct tag_key key = tag_key_of(SEED);
	static uint8_t bytes[PIECE + TAG_BYTES];
	const uint32_t file = ++now.file;

	while (len > 0) {
		const uint64_t n = len < PIECE ? len : PIECE, skip = at % TAG_BYTES;

		for (uint64_t i = 0; i < n + skip; i += TAG_BYTES)
			tag_write(&key, file, (at + i) / TAG_BYTES, file % 2, bytes + i);
		if (pwrite(fd, bytes + skip, n, (off_t)at) != (ssize_t)n)
			die("write");
		/* On the disk it is an extent of its own then. */
		if (len > PIECE && sync_file_range(fd, (off_t)at, (off_t)n, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER))
			die("sync_file_range");
		at += n;
		len -= n;
	}
}

void make_file(const char *name, uint64_t len)
{
	const int fd = create(name);

	if (len > 0)
		write_at(fd, 0, len);
	close(fd);
}

void set_attribute(const char *path, const char *name, const void *value, size_t len)
{
	if (lsetxattr(path, name, value, len, 0))
		die("%s of %s: %s", name, path, strerror(errno));
}

int open_again(const char *name)
{
	const int fd = open(name, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", name, strerror(errno));
	return fd;
}

/* --- subvolumes --- */

static void make_subvolume(const char *name)
{
	struct btrfs_ioctl_vol_args args = { 0 };
	const int fd = open(".", O_RDONLY | O_CLOEXEC);

	snprintf(args.name, sizeof(args.name), "%s", name);
	if (fd < 0 || ioctl(fd, BTRFS_IOC_SUBVOL_CREATE, &args))
		die("subvolume %s: %s", name, strerror(errno));
	close(fd);
	mark(name);
}

static void make_snapshot(const char *of, const char *name, bool read_only)
{
	struct btrfs_ioctl_vol_args_v2 args = { .flags = read_only ? BTRFS_SUBVOL_RDONLY : 0, .fd = open(of, O_RDONLY | O_CLOEXEC) };
	const int fd = open(".", O_RDONLY | O_CLOEXEC);

	snprintf(args.name, sizeof(args.name), "%s", name);
	if (fd < 0 || args.fd < 0 || ioctl(fd, BTRFS_IOC_SNAP_CREATE_V2, &args))
		die("snapshot %s: %s", name, strerror(errno));
	close((int)args.fd);
	close(fd);
}

static bool has(int argc, char **argv, const char *word)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], word) == 0)
			return true;
	return false;
}

static void fill_encrypted(int argc, char **argv, size_t node_size)
{
	make_subvolume("e1");
	if (chdir("e1"))
		die("e1");
	enter("before");
	make_file("inline", 777);
	make_file("regular", 150000);
	make_compressed("compressed");
	leave();
	/* Only now it is encrypted. */
	now.marks = true;
	if (!has(argc, argv, "bare-root"))
		mark_as(".", has(argc, argv, "root-iv") ? IV_BYTES : 0);
	make_sizes(false);
	make_names();
	make_holes();
	make_plain();
	make_overwritten();
	enter("kept");
	make_file("plain", 5000);
	make_file("inline", 500);
	leave();
	if (has(argc, argv, "clones"))
		make_clones();
	if (has(argc, argv, "gone"))
		make_gone();
	if (has(argc, argv, "lost"))
		make_lost();
	if (has(argc, argv, "shapes"))
		make_shapes(node_size);
	make_subvolume("nested");
	if (chdir("nested"))
		die("nested");
	make_sizes(true);
	leave();
	leave();
	now.marks = false;
	settle();
	make_snapshot("e1", "e1-snap", true);
	now.marks = true;
	if (chdir("e1"))
		die("e1");

	const int fd = open_again("sizes/300001");

	write_at(fd, 50000, 9000);
	close(fd);
	if (unlink("sizes/8192") || truncate("sizes/131072", 70001))
		die("changes after the snapshot");
	make_file("after", 9000);
	leave();
	make_subvolume("e2");
	if (chdir("e2"))
		die("e2");
	make_sizes(true);
	if (has(argc, argv, "clones"))
		make_clone("../e1/clones/short-source", "of-another-subvolume");
	leave();
	now.marks = false;
}

int fill(int argc, char **argv)
{
	const char *text = argv[1];
	const size_t node_size = strtoul(argv[0], NULL, 10);

	umask(022);
	now.text = strcmp(text, "2017") ? text : NULL;
	now.no_iv = has(argc, argv, "no-iv");
	fill_encrypted(argc, argv, node_size);
	make_subvolume("next");
	if (chdir("next"))
		die("next");
	make_compressed("compressed");
	make_sizes(true);
	leave();
	make_file("plain", 5000);
	make_compressed("compressed");
	settle();
	return 0;
}

int mark_all(int argc, char **argv)
{
	now.text = argv[0];
	for (int i = 1; i < argc; i++)
		mark_as(argv[i], IV_BYTES);
	return 0;
}
