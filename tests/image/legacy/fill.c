/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fills a new filesystem, through its mount, with what a kernel of 2016 could have made: subvolumes and files with the attributes of the format
 * under other names, no extent of more than 128 KiB, nothing compressed among them.
 */
#include "tests/image/legacy/legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/image/tag.h"

enum { KIB = 1024, PIECE = EXTENT_PAGES_MAX * PAGE, SEED = 2016 };

/* Marks are set where a kernel would have set them: as soon as an inode is made, before there is anything in it. */
static struct {
	bool marks;
	const char *text;	/* of the attribute; NULL: 28 bytes of 2017 */
	bool no_iv;
	unsigned n;		/* marked inodes: each has an IV of its own */
	uint32_t file;
} now;

static void mark_as(const char *path, size_t iv_len)
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

static void mark(const char *path)
{
	if (now.marks)
		mark_as(path, IV_BYTES);
}

static void settle(void)
{
	const int fd = open(".", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd))
		die("syncfs");
	close(fd);
}

static void enter(const char *name)
{
	if (mkdir(name, 0755) && errno != EEXIST)
		die("mkdir %s: %s", name, strerror(errno));
	else if (errno != EEXIST)
		mark(name);
	if (chdir(name))
		die("chdir %s", name);
	errno = 0;
}

static void leave(void)
{
	if (chdir(".."))
		die("chdir ..");
}

static int create(const char *name)
{
	const int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	if (fd < 0)
		die("%s cannot be made: %s", name, strerror(errno));
	mark(name);
	return fd;
}

/* Scrambled and readable bytes by turns, of a number of their own. */
static void write_at(int fd, uint64_t at, uint64_t len)
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

static void make_file(const char *name, uint64_t len)
{
	const int fd = create(name);

	if (len > 0)
		write_at(fd, 0, len);
	close(fd);
}

static void set_attribute(const char *path, const char *name, const void *value, size_t len)
{
	if (lsetxattr(path, name, value, len, 0))
		die("%s of %s: %s", name, path, strerror(errno));
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

/* --- content --- */

static void make_sizes(bool few)
{
	static const unsigned size[] = {
		0, 1, 15, 16, 17, 31, 32, 33, 48, 100, 1000, 2047, 2048, 2049, 4095, 4096, 4097, 5000, 8192, 10000, 65536, 131072, 131073, 300001, 524288,
	};

	enter("sizes");
	for (size_t i = 0; i < sizeof(size) / sizeof(*size); i += few ? 4 : 1) {
		char name[16];

		snprintf(name, sizeof(name), "%u", size[i]);
		make_file(name, size[i]);
	}
	leave();
}

static void make_names(void)
{
	static const uint8_t acl[] = { 2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 5, 0, 77, 0, 0, 0, 4, 0, 5, 0, 255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255,
		32, 0, 0, 0, 255, 255, 255, 255 };
	const struct timespec times[2] = { { 1111111111, 222222222 }, { 1473984000, 123456789 } };
	char target[301] = "";

	enter("names");
	enter("deep");
	enter("deeper");
	make_file("first", 6000);
	make_file("empty", 0);
	leave();
	leave();
	if (link("deep/deeper/first", "second") || link("deep/deeper/first", "third"))
		die("link");
	memset(target, 'x', sizeof(target) - 1);
	if (symlink("deep/deeper/first", "link") || symlink(target, "long-link") || mkfifo("fifo", 0600) || mknod("device", S_IFBLK | 0644, makedev(259, 300000)))
		die("special files: %s", strerror(errno));
	mark("link");
	mark("long-link");
	mark("fifo");
	mark("device");
	make_file("with \"quotes\" and\nlines", 700);
	make_file("attributes", 5000);
	set_attribute("attributes", "user.one", "value", 5);
	set_attribute("attributes", "user.empty", "", 0);
	set_attribute("attributes", "system.posix_acl_access", acl, sizeof(acl));
	if (chmod("second", 04751) || chown("attributes", 1234, 99) || utimensat(AT_FDCWD, "attributes", times, 0))
		die("modes");
	leave();
}

static int open_again(const char *name)
{
	const int fd = open(name, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", name, strerror(errno));
	return fd;
}

static void allocate(int fd, int how, uint64_t at, uint64_t len)
{
	if (fallocate(fd, how, (off_t)at, (off_t)len))
		die("fallocate");
}

static void make_holes(void)
{
	enter("holes");

	int fd = create("leading");

	write_at(fd, 300000, 5000);
	close(fd);
	fd = create("trailing");
	write_at(fd, 0, 5000);
	if (ftruncate(fd, 777777))
		die("ftruncate");
	close(fd);
	fd = create("only");
	if (ftruncate(fd, 10000001))
		die("ftruncate");
	close(fd);
	fd = create("punched");
	write_at(fd, 0, 200 * KIB);
	settle();
	allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100 * KIB, 33333);
	close(fd);
	leave();
}

/* What stays plain in spite of flag and attributes. */
static void make_plain(void)
{
	int flags;

	enter("prealloc");

	int fd = create("unwritten");

	allocate(fd, 0, 0, 256 * KIB);
	close(fd);
	fd = create("part-written");
	allocate(fd, 0, 0, 256 * KIB);
	settle();
	write_at(fd, 64 * KIB, 100 * KIB);
	write_at(fd, 300 * KIB, 5000);
	close(fd);
	fd = create("written");
	allocate(fd, 0, 0, 2 * PIECE);
	settle();
	write_at(fd, 0, 2 * PIECE);
	close(fd);
	leave();

	enter("nocow");
	fd = create("plain");
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) || (flags |= FS_NOCOW_FL, ioctl(fd, FS_IOC_SETFLAGS, &flags)))
		die("chattr +C");
	write_at(fd, 0, 20 * KIB);
	close(fd);
	leave();
}

