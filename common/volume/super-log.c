/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the end of a superblock log by halving, because the written part of a zone is at its beginning. */
#include "common/volume/super-log.h"

#include <inttypes.h>

#include "common/volume/csum.h"
#include "common/volume/stripe.h"
#include "common/volume/supers.h"

/* The number of superblocks, from the newest back, among which a right one is searched for. */
#define BACK_MAX 64u

static const uint64_t log_at[SUPER_COPIES] = { 0, 512ull << 30, 4096ull << 30 };

/* A zone that holds superblocks. */
struct zone {
	uint64_t start;
	uint64_t n;		/* number of superblocks; 0: none */
	uint64_t generation;	/* of its first one; lower ones were there before the zone was written */
	uint8_t fsid[FSID_SIZE];
};

/* Reads a superblock that claims to be copy n on a zoned device. Checks neither checksum nor other fields. */
static bool read_head(struct device *device, unsigned n, uint64_t at, uint64_t *generation, uint8_t fsid[FSID_SIZE])
{
	struct disk_superblock disk;
	struct error unread;

	if (at > device->size || device->size - at < sizeof(disk) || !device_read(device, &disk, sizeof(disk), at, &unread) ||
	    memcmp(disk.magic, SUPER_MAGIC, sizeof(disk.magic)) != 0 || le64(disk.bytenr) != superblock_offset(n) ||
	    !(le64(disk.incompat_flags) & INCOMPAT_ZONED))
		return false;
	*generation = le64(disk.generation);
	memcpy(fsid, disk.fsid, FSID_SIZE);
	return true;
}

/* A zone may begin with one damaged superblock. */
static bool begins_at(struct device *device, unsigned n, uint64_t start, struct zone *zone)
{
	*zone = (struct zone){ .start = start };
	return read_head(device, n, start, &zone->generation, zone->fsid) ||
	       read_head(device, n, start + SUPER_SIZE, &zone->generation, zone->fsid);
}

static bool has_one(struct device *device, unsigned n, const struct zone *zone, uint64_t i)
{
	uint8_t fsid[FSID_SIZE];
	uint64_t generation;

	return read_head(device, n, zone->start + i * SUPER_SIZE, &generation, fsid) && generation >= zone->generation &&
	       memcmp(fsid, zone->fsid, FSID_SIZE) == 0;
}

static bool goes_on(struct device *device, unsigned n, const struct zone *zone, uint64_t i)
{
	return has_one(device, n, zone, i) || has_one(device, n, zone, i + 1);
}

static void count(struct device *device, unsigned n, struct zone *zone)
{
	uint64_t last = 0, end = 1;

	while (end < ZONE_SIZE_MAX / SUPER_SIZE && goes_on(device, n, zone, end)) {
		last = end;
		end *= 2;
	}
	while (end - last > 1) {
		const uint64_t middle = last + (end - last) / 2;

		*(goes_on(device, n, zone, middle) ? &last : &end) = middle;
	}
	zone->n = last + (has_one(device, n, zone, last + 1) ? 2 : 1);
}

bool super_copy_read(struct device *device, unsigned n, uint64_t where, struct super_copy *copy)
{
	struct error *err = &copy->error;
	uint8_t bytes[SUPER_SIZE];

	*copy = (struct super_copy){ .exists = true, .where = where };
	if (!device_read(device, bytes, sizeof(bytes), where, err) || !superblock_read(bytes, superblock_offset(n), &copy->super, err))
		return false;
	copy->is_readable = true;
	copy->valid = csum_block_matches(copy->super.csum_type, bytes, SUPER_SIZE);
	return copy->valid || error_set(err, ERROR_CORRUPT, "superblock at %#" PRIx64 ": the %s checksum does not match", where,
					csum_type_name(copy->super.csum_type));
}

/* Reads the last right superblock of the zone. */
static bool read_last(struct device *device, unsigned n, const struct zone *zone, struct super_copy *copy)
{
	for (unsigned back = 0; back < BACK_MAX && back < zone->n; back++) {
		if (super_copy_read(device, n, zone->start + (zone->n - 1 - back) * SUPER_SIZE, copy) &&
		    copy->super.incompat & INCOMPAT_ZONED) {
			copy->n_damaged = back;
			return true;
		}
	}
	return false;
}

/* Returns the bytes that the system chunk takes on a device. */
static uint64_t zone_size(const struct superblock *super)
{
	struct cursor array = super->sys_chunks;
	struct chunk_stripe room[CHUNK_STRIPES_MAX];
	struct error ignored;
	struct chunk chunk;

	return chunk_array_next(&array, super->sector_size, room, &chunk, &ignored) ? stripe_length(&chunk) : 0;
}

/*
 * Reads a zone behind the first one. Its superblock itself must name the size of the zone: at the other places there may be a file that looks
 * like a superblock. size: 0 if no superblock of the first zone tells it.
 */
static bool read_second(struct device *device, unsigned n, uint64_t size, struct zone *second, struct super_copy *copy)
{
	const uint64_t first = size ? size : ZONE_SIZE_MIN, last = size ? size : ZONE_SIZE_MAX;

	if (first < ZONE_SIZE_MIN || last > ZONE_SIZE_MAX)
		return false;
	for (size = first; size <= last; size *= 2) {
		if (!begins_at(device, n, log_at[n] + size, second))
			continue;
		count(device, n, second);
		if (read_last(device, n, second, copy) && zone_size(&copy->super) == size)
			return true;
	}
	return false;
}

/* Among equal generations, chooses the zone in use, which is not full. */
static bool second_is_newer(const struct super_copy *one, const struct zone *first, const struct super_copy *other, const struct zone *second)
{
	if (memcmp(one->super.fsid, other->super.fsid, FSID_SIZE) != 0)
		return false;
	if (one->super.generation != other->super.generation)
		return other->super.generation > one->super.generation;
	return second->n <= first->n;
}

bool super_log_begins(struct device *device)
{
	struct zone zone;

	return begins_at(device, 0, log_at[0], &zone);
}

bool super_log_read(struct device *device, unsigned n, struct super_copy *copy)
{
	struct super_copy other;
	struct zone first, second;
	bool has_first = begins_at(device, n, log_at[n], &first);

	if (has_first)
		count(device, n, &first);
	has_first = has_first && read_last(device, n, &first, copy);
	if (!read_second(device, n, has_first ? zone_size(&copy->super) : 0, &second, &other))
		return has_first;
	if (!has_first || second_is_newer(copy, &first, &other, &second)) {
		*copy = other;
		superblock_copy(&copy->super, &other.super);
	}
	return true;
}
