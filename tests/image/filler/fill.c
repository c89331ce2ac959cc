/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fills a directory of a mounted btrfs with tagged content of every kind; the same seed and kinds give the same bytes.
 * fill DIR SEED KIND[:SIZE]... (kinds: see the tables; `fill` alone lists them)
 */
#include "tests/image/filler/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/image/tag.h"

static struct tag_key key;
static uint32_t last_file;

void die(const char *format, ...)
{
	const int reason = errno;
	va_list args;

	va_start(args, format);
	fprintf(stderr, "fill: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, ": %s\n", strerror(reason));
	va_end(args);
	exit(1);
}

uint32_t next_file(void)
{
	return ++last_file;
}

void enter(const char *name)
{
	if (mkdir(name, 0755) || chdir(name))
		die("%s", name);
}

void leave(void)
{
	if (chdir(".."))
		die("..");
}

int create(const char *format, ...)
{
	char name[256];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);

	const int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		die("%s", name);
	return fd;
}

void finish(int fd)
{
	if (close(fd))
		die("close");
}

void put(int fd, uint32_t file, uint64_t at, uint64_t length, enum style style)
{
	static uint8_t bytes[MIB + 2 * TAG_BYTES];
	const uint64_t end = at + length;

	while (at < end) {
		const uint64_t first = at / TAG_BYTES;
		const uint64_t part = end - at < MIB ? end - at : MIB;
		const uint64_t last = (at + part - 1) / TAG_BYTES;

		for (uint64_t g = first; g <= last; g++)
			/* Half of the readable form is scrambled: else streams compressed under two seeds would be alike. */
			tag_write(&key, file, g, style == SCRAMBLED || g % 2, bytes + (g - first) * TAG_BYTES);
		if (pwrite(fd, bytes + at % TAG_BYTES, part, at) != (ssize_t)part)
			die("write of %llu bytes at %llu", (unsigned long long)part, (unsigned long long)at);
		at += part;
	}
}

void put_new(int fd, uint64_t at, uint64_t length, enum style style)
{
	put(fd, next_file(), at, length, style);
}

void make_file(const char *name, uint64_t length, enum style style)
{
	const int fd = create("%s", name);

	put_new(fd, 0, length, style);
	finish(fd);
}

void put_text(char *text, size_t length)
{
	const uint32_t file = next_file();
	char part[9];

	for (size_t at = 0, group = 0; at < length; at += TAG_BYTES, group++) {
		const size_t left = length - at;

		memcpy(text + at, &key.magic, left < 8 ? left : 8);
		snprintf(part, sizeof(part), "%05x%03zx", file & 0xfffff, group & 0xfff);
		if (left > 8)
			memcpy(text + at + 8, part, left - 8 < 8 ? left - 8 : 8);
	}
	text[length] = 0;
}

static const struct kind *find_kind(const char *word, uint64_t *size)
{
	const struct kind *const tables[] = { data_kinds, name_kinds };
	const size_t length = strcspn(word, ":");

	*size = word[length] ? strtoull(word + length + 1, NULL, 0) : 0;
	for (size_t t = 0; t < 2; t++)
		for (const struct kind *kind = tables[t]; kind->name; kind++)
			if (strlen(kind->name) == length && memcmp(kind->name, word, length) == 0)
				return kind;
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		printf("usage: fill DIR SEED KIND[:SIZE]...\nkinds:");
		for (const struct kind *kind = data_kinds; kind->name; kind++)
			printf(" %s", kind->name);
		for (const struct kind *kind = name_kinds; kind->name; kind++)
			printf(" %s", kind->name);
		printf("\n");
		return 2;
	}
	umask(022);
	key = tag_key_of(strtoull(argv[2], NULL, 0));
	if (chdir(argv[1]))
		die("%s", argv[1]);
	for (int i = 3; i < argc; i++) {
		uint64_t size;
		const struct kind *kind = find_kind(argv[i], &size);

		errno = EINVAL;
		if (!kind)
			die("%s", argv[i]);
		enter(kind->name);
		kind->make(size);
		leave();
	}
	return 0;
}
