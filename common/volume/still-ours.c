/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks that a filesystem is still what it was when it was opened. */
#include "common/volume/still-ours.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/device/device-in-use.h"
#include "common/volume/supers.h"

bool volume_not_mounted(const struct volume *volume, struct error *err)
{
	return !volume->device->ops->still_ours || volume->mounted_copy_allowed ||
	       filesystem_not_mounted(volume->super.fsid, volume->super.metadata_fsid, err) || error_prefix(err, "%s", volume->device->name);
}

/* A copy that is damaged or belongs to another filesystem may change, because nobody uses it. */
static bool is_same(const struct volume *volume, const struct super_copy *was, const struct super_copy *is)
{
	if (was->valid || was->is_doubted)
		return is->valid && memcmp(&was->super.disk, &is->super.disk, sizeof(was->super.disk)) == 0;
	return !is->valid || memcmp(is->super.fsid, volume->super.fsid, FSID_SIZE) != 0;
}

/* copy: as they are now on the device of this number */
static bool same_copies(const struct volume *volume, size_t number, const struct super_copy copy[SUPER_COPIES], struct error *err)
{
	const struct device *const device = volume->devices[number].device;

	for (unsigned n = 0; n < volume->n_copies; n++) {
		const struct super_copy *const was = &volume->copy[n], *const is = &copy[was->number];

		if (was->device != number || !was->exists || is_same(volume, was, is))
			continue;
		if (is->error.kind != ERROR_IO)
			return error_set(err, ERROR_BUSY, "%s: somebody else has written to it since it was opened: the superblock at %#" PRIx64
					 " has changed", device->name, was->where);
		*err = is->error;
		return false;
	}
	return true;
}

static bool same_supers(const struct volume *volume, struct error *err)
{
	struct super_copy *copy = calloc(SUPER_COPIES, sizeof(*copy));
	bool ok = copy || error_memory(err);

	for (size_t i = 0; ok && i < volume->n_devices; i++) {
		struct device *const device = volume->devices[i].device;

		if (!device)
			continue;
		device->from_medium = true;
		super_copies_find(device, copy);
		device->from_medium = false;
		ok = same_copies(volume, i, copy, err);
	}
	free(copy);
	return ok;
}

bool volume_still_ours(struct volume *volume, struct error *err)
{
	for (size_t i = 0; i < volume->n_devices; i++)
		if (volume->devices[i].device && !device_still_ours(volume->devices[i].device, err))
			return false;
	return volume_not_mounted(volume, err) && same_supers(volume, err);
}

bool volume_locked_by(const struct volume *volume, pid_t *process)
{
	for (size_t i = 0; i < volume->n_devices; i++)
		if (volume->devices[i].device && device_locked_by(volume->devices[i].device, process))
			return true;
	return false;
}

bool volume_check_free(const struct volume *volume, struct error *err)
{
	for (size_t i = 0; i < volume->n_devices; i++)
		if (volume->devices[i].device && !device_check_free(volume->devices[i].device, err))
			return false;
	return volume_not_mounted(volume, err);
}

void volume_share(struct volume *volume)
{
	for (size_t i = 0; i < volume->n_devices; i++)
		if (volume->devices[i].device)
			device_share(volume->devices[i].device);
}
