/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the item of an unfinished balance. */
#include "format/balance.h"

#include <inttypes.h>

static struct balance_args args_of(const struct disk_balance_args *disk)
{
	return (struct balance_args){
		.profiles = le64(disk->profiles),
		.usage_min = le32(disk->usage_min),
		.usage_max = le32(disk->usage_max),
		.devid = le64(disk->devid),
		.pstart = le64(disk->pstart),
		.pend = le64(disk->pend),
		.vstart = le64(disk->vstart),
		.vend = le64(disk->vend),
		.target = le64(disk->target),
		.flags = le64(disk->flags),
		.limit_min = le32(disk->limit_min),
		.limit_max = le32(disk->limit_max),
		.stripes_min = le32(disk->stripes_min),
		.stripes_max = le32(disk->stripes_max),
	};
}

bool balance_read(struct cursor *item, struct balance *out, struct error *err)
{
	struct disk_balance disk;

	if (item->left != sizeof(disk) || !cursor_read(item, &disk, sizeof(disk)))
		return error_set(err, ERROR_CORRUPT, "balance item at %#" PRIx64 ": %zu bytes, not %zu", item->offset, item->left,
				 sizeof(disk));
	*out = (struct balance){
		.flags = le64(disk.flags),
		.data = args_of(&disk.args[0]),
		.metadata = args_of(&disk.args[1]),
		.system = args_of(&disk.args[2]),
	};
	return true;
}
