/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes, times, and what inodes hold, as people read them. */
#include "cmd/value-text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/util/plural.h"
#include "format/fscrypt.h"

const char *size_text(uint64_t bytes, char text[SIZE_TEXT_SIZE])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned i = 0;

	/* Rounded from whole numbers of the next smaller unit, as btrfs-progs do. */
	for (; bytes >= 1024 * 1024 && i + 2 < sizeof(unit) / sizeof(unit[0]); i++)
		bytes /= 1024;
	if (bytes >= 1024)
		snprintf(text, SIZE_TEXT_SIZE, "%.2f%s", (double)bytes / 1024, unit[i + 1]);
	else
		snprintf(text, SIZE_TEXT_SIZE, "%.2f%s", (double)bytes, unit[i]);
	return text;
}

const char *size_with_bytes(uint64_t bytes, char text[SIZE_WITH_BYTES])
{
	char readable[SIZE_TEXT_SIZE];

	if (bytes < 1024)
		snprintf(text, SIZE_WITH_BYTES, "%" PRIu64 " byte%s", bytes, plural(bytes));
	else
		snprintf(text, SIZE_WITH_BYTES, "%s (%" PRIu64 " bytes)", size_text(bytes, readable), bytes);
	return text;
}

static int is_local;

struct poptOption options_time[] = {
	{ "local-time", 0, POPT_ARG_NONE, &is_local, 0, "print times in the time zone of this machine, not in UTC", NULL },
	POPT_TABLEEND
};

static bool break_down(int64_t sec, struct tm *tm)
{
	const time_t at = sec;

	return is_local ? localtime_r(&at, tm) : gmtime_r(&at, tm);
}

const char *date_text(int64_t sec, char text[DATE_TEXT_SIZE])
{
	struct tm tm;

	return break_down(sec, &tm) && strftime(text, DATE_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &tm) > 0 ? text : NULL;
}

const char *zone_text(int64_t sec, char text[ZONE_TEXT_SIZE])
{
	struct tm tm;

	if (!break_down(sec, &tm) || strftime(text, ZONE_TEXT_SIZE, "%z", &tm) == 0)
		text[0] = '\0';
	return text;
}

const char *local_date_text(int64_t sec, char text[DATE_TEXT_SIZE])
{
	char zone[ZONE_TEXT_SIZE];
	size_t used;

	if (!date_text(sec, text))
		return NULL;
	used = strlen(text);
	if (is_local)
		snprintf(text + used, DATE_TEXT_SIZE - used, " %s", zone_text(sec, zone));
	return text;
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

const char *inode_type_name(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return "file";
	case S_IFDIR: return "directory";
	case S_IFLNK: return "symlink";
	case S_IFCHR: return "character-device";
	case S_IFBLK: return "block-device";
	case S_IFIFO: return "fifo";
	default: return "socket";
	}
}

static char type_letter(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return '-';
	case S_IFDIR: return 'd';
	case S_IFLNK: return 'l';
	case S_IFCHR: return 'c';
	case S_IFBLK: return 'b';
	case S_IFIFO: return 'p';
	default: return 's';
	}
}

void inode_mode_text(uint32_t mode, char text[11])
{
	static const char letters[] = "rwxrwxrwx";

	text[0] = type_letter(mode);
	for (unsigned i = 0; i < 9; i++)
		text[1 + i] = mode & (0400u >> i) ? letters[i] : '-';
	if (mode & S_ISUID)
		text[3] = mode & 0100 ? 's' : 'S';
	if (mode & S_ISGID)
		text[6] = mode & 0010 ? 's' : 'S';
	if (mode & S_ISVTX)
		text[9] = mode & 0001 ? 't' : 'T';
	text[10] = '\0';
}

bool inode_is_device(uint32_t mode)
{
	return S_ISCHR(mode) || S_ISBLK(mode);
}

unsigned rdev_major(uint64_t rdev)
{
	return rdev >> 20 & 0xfff;
}

unsigned rdev_minor(uint64_t rdev)
{
	return rdev & 0xfffff;
}

