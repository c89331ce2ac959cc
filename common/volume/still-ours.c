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

static bool same_supers(const struct volume *volume, struct error *err)
{
	struct super_copy *copy = calloc(SUPER_COPIES, sizeof(*copy));
	bool ok = true;

	if (!copy)
		return error_memory(err);
	volume->device->from_medium = true;
	super_copies_find(volume->device, copy);
	volume->device->from_medium = false;
	for (unsigned n = 0; ok && n < SUPER_COPIES; n++) {
		if (!volume->copy[n].exists || is_same(volume, &volume->copy[n], &copy[n]))
			continue;
		ok = false;
		if (copy[n].error.kind == ERROR_IO)
			*err = copy[n].error;
		else
			error_set(err, ERROR_BUSY, "%s: somebody else has written to it since it was opened: the superblock at %#" PRIx64
				" has changed", volume->device->name, volume->copy[n].where);
	}
	free(copy);
	return ok;
}

bool volume_still_ours(struct volume *volume, struct error *err)
{
	return device_still_ours(volume->device, err) && volume_not_mounted(volume, err) && same_supers(volume, err);
}
