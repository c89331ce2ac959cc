/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds out which devices make up a filesystem. */
#include "common/volume/devices.h"

#include <inttypes.h>
#include <stdlib.h>

#include <uuid/uuid.h>

#include "common/volume/supers.h"
#include "common/volume/warn.h"

/* including missing ones, of which an image may name any number */
#define DEVICES_MAX 4096

/* A device that was given, with its superblocks. */
struct candidate {
	struct device *device;
	size_t number;		/* in volume->devices */
	struct super_copy copy[SUPER_COPIES];
	unsigned used;
};

static const struct superblock *super_of(const struct candidate *c)
{
	return &c->copy[c->used].super;
}

static bool is_seed(const struct candidate *c)
{
	return super_of(c)->flags & SUPER_FLAG_SEEDING;
}

/*
 * A seed never changes, so its generation does not count: the filesystem is the one that grew from it. Of devices that are equally new, a
 * crash may have left some that do not record the unfinished conversion yet, or no longer.
 */
static bool is_better(const struct candidate *c, const struct candidate *than)
{
	if (is_seed(c) != is_seed(than))
		return is_seed(than);
	if (super_of(c)->generation != super_of(than)->generation)
		return super_of(c)->generation > super_of(than)->generation;
	return superblock_is_unfinished(super_of(c)) && !superblock_is_unfinished(super_of(than));
}

static size_t newest(const struct candidate *c, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		best = is_better(&c[i], &c[best]) ? i : best;
	return best;
}

static bool check_together(const struct candidate *c, const struct candidate *main, struct error *err)
{
	char have[UUID_STR_LEN], want[UUID_STR_LEN];

	if (is_seed(c) || memcmp(super_of(c)->fsid, super_of(main)->fsid, FSID_SIZE) == 0)
		return true;
	uuid_unparse_lower(super_of(c)->fsid, have);
	uuid_unparse_lower(super_of(main)->fsid, want);
	return error_set(err, ERROR_REFUSED, "%s: belongs to the filesystem %s, but %s to %s", c->device->name, have, main->device->name, want);
}

static bool check_twice(const struct candidate *a, const struct candidate *b, struct error *err)
{
	if (super_of(a)->devid != super_of(b)->devid || memcmp(super_of(a)->dev_uuid, super_of(b)->dev_uuid, UUID_SIZE) != 0)
		return true;
	return error_set(err, ERROR_REFUSED, "%s: is devid %" PRIu64 " of the filesystem, and so is %s", b->device->name, super_of(b)->devid,
			 a->device->name);
}

static bool check_all(const struct volume *volume, const struct candidate *c, size_t n, const struct candidate *main, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!check_together(&c[i], main, err))
			return false;
		for (size_t j = 0; j < i; j++)
			if (!check_twice(&c[j], &c[i], err))
				return false;
		if (!is_seed(&c[i]) && super_of(&c[i])->generation != super_of(main)->generation)
			volume_warn(volume, "%s: its generation is %" PRIu64 ", that of %s is %" PRIu64 ": it was missing when the "
				    "filesystem was last written to", c[i].device->name, super_of(&c[i])->generation, main->device->name,
				    super_of(main)->generation);
	}
	return true;
}

/* An invalid copy was only chosen if the choice was tolerant. */
static void use_invalid(struct volume *volume, const struct device *device, struct super_copy *copy)
{
	if (copy->valid)
		return;
	volume_invalid(volume, "%s: %s; it is used anyway", device->name, copy->error.text);
	copy->valid = true;
}

static bool read_all(struct volume *volume, const struct super_choice *choice, struct candidate *c, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!super_copies_read(c[i].device, choice, c[i].copy, &c[i].used, err))
			return false;
		use_invalid(volume, c[i].device, &c[i].copy[c[i].used]);
		super_copies_judge(volume, n > 1 ? c[i].device->name : NULL, choice, c[i].copy, c[i].used);
	}
	return true;
}

static void describe(struct volume_device *to, const struct superblock *super, const struct superblock *main)
{
	to->devid = super->devid;
	to->size = super->dev_total_bytes;
	to->is_seed = super->flags & SUPER_FLAG_SEEDING;
	to->is_stale = !to->is_seed && super->generation < main->generation;
	to->item = super->disk.dev_item;
	memcpy(to->uuid, super->dev_uuid, UUID_SIZE);
	memcpy(to->fsid, super->fsid, FSID_SIZE);
	memcpy(to->metadata_fsid, super->metadata_fsid, FSID_SIZE);
}

static void take_copies(struct volume *volume, const struct candidate *c)
{
	for (unsigned n = 0; n < SUPER_COPIES; n++) {
		struct super_copy *const copy = &volume->copy[volume->n_copies++];

		*copy = c->copy[n];
		copy->device = c->number;
		copy->number = n;
		if (c->copy[n].valid)
			superblock_copy(&copy->super, &c->copy[n].super);
	}
}

static bool take_all(struct volume *volume, const struct candidate *c, size_t n, const struct candidate *main, struct error *err)
{
	volume->copy = calloc(n * SUPER_COPIES, sizeof(*volume->copy));
	if (!volume->copy)
		return error_memory(err);
	take_copies(volume, main);
	for (size_t i = 0; i < n; i++)
		if (&c[i] != main && !is_seed(&c[i]))
			take_copies(volume, &c[i]);
	volume->device = main->device;
	superblock_copy(&volume->super, super_of(main));
	volume->super_used = main->used;
	return true;
}

