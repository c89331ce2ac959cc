/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of a test image: of every kind that the format treats in its own way. */
#include "tests/image/legacy/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

void make_sizes(bool few)
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

void make_names(void)
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

static void allocate(int fd, int how, uint64_t at, uint64_t len)
{
	if (fallocate(fd, how, (off_t)at, (off_t)len))
		die("fallocate");
}

void make_holes(void)
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

static void make_nocow(const char *name, uint64_t len)
{
	const int fd = create(name);
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) || (flags |= FS_NOCOW_FL, ioctl(fd, FS_IOC_SETFLAGS, &flags)))
		die("chattr +C");
	write_at(fd, 0, len);
	close(fd);
}

/* What stays plain in spite of flag and attributes. */
void make_plain(void)
{
	enter("prealloc");

	int fd = create("unwritten");

	allocate(fd, 0, 0, 256 * KIB);
	close(fd);
	fd = create("part-written");
	allocate(fd, 0, 0, PIECE);
	settle();
	write_at(fd, 64 * KIB, 30 * KIB);
	write_at(fd, 300 * KIB, 5000);
	close(fd);
	fd = create("written");
	allocate(fd, 0, 0, 2 * PIECE);
	settle();
	write_at(fd, 0, 2 * PIECE);
	close(fd);
	leave();

	enter("nocow");
	make_nocow("plain", 20 * KIB);
	make_nocow("inline", 200);
	leave();
}

void make_overwritten(void)
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
void make_compressed(const char *name)
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

void make_clone(const char *of, const char *name)
{
	const int fd = create(name);

	clone(of, 0, 0, fd, 0);
	close(fd);
}

/* Files that share data, though each has an IV of its own.  Within one file it is no matter. */
void make_clones(void)
{
	enter("clones");
	make_file("source", 300001);
	make_file("short-source", 10000);
	make_file("inline-source", 500);
	make_file("itself", PIECE);
	settle();

	make_clone("source", "whole");
	make_clone("short-source", "short");
	make_clone("inline-source", "inline");

	int fd = create("part");

	write_at(fd, 0, PIECE);
	settle();
	clone("source", 64 * KIB, 32 * KIB, fd, 16 * KIB);
	close(fd);
	fd = open_again("itself");
	clone("itself", 0, 64 * KIB, fd, 256 * KIB);
	close(fd);
	leave();
}

void make_gone(void)
{
	enter("gone");
	make_file("source", 10000);
	make_file("large-source", PIECE);
	settle();

	make_clone("source", "whole");

	const int fd = create("part");

	write_at(fd, 0, PIECE);
	clone("large-source", 0, PIECE, fd, PIECE);
	close(fd);
	settle();
	if (unlink("source") || unlink("large-source"))
		die("unlink");
	leave();
}

void make_lost(void)
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
void make_shapes(size_t node_size)
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

		const int fd = create(name);

		/* Inline data are an item before the attributes come: which leaves there will be does not depend on time. */
		write_at(fd, 0, 100 + i);
		if (sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER))
			die("sync_file_range");
		close(fd);
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
