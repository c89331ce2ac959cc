/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Content by how its bytes are stored: sizes, inline, compressed, holes, prealloc, nodatacow, reflinks, bookends, many extents. */
#include "tests/image/filler/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Makes what was written an extent on disk, so that the next write cannot join it. */
static void settle(int fd)
{
	if (syncfs(fd))
		die("syncfs");
}

static void allocate(int fd, int mode, uint64_t at, uint64_t length)
{
	if (fallocate(fd, mode, at, length))
		die("fallocate");
}

static void set_compression(int fd, const char *algorithm)
{
	if (fsetxattr(fd, "btrfs.compression", algorithm, strlen(algorithm), 0))
		die("compression %s", algorithm);
}

static void set_nocow(int fd)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) || (flags |= FS_NOCOW_FL, ioctl(fd, FS_IOC_SETFLAGS, &flags)))
		die("chattr +C");
}

static void clone(int from, uint64_t at, uint64_t length, int to, uint64_t where)
{
	struct file_clone_range range = { .src_fd = from, .src_offset = at, .src_length = length, .dest_offset = where };

	if (ioctl(to, FICLONERANGE, &range))
		die("clone");
}

/* Every edge around the sizes that matter, then one larger than the other up to size (one extent each where there is room). */
static void make_sizes(uint64_t size)
{
	static const unsigned edge[] = { 1, 16, 512, 2048, 4096, 8192, 16384, 65536, 131072, 524288, 2000 * KIB };
	char name[32];
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(edge) / sizeof(*edge); i++)
		for (int d = -1; d <= 1; d++) {
			if (edge[i] + d == 0 || (size && edge[i] > size))
				continue;
			snprintf(name, sizeof(name), "%u", edge[i] + d);
			make_file(name, edge[i] + d, n++ % 2 ? READABLE : SCRAMBLED);
		}
	for (uint64_t s = 4 * MIB; s <= size; s *= 2) {
		snprintf(name, sizeof(name), "%llu", (unsigned long long)s);
		const int fd = create("%s", name);

		allocate(fd, 0, 0, s);	/* else writeback may cut it */
		put_new(fd, 0, s, n++ % 2 ? READABLE : SCRAMBLED);
		finish(fd);
	}
	finish(create("0"));
}

/* Files until size bytes, of a few sizes: bulk for what only needs many bytes. */
static void make_bulk(uint64_t size)
{
	static const unsigned length[] = { 3 * MIB, 700 * KIB, 4096, 60 * KIB, MIB + 1 };
	char name[32];
	uint64_t total = 0;

	for (unsigned n = 0; total < size; total += length[n++ % 5]) {
		snprintf(name, sizeof(name), "%u", n);
		make_file(name, length[n % 5], n % 2 ? READABLE : SCRAMBLED);
	}
}

/* One file of size bytes. */
static void make_big(uint64_t size)
{
	make_file("big", size, SCRAMBLED);
}

/* size small files, four of five inline, in directories of a thousand. */
static void make_many(uint64_t size)
{
	for (uint64_t i = 0; i < size; i++) {
		if (i % 1000 == 0) {
			char name[32];

			if (i)
				leave();
			snprintf(name, sizeof(name), "%llu", (unsigned long long)(i / 1000));
			enter(name);
		}
		const int fd = create("file-%llu", (unsigned long long)i);

		put_new(fd, 0, i % 5 ? 1 + i * 37 % 600 : 1 + i * 101 % 9000, READABLE);
		finish(fd);
	}
	if (size)
		leave();
}

static void make_inline(uint64_t size)
{
	char name[32];

	(void)size;
	for (unsigned n = 1; n <= 2048; n += n < 20 ? 3 : 113) {
		snprintf(name, sizeof(name), "%u", n);
		make_file(name, n, READABLE);
	}
}

/* size: of the largest file; then fewer parts are in the one that compresses in some. */
static void make_compressed(uint64_t size)
{
	static const char *const algorithm[] = { "zlib", "lzo", "zstd" };
	static const unsigned length[] = { 100, 1000, 3000, 4096, 5000, 70000, 131072, 131073, 1000 * KIB + 5 };

	for (size_t a = 0; a < 3; a++) {
		enter(algorithm[a]);
		for (size_t i = 0; i < sizeof(length) / sizeof(*length); i++) {
			if (size && length[i] > size)
				break;

			const int fd = create("%u", length[i]);

			set_compression(fd, algorithm[a]);
			put_new(fd, 0, length[i], READABLE);
			finish(fd);
		}
		/* some parts compress and some do not */
		const int fd = create("both");

		set_compression(fd, algorithm[a]);
		for (unsigned part = 0; part < (size ? 2 : 6); part++)
			put_new(fd, part * 128 * KIB, 128 * KIB, part % 2 ? SCRAMBLED : READABLE);
		settle(fd);
		put_new(fd, 40 * KIB, 8 * KIB, READABLE);	/* a bookend in compressed extents */
		finish(fd);
		leave();
	}
}

/* size: of the file that is one hole. */
static void make_holes(uint64_t size)
{
	int fd = create("leading");
	put_new(fd, 300000, 5000, READABLE);
	finish(fd);

	fd = create("trailing");
	put_new(fd, 0, 5000, READABLE);
	if (ftruncate(fd, 777777))
		die("ftruncate");
	finish(fd);

	fd = create("only");
	if (ftruncate(fd, size ? (off_t)size : 100 * MIB + 1))	/* no larger: many a test reads all of it */
		die("ftruncate");
	finish(fd);

	fd = create("comb");
	for (unsigned i = 0; i < 64; i += 2)
		put_new(fd, i * 4096, 4096, i % 4 ? READABLE : SCRAMBLED);
	finish(fd);

	fd = create("punched");
	put_new(fd, 0, 512 * KIB, SCRAMBLED);
	settle(fd);
	allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100 * KIB, 33333);
	finish(fd);
}

