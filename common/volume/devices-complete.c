/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Are the devices those of one filesystem of one time, so that they can be written to? */
#include <inttypes.h>

#include "common/volume/devices.h"
#include "common/volume/mirror.h"
#include "common/volume/stripe.h"

static bool records_conversion(const struct volume *volume, size_t device)
{
	for (unsigned n = 0; n < volume->n_copies; n++) {
		const struct super_copy *copy = &volume->copy[n];

		if (copy->device == device && copy->exists && copy->valid && superblock_is_unfinished(&copy->super))
			return true;
	}
	return false;
}

/* A conversion marks all devices before it changes anything. So if one of them has a newer commit without the mark, a kernel made that. */
static bool is_stale(const struct volume *volume, size_t i, struct error *err)
{
	const struct volume_device *const device = &volume->devices[i];

	if (records_conversion(volume, i) && !volume_is_unfinished(volume)) {
		error_set(err, ERROR_STATE, "%s: devid %" PRIu64 " records an unfinished conversion, but %s is of a later commit: the filesystem was "
			  "mounted without the former, when the conversion had only begun or was over", device->device->name, device->devid,
			  volume->device->name);
		return error_hint(err, "mount the filesystem with all devices, `btrfs scrub start -B`, unmount");
	}
	error_set(err, ERROR_REFUSED, "%s: devid %" PRIu64 " was missing when the filesystem was last written to", device->device->name,
		  device->devid);
	return error_hint(err, "mount the filesystem with all devices, `btrfs scrub start -B`, unmount");
}

static bool has_same_mark(const struct super_copy *a, const struct super_copy *b)
{
	return memcmp(a->super.disk.tail, b->super.disk.tail, SUPER_TAIL_SIZE) == 0 &&
	       (a->super.incompat & INCOMPAT_CRYPT_UNFINISHED) == (b->super.incompat & INCOMPAT_CRYPT_UNFINISHED);
}

/* Of the primaries, or of all other copies: one on another device that does not say the same about a conversion as the first; NULL: none. */
static const struct super_copy *other_mark(const struct volume *volume, bool primaries)
{
	const struct super_copy *first = NULL;

	for (unsigned n = 0; n < volume->n_copies; n++) {
		const struct super_copy *const copy = &volume->copy[n];

		if (!copy->exists || !copy->valid || (copy->number == 0) != primaries)
			continue;
		first = first ? first : copy;
		if (copy->device != first->device && !has_same_mark(copy, first))
			return copy;
	}
	return NULL;
}

/* The first device whose superblocks say something else than the others. */
static const struct volume_device *differing_device(const struct volume *volume)
{
	const struct super_copy *other = other_mark(volume, true);

	other = other ? other : other_mark(volume, false);
	return &volume->devices[other ? other->device : 0];
}

bool volume_reattached(const struct volume *volume, struct error *err)
{
	error_set(err, ERROR_STATE, "the superblocks of %s and of %s do not say the same about a conversion: one of these devices was missing when it "
		  "went on", volume->devices[volume->copy[0].device].device->name, differing_device(volume)->device->name);
	return error_hint(err, "the device that was missing is too old: leave it out, and wipe it (`wipefs --all`) before a kernel sees it together with the others");
}

/*
 * All primaries are written after all other copies. So a power cut leaves one of both kinds as it was on all devices, or as it is to be. If both
 * differ, a conversion went on without one of the devices, which is too old to be used in any way, whatever its generation.
 */
static bool check_same_time(const struct volume *volume, struct error *err)
{
	return !other_mark(volume, true) || !other_mark(volume, false) || volume_reattached(volume, err);
}

static bool stripe_is_there(const struct volume *volume, const struct chunk_stripe *stripe)
{
	const struct volume_device *const device = volume_device_find(volume, stripe->devid, stripe->dev_uuid);

	return device && device->device;
}

/* Are all of its data on the devices that are there? The copies of a stripe follow each other. */
static bool chunk_is_there(const struct volume *volume, const struct chunk *chunk)
{
	const unsigned n_copies = stripe_n_parity(chunk) > 0 ? 1 : chunk_n_mirrors(chunk);

	for (unsigned i = 0; i < chunk->n_stripes; i += n_copies) {
		bool any = false;

		for (unsigned k = i; k < i + n_copies && k < chunk->n_stripes; k++)
			any = any || stripe_is_there(volume, &chunk->stripe[k]);
		if (!any)
			return false;
	}
	return true;
}

static bool check_chunks_are_there(const struct volume *volume, struct error *err)
{
	char text[64];

	for (size_t i = 0; i < volume->n_chunks; i++) {
		if (!chunk_is_there(volume, &volume->chunks[i]))
			return error_set(err, ERROR_REFUSED, "chunk %" PRIu64 ", of profile %s, needs a device that is missing", volume->chunks[i].logical,
					 chunk_type_text(volume->chunks[i].type & GROUP_PROFILE_MASK, text));
	}
	return true;
}

bool volume_devices_complete(const struct volume *volume, struct error *err)
{
	uint64_t n_named = 0;

	for (size_t i = 0; i < volume->n_devices; i++) {
		const struct volume_device *const device = &volume->devices[i];

		n_named += device->is_named;
		if (!device->device && volume->is_degraded)
			continue;
		if (!device->device) {
			error_set(err, ERROR_REFUSED, "devid %" PRIu64 " is missing, and all devices are written to", device->devid);
			return error_hint(err, "name it with --device");
		}
		if (device->is_stale)
			return is_stale(volume, i, err);
		if (device->is_seed)
			return error_set(err, ERROR_REFUSED, "%s: is a seed device", device->device->name);
		if (!device->is_named)
			return error_set(err, ERROR_REFUSED, "%s: devid %" PRIu64 " is no longer a device of the filesystem", device->device->name,
					 device->devid);
		if (device->device->size < device->size)
			return error_set(err, ERROR_REFUSED, "%s: has %" PRIu64 " bytes, but devid %" PRIu64 " of the filesystem has %" PRIu64,
					 device->device->name, device->device->size, device->devid, device->size);
	}
	if (n_named != volume->super.n_devices)
		return error_set(err, ERROR_REFUSED, "%s: the superblock says that the filesystem has %" PRIu64 " devices, the chunk tree names %" PRIu64,
				 volume->device->name, volume->super.n_devices, n_named);
	return check_same_time(volume, err) && check_chunks_are_there(volume, err);
}