/* The bit in an inode's flags, its name in btrfs, and its letter in lsattr, if it has one. */
static const struct flag {
	uint64_t bit;
	const char *name;
	char letter;
} flags_known[] = {
	{ INODE_NODATASUM, "NODATASUM", 0 }, { INODE_NODATACOW, "NODATACOW", 'C' }, { 1ull << 2, "READONLY", 0 },
	{ 1ull << 3, "NOCOMPRESS", 'm' }, { 1ull << 4, "PREALLOC", 0 }, { 1ull << 5, "SYNC", 'S' },
	{ INODE_IMMUTABLE, "IMMUTABLE", 'i' }, { 1ull << 7, "APPEND", 'a' }, { 1ull << 8, "NODUMP", 'd' },
	{ 1ull << 9, "NOATIME", 'A' }, { 1ull << 10, "DIRSYNC", 'D' }, { 1ull << 11, "COMPRESS", 'c' },
	{ INODE_ENCRYPT, "ENCRYPT", 0 },
	{ 1ull << 31, "ROOT_ITEM_INIT", 0 }, { INODE_RO_VERITY, "VERITY", 'V' },
};

const char *inode_flags_text(uint64_t flags, char text[INODE_FLAGS_TEXT_SIZE])
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(flags_known); i++) {
		if (!(flags & flags_known[i].bit))
			continue;
		len += (size_t)snprintf(text + len, INODE_FLAGS_TEXT_SIZE - len, "%s%s", len ? "|" : "", flags_known[i].name);
		flags &= ~flags_known[i].bit;
	}
	if (flags)
		len += (size_t)snprintf(text + len, INODE_FLAGS_TEXT_SIZE - len, "%s0x%" PRIx64, len ? "|" : "", flags);
	return len ? text : strcpy(text, "none");
}

const char *inode_attributes_text(uint64_t flags, char text[ATTRIBUTES_TEXT_SIZE])
{
	static const char order[] = "suSDiadAcEjItTeCxFNPVm";

	static_assert(sizeof(order) == ATTRIBUTES_TEXT_SIZE, "lsattr of e2fsprogs 1.47");
	memset(text, '-', ATTRIBUTES_TEXT_SIZE - 1);
	text[ATTRIBUTES_TEXT_SIZE - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(flags_known); i++) {
		const struct flag *flag = &flags_known[i];

		if (flag->letter && flags & flag->bit)
			text[strchr(order, flag->letter) - order] = flag->letter;
	}
	/* The kernel reports only the stronger one. */
	if (flags & 1ull << 3)
		text[strchr(order, 'c') - order] = '-';
	return text;
}

const char *inode_time_text(const struct inode_time *at, char text[TIME_TEXT_SIZE])
{
	char date[DATE_TEXT_SIZE], zone[ZONE_TEXT_SIZE];

	if (date_text(at->sec, date))
		snprintf(text, TIME_TEXT_SIZE, "%s.%09" PRIu32 " %s", date, at->nsec, zone_text(at->sec, zone));
	else
		snprintf(text, TIME_TEXT_SIZE, "@%" PRId64 ".%09" PRIu32, at->sec, at->nsec);
	return text;
}

void json_time(struct json_object *object, const char *name, const struct inode_time *at)
{
	const bool is_before = at->sec < 0 && at->nsec > 0 && at->nsec < 1000000000;
	const int64_t sec = is_before ? at->sec + 1 : at->sec;

	/* On disk, nanoseconds count forward even before 1970. As one number, they are subtracted from the next second. */
	json_format(object, name, "%s%" PRId64 ".%09" PRIu32, is_before && sec == 0 ? "-" : "", sec, is_before ? 1000000000 - at->nsec : at->nsec);
}

const char *compression_name(uint8_t compression)
{
	static const char *const names[] = { "none", "zlib", "lzo", "zstd" };

	return compression < ARRAY_SIZE(names) ? names[compression] : "unknown";
}

uint64_t inode_blocks(const struct inode *inode, uint32_t sector_size)
{
	return (inode->nbytes / sector_size + (inode->nbytes % sector_size != 0)) * (sector_size / 512);
}
