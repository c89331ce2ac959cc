/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices in memory that remember: pages of 4 KiB over those they were cloned from, and, where asked for, every write and flush in
 * order.  Cloning is cheap, so that thousands of power cuts can each have a disk of their own.  The devices of one filesystem lie one after
 * the other on one disk, so that a log has the writes to all of them; each is flushed by itself.
 */
#ifndef TESTS_CRASH_DISK_H
#define TESTS_CRASH_DISK_H

#include "common/volume/volume.h"

#define DISK_PAGE 4096u
#define DISK_SECTOR 512u	/* what a power cut leaves whole */

#define DISK_PARTS_MAX 6u

struct disk_write {
	uint64_t at;
	size_t len;
	uint8_t *bytes;
	unsigned epoch;		/* flushes before it, of whatever device */
	unsigned part;		/* which device it goes to */
	uint64_t in_part;	/* where, on that */
	unsigned flushes[DISK_PARTS_MAX];	/* before it, of each device */
};

struct disk_log {
	struct disk_write *write;
	size_t n, room;
	unsigned n_flushes, flushes[DISK_PARTS_MAX];
};

struct faults;

struct disk {
	uint64_t size;
	unsigned n_parts;
	uint64_t begin[DISK_PARTS_MAX + 1];	/* of each device, and the end of the last */
	unsigned lost;		/* bit map: devices that nobody is given */
	size_t n_pages;
	const uint8_t **page;	/* what each page shows: its own, that of the disk it was cloned from, or zeros */
	uint8_t *own;		/* bit map: the page belongs to this disk */
	uint64_t *data;		/* bit map: the page does not show zeros, those of a hole */
	struct disk_log *log;	/* NULL: nothing is recorded; with faults: what gets to the medium */
	struct faults *faults;	/* NULL: what is written is on the medium */
	uint64_t n_writes;	/* calls */
};

/* The harness cannot go on without memory or with a broken image: these exit with a message where they fail. */
void disk_load(const char *path, struct disk *disk);	/* several devices: path,path... */
void disk_clone(const struct disk *from, struct disk *to);	/* from must neither change nor go away before to does */
void disk_free(struct disk *disk);
void disk_log_free(struct disk_log *log);
void disk_record(const struct disk *disk, struct disk_log *log, uint64_t at, const void *bytes, size_t len);

void disk_read(const struct disk *disk, uint64_t at, void *bytes, size_t len);
void disk_write(struct disk *disk, uint64_t at, const void *bytes, size_t len);
bool disk_page_is_own(const struct disk *disk, size_t page);	/* it may change it in place */
bool disk_page_is_lost(const struct disk *disk, size_t page);	/* with its device */
bool disk_page_is_zero(const struct disk *disk, size_t page);

/* All of it as a sparse file; several devices: as path.1 and so on. */
void disk_export(const struct disk *disk, const char *path);

/* The disk as a device, if it is one; it stays the caller's. */
struct device *disk_device(struct disk *disk, bool writable);
/* The filesystem on it, on however many devices. */
bool disk_open(struct disk *disk, bool writable, const struct volume_options *options, struct volume **volume, struct error *err) must_use;

/* Says why and exits with status 2. */
void harness_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif /* TESTS_CRASH_DISK_H */
