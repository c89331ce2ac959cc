/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages over pages, and the record of what was written. */
#include "tests/crash/faults.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t zeros[DISK_PAGE] __attribute__((aligned(64)));

/* Wiping writes many of these; a log keeps none of them. */
static uint8_t zero_write[1 << 20];

/* Pages that are not in use, as a list through their first bytes. */
static uint8_t *spare;

void harness_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "crash: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(2);
}

static uint8_t *page_new(void)
{
	uint8_t *page = spare;

	if (page) {
		memcpy(&spare, page, sizeof(spare));
		return page;
	}

	const size_t n = 256;
	uint8_t *pages = aligned_alloc(DISK_PAGE, n * DISK_PAGE);

	if (!pages)
		harness_fail("out of memory");
	for (size_t i = 0; i < n; i++) {
		memcpy(pages + i * DISK_PAGE, &spare, sizeof(spare));
		spare = pages + i * DISK_PAGE;
	}
	return page_new();
}

static void page_free(uint8_t *page)
{
	memcpy(page, &spare, sizeof(spare));
	spare = page;
}

bool disk_page_is_own(const struct disk *disk, size_t page)
{
	return disk->own[page / 8] & 1u << page % 8;
}

static size_t words_of(const struct disk *disk)
{
	return disk->n_pages / 64 + 1;
}

/* The bits of pages are kept, as looking at each page for the next hole took most of the time of some tests. */
static void show(struct disk *disk, size_t page, const uint8_t *bytes)
{
	const uint64_t bit = UINT64_C(1) << page % 64;

	disk->page[page] = bytes;
	if (bytes == zeros)
		disk->data[page / 64] &= ~bit;
	else
		disk->data[page / 64] |= bit;
}

static void allocate(struct disk *disk, uint64_t size)
{
	*disk = (struct disk){ .size = size, .n_pages = (size + DISK_PAGE - 1) / DISK_PAGE, .n_parts = 1, .begin = { 0, size } };
	disk->page = malloc(disk->n_pages * sizeof(*disk->page));
	disk->own = calloc(disk->n_pages / 8 + 1, 1);
	disk->data = calloc(words_of(disk), sizeof(*disk->data));
	if (!disk->page || !disk->own || !disk->data)
		harness_fail("out of memory");
}

static const uint8_t *map_file(const char *path, uint64_t *size)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size % DISK_PAGE != 0)
		harness_fail("cannot use %s", path);

	const uint8_t *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (bytes == MAP_FAILED)
		harness_fail("cannot map %s", path);
	close(fd);
	*size = (uint64_t)st.st_size;
	return bytes;
}

void disk_load(const char *path, struct disk *disk)
{
	char *const paths = strdup(path), *rest = paths;
	const uint8_t *bytes[DISK_PARTS_MAX];
	uint64_t begin[DISK_PARTS_MAX + 1] = { 0 };
	unsigned n = 0;

	for (char *one; paths && (one = strsep(&rest, ",")); n++) {
		uint64_t size;

		if (n == DISK_PARTS_MAX)
			harness_fail("more than %u devices", DISK_PARTS_MAX);
		bytes[n] = map_file(one, &size);
		begin[n + 1] = begin[n] + size;
	}
	free(paths);
	allocate(disk, begin[n]);
	disk->n_parts = n;
	memcpy(disk->begin, begin, sizeof(begin));
	for (unsigned part = 0; part < n; part++) {
		for (uint64_t at = begin[part]; at < begin[part + 1]; at += DISK_PAGE) {
			const uint8_t *page = bytes[part] + (at - begin[part]);

			show(disk, at / DISK_PAGE, memcmp(page, zeros, DISK_PAGE) == 0 ? zeros : page);
		}
	}
}

void disk_clone(const struct disk *from, struct disk *to)
{
	allocate(to, from->size);
	to->n_parts = from->n_parts;
	memcpy(to->begin, from->begin, sizeof(to->begin));
	to->lost = from->lost;
	memcpy(to->page, from->page, from->n_pages * sizeof(*from->page));
	memcpy(to->data, from->data, words_of(from) * sizeof(*from->data));
}

void disk_free(struct disk *disk)
{
	for (size_t i = 0; i < disk->n_pages; i++) {
		if (disk_page_is_own(disk, i))
			page_free((uint8_t *)disk->page[i]);
	}
	free(disk->page);
	free(disk->own);
	free(disk->data);
	*disk = (struct disk){ 0 };
}

void disk_log_free(struct disk_log *log)
{
	for (size_t i = 0; i < log->n; i++) {
		if (log->write[i].bytes != zero_write)
			free(log->write[i].bytes);
	}
	free(log->write);
	*log = (struct disk_log){ 0 };
}