/* size: of what is allocated at once (at least 256 KiB) */
static void make_prealloc(uint64_t size)
{
	const uint64_t length = size ? size : MIB;
	int fd = create("unwritten");
	allocate(fd, 0, 0, length);
	finish(fd);

	fd = create("part-written");
	allocate(fd, 0, 0, length);
	settle(fd);
	put_new(fd, 64 * KIB, 100 * KIB, READABLE);
	settle(fd);
	put_new(fd, length / 4 * 3, 5000, SCRAMBLED);
	finish(fd);

	fd = create("past-end");
	put_new(fd, 0, 10000, READABLE);
	allocate(fd, FALLOC_FL_KEEP_SIZE, 0, 256 * KIB);
	finish(fd);

	fd = create("over-hole");
	put_new(fd, 0, 4096, READABLE);
	put_new(fd, 256 * KIB, 4096, SCRAMBLED);
	settle(fd);
	allocate(fd, 0, 64 * KIB, 64 * KIB);
	finish(fd);
}

/* size: how many of the three. */
static void make_nocow(uint64_t size)
{
	int fd = create("plain");
	set_nocow(fd);
	put_new(fd, 0, 700 * KIB, READABLE);
	settle(fd);
	put_new(fd, 4096, 8192, SCRAMBLED);	/* in place */
	finish(fd);
	if (size == 1)
		return;

	fd = create("small");
	set_nocow(fd);
	put_new(fd, 0, 100, READABLE);
	finish(fd);
	if (size == 2)
		return;

	fd = create("prealloc");
	set_nocow(fd);
	allocate(fd, 0, 0, 512 * KIB);
	settle(fd);
	put_new(fd, 128 * KIB, 64 * KIB, SCRAMBLED);
	finish(fd);
}

static void make_reflinks(uint64_t size)
{
	(void)size;
	const int whole = create("source"), copy = create("copy"), parts = create("parts"), itself = create("itself");

	put_new(whole, 0, 640 * KIB, SCRAMBLED);
	settle(whole);
	if (ioctl(copy, FICLONE, whole))
		die("clone");
	put_new(parts, 0, 256 * KIB, READABLE);
	clone(whole, 64 * KIB, 128 * KIB, parts, 32 * KIB);
	clone(whole, 0, 64 * KIB, parts, 512 * KIB);
	put_new(itself, 0, 128 * KIB, READABLE);
	settle(itself);
	clone(itself, 0, 64 * KIB, itself, 256 * KIB);
	settle(whole);
	put_new(copy, 200 * KIB, 40 * KIB, READABLE);	/* the clone goes its own way */

	const int packed = create("compressed"), packed_copy = create("compressed-copy");

	set_compression(packed, "zstd");
	put_new(packed, 0, 300 * KIB, READABLE);
	settle(packed);
	clone(packed, 132 * KIB, 64 * KIB, packed_copy, 0);
	finish(packed);
	finish(packed_copy);
	finish(whole);
	finish(copy);
	finish(parts);
	finish(itself);
}

/* size: of one more file, overwritten in its middle. */
static void make_bookends(uint64_t size)
{
	static const struct { const char *name; unsigned at, length; } over[] = {
		{ "middle", 400 * KIB, 64 * KIB }, { "head", 0, 12 * KIB }, { "tail", 1000 * KIB, 24 * KIB }, { "odd", 333333, 77777 },
	};

	for (size_t i = 0; i < sizeof(over) / sizeof(*over); i++) {
		const int fd = create("%s", over[i].name);

		put_new(fd, 0, MIB, i % 2 ? SCRAMBLED : READABLE);
		settle(fd);
		put_new(fd, over[i].at, over[i].length, i % 2 ? READABLE : SCRAMBLED);
		finish(fd);
	}
	int fd = create("truncated");

	put_new(fd, 0, MIB, SCRAMBLED);
	settle(fd);
	if (ftruncate(fd, 123457))
		die("ftruncate");
	finish(fd);
	if (size == 0)
		return;

	fd = create("large");
	put_new(fd, 0, size, SCRAMBLED);
	settle(fd);
	put_new(fd, size / 2 - 3333, 66666, SCRAMBLED);
	finish(fd);
}

/* A file of size extents (500 by default), written directly and out of order so that no two join. */
static void make_extents(uint64_t size)
{
	const uint64_t n = size ? size : 500;
	const int fd = open("many", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		die("many");
	for (uint64_t i = 0; i < n; i++) {
		const uint64_t place = (i * 7919) % n;

		put_new(fd, place * 8192, place % 3 ? 8192 : 4096, i % 2 ? READABLE : SCRAMBLED);
		if (sync_file_range(fd, place * 8192, 8192, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER))
			die("sync_file_range");
	}
	finish(fd);
}

const struct kind data_kinds[] = {
	{ "sizes", make_sizes }, { "bulk", make_bulk }, { "big", make_big }, { "many", make_many }, { "inline", make_inline },
	{ "compressed", make_compressed }, { "holes", make_holes }, { "prealloc", make_prealloc }, { "nocow", make_nocow },
	{ "reflinks", make_reflinks }, { "bookends", make_bookends }, { "extents", make_extents },
	{ NULL, NULL },
};