bool volume_devices_open(struct volume *volume, struct device *first, const struct volume_options *options, struct error *err)
{
	const struct super_choice choice = { .to_convert = options->to_convert, .copy = options->super_copy, .tolerant = options->tolerant };
	const size_t n = options->n_others + 1;
	struct candidate *c = calloc(n, sizeof(*c));
	bool ok;

	volume->devices = calloc(n, sizeof(*volume->devices));
	if (!c || !volume->devices) {
		device_close(first);
		for (size_t i = 0; i < options->n_others; i++)
			device_close(options->others[i]);
		free(c);
		return error_memory(err);
	}
	volume->n_devices = n;
	for (size_t i = 0; i < n; i++) {
		volume->devices[i].device = c[i].device = i == 0 ? first : options->others[i - 1];
		c[i].number = i;
	}
	ok = read_all(volume, &choice, c, n, err);
	if (ok) {
		const struct candidate *main = &c[newest(c, n)];

		ok = check_all(volume, c, n, main, err) && take_all(volume, c, n, main, err);
		for (size_t i = 0; i < n; i++)
			describe(&volume->devices[i], super_of(&c[i]), super_of(main));
	}
	free(c);
	return ok;
}

void volume_devices_close(struct volume *volume)
{
	for (size_t i = 0; i < volume->n_devices; i++)
		device_close(volume->devices[i].device);
	free(volume->devices);
	free(volume->copy);
}

const struct volume_device *volume_device_find(const struct volume *volume, uint64_t devid, const uint8_t uuid[UUID_SIZE])
{
	for (size_t i = 0; i < volume->n_devices; i++) {
		const struct volume_device *device = &volume->devices[i];

		if (device->devid == devid && memcmp(device->uuid, uuid, UUID_SIZE) == 0)
			return device;
	}
	return NULL;
}

bool volume_device_missing(struct volume *volume, uint64_t devid, const uint8_t uuid[UUID_SIZE], const struct volume_device **device,
			   struct error *err)
{
	if (volume->super.n_devices <= 1)
		return error_set(err, ERROR_CORRUPT, "is on device %" PRIu64 ", which is not this one (%" PRIu64 ", or another uuid)", devid,
				 volume->super.devid);
	if (volume->n_devices >= DEVICES_MAX)
		return error_set(err, ERROR_REFUSED, "more than %d devices are named", DEVICES_MAX);

	struct volume_device *more = realloc(volume->devices, (volume->n_devices + 1) * sizeof(*more));

	if (!more)
		return error_memory(err);
	volume->devices = more;
	more += volume->n_devices++;
	*more = (struct volume_device){ .devid = devid };
	memcpy(more->uuid, uuid, UUID_SIZE);
	*device = more;
	return true;
}

bool volume_device_item(struct volume *volume, struct cursor *item, struct error *err)
{
	const struct volume_device *found;
	struct disk_dev_item disk;
	const size_t left = item->left;

	if (!cursor_read(item, &disk, sizeof(disk)))
		return error_set(err, ERROR_CORRUPT, "device item has %zu bytes, not %zu", left, sizeof(disk));
	found = volume_device_find(volume, le64(disk.devid), disk.uuid);
	if (!found && !volume_device_missing(volume, le64(disk.devid), disk.uuid, &found, err))
		return error_prefix(err, "device item");

	struct volume_device *device = &volume->devices[found - volume->devices];

	device->is_named = true;
	/* After a crash a superblock may not know of a chunk yet that was added. */
	device->item.bytes_used = disk.bytes_used;
	if (!device->device) {
		device->size = le64(disk.total_bytes);
		memcpy(device->fsid, disk.fsid, FSID_SIZE);
	}
	return true;
}

static bool is_own_fsid(const struct volume *volume, const struct volume_device *device)
{
	return memcmp(device->fsid, volume->super.fsid, FSID_SIZE) == 0 ||
	       memcmp(device->fsid, volume->super.metadata_fsid, FSID_SIZE) == 0;
}

bool volume_devices_check(const struct volume *volume, struct error *err)
{
	char uuid[UUID_STR_LEN], fsid[UUID_STR_LEN];

	for (size_t i = 0; i < volume->n_devices; i++) {
		const struct volume_device *device = &volume->devices[i];
		const char *of = is_own_fsid(volume, device) ? "" : ", a seed of the filesystem ";

		uuid_unparse_lower(device->uuid, uuid);
		uuid_unparse_lower(device->fsid, fsid);
		if (!device->device)
			volume_warn(volume, "devid %" PRIu64 " (uuid %s%s%s) is missing%s", device->devid, uuid, device->is_named ? of : "",
				    device->is_named && *of ? fsid : "", device->is_named ? "" : ", and named by chunks only");
		else if (!device->is_named && volume->super.n_devices > 1 && is_own_fsid(volume, device))
			volume_warn(volume, "%s: devid %" PRIu64 " (uuid %s) is not named by the chunk tree: it was removed or replaced",
				    device->device->name, device->devid, uuid);
		else if (!device->is_named && !is_own_fsid(volume, device))
			return error_set(err, ERROR_REFUSED, "%s: is a seed of the filesystem %s, but not of that on %s",
					 device->device->name, fsid, volume->device->name);
	}
	return true;
}

bool volume_has_fsid(const struct volume *volume, const uint8_t fsid[FSID_SIZE])
{
	if (memcmp(fsid, volume->super.metadata_fsid, FSID_SIZE) == 0)
		return true;
	for (size_t i = 0; i < volume->n_devices; i++) {
		const struct volume_device *device = &volume->devices[i];

		if (device->device && device->is_seed && memcmp(fsid, device->metadata_fsid, FSID_SIZE) == 0)
			return true;
	}
	return false;
}