void disk_read(const struct disk *disk, uint64_t at, void *bytes, size_t len)
{
	uint8_t *to = bytes;

	while (len > 0) {
		const size_t in = at % DISK_PAGE, n = len < DISK_PAGE - in ? len : DISK_PAGE - in;

		memcpy(to, disk->page[at / DISK_PAGE] + in, n);
		to += n;
		at += n;
		len -= n;
	}
}

static void set_zero(struct disk *disk, size_t page)
{
	if (disk_page_is_own(disk, page)) {
		page_free((uint8_t *)disk->page[page]);
		disk->own[page / 8] &= (uint8_t)~(1u << page % 8);
	}
	show(disk, page, zeros);
}

static uint8_t *make_own(struct disk *disk, size_t page)
{
	if (!disk_page_is_own(disk, page)) {
		uint8_t *own = page_new();

		memcpy(own, disk->page[page], DISK_PAGE);
		show(disk, page, own);
		disk->own[page / 8] |= (uint8_t)(1u << page % 8);
	}
	return (uint8_t *)disk->page[page];
}

void disk_write(struct disk *disk, uint64_t at, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	while (len > 0) {
		const size_t page = at / DISK_PAGE, in = at % DISK_PAGE, n = len < DISK_PAGE - in ? len : DISK_PAGE - in;

		if (n == DISK_PAGE && memcmp(from, zeros, DISK_PAGE) == 0)
			set_zero(disk, page);
		else
			memcpy(make_own(disk, page) + in, from, n);
		from += n;
		at += n;
		len -= n;
	}
}

bool disk_page_is_lost(const struct disk *disk, size_t page)
{
	for (unsigned part = 0; part < disk->n_parts; part++)
		if (disk->lost & 1u << part && page * DISK_PAGE >= disk->begin[part] && page * DISK_PAGE < disk->begin[part + 1])
			return true;
	return false;
}

bool disk_page_is_zero(const struct disk *disk, size_t page)
{
	return disk->page[page] == zeros;
}

static void export_part(const struct disk *disk, unsigned part, const char *path)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const uint64_t begin = disk->begin[part], end = disk->begin[part + 1];

	if (fd < 0 || ftruncate(fd, (off_t)(end - begin)) < 0)
		harness_fail("cannot write %s", path);
	for (uint64_t at = begin; at < end; at += DISK_PAGE) {
		if (!disk_page_is_zero(disk, at / DISK_PAGE) &&
		    pwrite(fd, disk->page[at / DISK_PAGE], DISK_PAGE, (off_t)(at - begin)) != (ssize_t)DISK_PAGE)
			harness_fail("cannot write %s", path);
	}
	if (close(fd) < 0)
		harness_fail("cannot write %s", path);
}

void disk_export(const struct disk *disk, const char *path)
{
	char name[4096];

	for (unsigned part = 0; part < disk->n_parts; part++) {
		snprintf(name, sizeof(name), disk->n_parts > 1 ? "%s.%u" : "%s", path, part + 1);
		export_part(disk, part, name);
	}
}

/* --- as devices ------------------------------------------------------------------------------------- */

struct part {
	struct disk *disk;
	unsigned number;
	uint64_t begin;
};

static bool device_reads(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct part *part = self;

	(void)err;
	disk_read(part->disk, part->begin + at, bytes, len);
	return true;
}

static unsigned part_of(const struct disk *disk, uint64_t at)
{
	unsigned part = 0;

	while (at >= disk->begin[part + 1])
		part++;
	return part;
}

void disk_record(const struct disk *disk, struct disk_log *log, uint64_t at, const void *bytes, size_t len)
{
	if (log->n == log->room) {
		log->room = log->room ? log->room * 2 : 256;
		log->write = reallocarray(log->write, log->room, sizeof(*log->write));
	}

	const bool is_zero = len <= sizeof(zero_write) && memcmp(bytes, zero_write, len) == 0;
	uint8_t *copy = is_zero ? zero_write : malloc(len);

	if (!log->write || !copy)
		harness_fail("out of memory");
	if (!is_zero)
		memcpy(copy, bytes, len);

	const unsigned part = part_of(disk, at);
	struct disk_write *const write = &log->write[log->n++];

	*write = (struct disk_write){ at, len, copy, log->n_flushes, part, at - disk->begin[part], { 0 } };
	memcpy(write->flushes, log->flushes, sizeof(write->flushes));
}

static bool device_writes(void *self, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct part *part = self;
	struct disk *disk = part->disk;

	at += part->begin;
	disk->n_writes++;
	if (disk->faults)
		return faults_write(disk, bytes, len, at, err);
	if (disk->log)
		disk_record(disk, disk->log, at, bytes, len);
	disk_write(disk, at, bytes, len);
	return true;
}