static void make_overwritten(void)
{
	static const struct { const char *name; unsigned at, len; } over[] = {
		{ "middle", 40 * KIB, 24 * KIB }, { "head", 0, 12 * KIB }, { "tail", 270 * KIB, 30 * KIB }, { "odd", 33333, 77777 },
	};

	enter("overwritten");
	for (size_t i = 0; i < sizeof(over) / sizeof(*over); i++)
		make_file(over[i].name, 300 * KIB);
	make_file("truncated", 300 * KIB);
	settle();
	for (size_t i = 0; i < sizeof(over) / sizeof(*over); i++) {
		const int fd = open_again(over[i].name);

		write_at(fd, over[i].at, over[i].len);
		close(fd);
	}
	if (truncate("truncated", 123457))
		die("truncate");
	leave();
}

static void set_compression(const char *path)
{
	set_attribute(path, "btrfs.compression", "zstd", 4);
}

/* Readable tags only: what compresses. */
static void make_compressed(const char *name)
{
	static const unsigned size[] = { 100, 1000, 5000, 131073 };

	enter(name);
	for (size_t i = 0; i < sizeof(size) / sizeof(*size); i++) {
		char file[16];

		snprintf(file, sizeof(file), "%u", size[i]);

		const int fd = create(file);

		set_compression(file);
		now.file += 1 + now.file % 2;
		write_at(fd, 0, size[i]);
		close(fd);
	}
	leave();
}

static void clone(const char *from, uint64_t at, uint64_t len, int to, uint64_t where)
{
	const int fd = open_again(from);
	struct file_clone_range range = { .src_fd = fd, .src_offset = at, .src_length = len, .dest_offset = where };

	if (ioctl(to, FICLONERANGE, &range))
		die("clone of %s: %s", from, strerror(errno));
	close(fd);
}

/* Files that share data, though each has an IV of its own.  Within one file it is no matter. */
static void make_clones(void)
{
	enter("clones");
	make_file("source", 300001);
	make_file("short-source", 10000);
	make_file("inline-source", 500);
	make_file("itself", PIECE);
	settle();

	int fd = create("whole");

	clone("source", 0, 0, fd, 0);
	close(fd);
	fd = create("short");
	clone("short-source", 0, 0, fd, 0);
	close(fd);
	fd = create("part");
	write_at(fd, 0, PIECE);
	settle();
	clone("source", 64 * KIB, 32 * KIB, fd, 16 * KIB);
	close(fd);
	fd = create("inline");
	clone("inline-source", 0, 0, fd, 0);
	close(fd);
	fd = open_again("itself");
	clone("itself", 0, 64 * KIB, fd, 256 * KIB);
	close(fd);
	leave();
}

static void make_gone(void)
{
	enter("gone");
	make_file("source", 10000);
	make_file("large-source", PIECE);
	settle();

	int fd = create("whole");

	clone("source", 0, 0, fd, 0);
	close(fd);
	fd = create("part");
	write_at(fd, 0, PIECE);
	clone("large-source", 0, PIECE, fd, PIECE);
	close(fd);
	settle();
	if (unlink("source") || unlink("large-source"))
		die("unlink");
	leave();
}

static void make_lost(void)
{
	static const struct { const char *name; unsigned iv_len, size; } lost[] = {
		{ "missing", 0, 10000 }, { "short", 15, 10000 }, { "long", 20, 10000 }, { "missing-inline", 0, 600 }, { "missing-empty", 0, 0 },
	};

	enter("lost");
	now.marks = false;
	for (size_t i = 0; i < sizeof(lost) / sizeof(*lost); i++) {
		const int fd = create(lost[i].name);

		mark_as(lost[i].name, lost[i].iv_len);
		if (lost[i].size > 0)
			write_at(fd, 0, lost[i].size);
		close(fd);
	}
	now.marks = true;
	leave();
}

/* The first name whose hash is at least this: the item stands behind those of smaller hashes. */
static void name_of_hash(uint32_t least, uint32_t most, char name[8])
{
	for (unsigned i = 0; i < 26 * 26; i++) {
		const uint32_t hash = (snprintf(name, 8, "user.%c%c", 'a' + i / 26, 'a' + i % 26), crc32c(~1u, name, 7));

		if (hash >= least && hash <= most)
			return;
	}
	die("no name has a hash from %u to %u", least, most);
}

/* Attributes of all lengths before and behind those of the format, so that these come first in leaves, or are alone in them; and others of the same hash. */
static void make_shapes(size_t node_size)
{
	static uint8_t value[16384];
	const size_t longest = node_size - 101 - 25 - 30 - 7;	/* with it a leaf is full */
	const uint32_t first = crc32c(~1u, NAME_IV, strlen(NAME_IV)), last = crc32c(~1u, NAME_ENCRYPT, strlen(NAME_ENCRYPT));
	char before[8], between[8], behind[8];

	memset(value, 'v', sizeof(value));
	name_of_hash(0, first - 1, before);
	name_of_hash(first + 1, last - 1, between);
	name_of_hash(last + 1, UINT32_MAX, behind);
	enter("shapes");
	for (unsigned i = 0; i < 16; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%u", i);
		make_file(name, i % 3 ? 100 + i : 5000 + i);
		set_attribute(name, before, value, longest / 4 * (i % 4 + 1) + longest % 4);
		if (i / 4 == 1)
			set_attribute(name, between, value, longest / 3);
		set_attribute(name, behind, value, i / 4 == 2 ? longest / 2 : longest);
		if (i / 4 == 3) {
			set_attribute(name, SAME_HASH_AS_ENCRYPT, "same", 4);
			set_attribute(name, SAME_HASH_AS_IV, "same too", 8);
		}
	}
	leave();
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
