/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A medium under a cache, and what goes wrong between them. */
#include "tests/crash/faults.h"

#include <stdlib.h>
#include <string.h>

static void copy_range(const struct disk *from, struct disk *to, uint64_t at, uint64_t len)
{
	uint8_t page[DISK_PAGE];

	while (len > 0) {
		const size_t in = at % DISK_PAGE, n = len < DISK_PAGE - in ? (size_t)len : DISK_PAGE - in;

		/* Most are the same, and stay borrowed. */
		if (memcmp(from->page[at / DISK_PAGE] + in, to->page[at / DISK_PAGE] + in, n) != 0) {
			disk_read(from, at, page, n);
			disk_write(to, at, page, n);
		}
		at += n;
		len -= n;
	}
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static void to_medium(struct disk *disk, uint64_t at, const void *bytes, size_t len)
{
	if (disk->log)
		disk_record(disk, disk->log, at, bytes, len);
	disk_write(disk->faults->medium, at, bytes, len);
}

#define ALL_PARTS DISK_PARTS_MAX

/* Everything written to the part gets to the medium, but what `lost` says of each by its number. */
static void write_back(struct disk *disk, unsigned part, bool (*lost)(const struct faults *faults, size_t i))
{
	struct faults *faults = disk->faults;
	struct disk_log pending = faults->pending;

	faults->pending = (struct disk_log){ 0 };
	for (size_t i = 0; i < pending.n; i++) {
		const struct disk_write *const write = &pending.write[i];

		if (part != ALL_PARTS && write->part != part)
			disk_record(disk, &faults->pending, write->at, write->bytes, write->len);
		else if (!lost || !lost(faults, i))
			to_medium(disk, write->at, write->bytes, write->len);
	}
	disk_log_free(&pending);
}

/* Is this the write that it happens to, or one of the next to the same place? */
static bool is_hit(struct faults *faults, uint64_t at)
{
	if (faults->kind != FAULT_LOST && faults->kind != FAULT_CHANGED)
		return false;
	if (faults->by_place ? !faults->happened && at == faults->place : faults->n_writes++ == faults->at) {
		faults->happened = true;
		faults->place = at;
		return true;
	}
	return faults->happened && at == faults->place && faults->n_often > 0 && faults->n_often-- > 0;
}

bool faults_write(struct disk *disk, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	struct faults *faults = disk->faults;

	if (faults->kind == FAULT_WRITE_FAILS && faults->n_writes++ == faults->at) {
		faults->happened = true;
		return error_set(err, ERROR_IO, "the device takes no write at %#llx", (unsigned long long)at);
	}
	disk_write(disk, at, bytes, len);
	if (is_hit(faults, at)) {
		if (faults->kind == FAULT_CHANGED) {
			uint8_t *other = malloc(len);
			const size_t sector = mix(faults->seed) % ((len + DISK_SECTOR - 1) / DISK_SECTOR) * DISK_SECTOR;

			if (!other)
				harness_fail("out of memory");
			memcpy(other, bytes, len);
			for (size_t i = sector; i < len && i < sector + DISK_SECTOR; i++)
				other[i] ^= (uint8_t)(1 + mix(faults->seed + i) % 255);
			faults->sector = at + sector;
			memcpy(faults->garbage, other + sector, len - sector < DISK_SECTOR ? len - sector : DISK_SECTOR);
			disk_record(disk, &faults->pending, at, other, len);
			free(other);
		}
		return true;
	}
	disk_record(disk, &faults->pending, at, bytes, len);
	return true;
}

bool faults_are_on(const struct faults *faults, const struct disk *disk)
{
	uint8_t sector[DISK_SECTOR];

	if (faults->kind != FAULT_CHANGED || !faults->happened)
		return false;
	disk_read(disk, faults->sector, sector, sizeof(sector));
	return memcmp(sector, faults->garbage, sizeof(sector)) == 0;
}

static bool loses_half(const struct faults *faults, size_t i)
{
	return mix(faults->seed + i) % 2;
}

bool faults_flush(struct disk *disk, unsigned part, struct error *err)
{
	struct faults *faults = disk->faults;

	if (faults->kind == FAULT_FLUSH_FAILS && faults->n_flushes++ == faults->at) {
		faults->happened = true;
		write_back(disk, part, loses_half);
		return error_set(err, ERROR_IO, "the device cannot flush");
	}
	write_back(disk, part, NULL);
	return true;
}

void faults_show_medium(struct disk *disk, uint64_t at, uint64_t len)
{
	write_back(disk, ALL_PARTS, NULL);
	copy_range(disk->faults->medium, disk, at, len);
}

void disk_faults_begin(struct disk *disk, struct faults *faults, struct disk *medium)
{
	disk_clone(disk, medium);
	/* Pages that the disk may change the medium must not borrow. */
	for (size_t page = 0; page < disk->n_pages; page++) {
		if (disk_page_is_own(disk, page))
			disk_write(medium, page * DISK_PAGE, disk->page[page], 1);
	}
	faults->medium = medium;
	disk->faults = faults;
}

void disk_faults_end(struct disk *disk)
{
	faults_show_medium(disk, 0, disk->size);
	disk->faults = NULL;
}