static bool device_flushes(void *self, struct error *err)
{
	const struct part *part = self;
	struct disk *disk = part->disk;

	if (disk->faults && !faults_flush(disk, part->number, err))
		return false;
	if (disk->log) {
		disk->log->n_flushes++;
		disk->log->flushes[part->number]++;
	}
	return true;
}

/* Past the caches, as O_DIRECT does it: what is not written yet is written first. */
static bool device_reads_medium(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct part *part = self;

	(void)err;
	if (part->disk->faults)
		faults_show_medium(part->disk, part->begin + at, len);
	disk_read(part->disk, part->begin + at, bytes, len);
	return true;
}

static bool device_forgets(void *self, struct error *err)
{
	const struct part *part = self;
	struct disk *disk = part->disk;

	if (!disk->faults)
		return true;
	if (!faults_flush(disk, part->number, err))
		return false;
	faults_show_medium(disk, part->begin, disk->begin[part->number + 1] - part->begin);
	return true;
}

/* Only what is zero on the medium may be given back: a power cut afterwards need not leave the hole. */
static void device_punches(void *self, uint64_t at, uint64_t len)
{
	const struct part *part = self;
	const struct disk *disk = part->disk;
	const struct disk *medium = disk->faults ? disk->faults->medium : disk;
	uint8_t bytes[DISK_SECTOR];

	for (uint64_t done = 0; done < len; done += sizeof(bytes)) {
		disk_read(medium, part->begin + at + done, bytes, sizeof(bytes));
		if (memcmp(bytes, zeros, sizeof(bytes)) != 0)
			harness_fail("a hole is punched at %#llx, where the medium has something", (unsigned long long)(at + done));
	}
}

/* What caches show to be zero is no hole while the medium has something. */
static uint64_t next(const struct part *part, uint64_t in_part, bool hole)
{
	const struct disk *disk = part->disk, *medium = disk->faults ? disk->faults->medium : disk;
	const uint64_t end = disk->begin[part->number + 1], at = part->begin + in_part;
	size_t page = at / DISK_PAGE;

	while (page < disk->n_pages) {
		const uint64_t has_data = disk->data[page / 64] | medium->data[page / 64], wanted = (hole ? ~has_data : has_data) >> page % 64;

		if (wanted != 0) {
			page += __builtin_ctzll(wanted);
			break;
		}
		page += 64 - page % 64;
	}

	const uint64_t found = page * DISK_PAGE > end ? end : page * DISK_PAGE;

	return (found > at ? found : at) - part->begin;
}

static uint64_t disk_next_data(void *self, uint64_t at)
{
	return next(self, at, false);
}

static uint64_t disk_next_hole(void *self, uint64_t at)
{
	return next(self, at, true);
}

static struct device *part_device(struct disk *disk, unsigned number, bool writable)
{
	static const struct device_ops ops = {
		.read = device_reads,
		.read_medium = device_reads_medium,
		.write = device_writes,
		.flush = device_flushes,
		.forget = device_forgets,
		.next_data = disk_next_data,
		.next_hole = disk_next_hole,
		.punch = device_punches,
		.close = free,
	};
	struct part *const part = malloc(sizeof(*part));
	char name[16] = "disk";
	struct error err = { 0 };
	struct device *device;

	if (!part)
		harness_fail("out of memory");
	*part = (struct part){ disk, number, disk->begin[number] };
	if (disk->n_parts > 1)
		snprintf(name, sizeof(name), "disk %u", number + 1);
	if (!device_new(&ops, part, name, disk->begin[number + 1] - disk->begin[number], writable, &device, &err))
		harness_fail("%s", err.text);
	return device;
}

struct device *disk_device(struct disk *disk, bool writable)
{
	if (disk->n_parts != 1)
		harness_fail("there are several devices");
	disk->n_writes = 0;
	return part_device(disk, 0, writable);
}

bool disk_open(struct disk *disk, bool writable, const struct volume_options *options, struct volume **volume, struct error *err)
{
	struct volume_options with = options ? *options : (struct volume_options){ 0 };
	struct device *device[DISK_PARTS_MAX];
	unsigned n = 0;

	disk->n_writes = 0;
	for (unsigned i = 0; i < disk->n_parts; i++)
		if (!(disk->lost & 1u << i))
			device[n++] = part_device(disk, i, writable);
	with.degraded = disk->lost != 0;
	with.others = device + 1;
	with.n_others = n - 1;
	return volume_open(device[0], &with, volume, err);
}
