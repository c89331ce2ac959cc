/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The TEMPORARY_ITEM of an unfinished balance: what it was asked to move, for each kind of chunk. */
#ifndef FORMAT_BALANCE_H
#define FORMAT_BALANCE_H

#include "format/cursor.h"
#include "format/ondisk.h"

struct disk_balance_args {
	struct le64 profiles;
	struct le32 usage_min, usage_max;
	struct le64 devid;
	struct le64 pstart, pend;
	struct le64 vstart, vend;
	struct le64 target;
	struct le64 flags;
	struct le32 limit_min, limit_max;
	struct le32 stripes_min, stripes_max;
	struct le64 unused[6];
};
static_assert(sizeof(struct disk_balance_args) == 136, "btrfs_disk_balance_args");

struct disk_balance {
	struct le64 flags;
	struct disk_balance_args args[3];	/* data, metadata, system */
	struct le64 unused[4];
};
static_assert(sizeof(struct disk_balance) == 448, "btrfs_balance_item");

struct balance_args {
	uint64_t profiles, devid, pstart, pend, vstart, vend, target, flags;
	uint32_t usage_min, usage_max, limit_min, limit_max, stripes_min, stripes_max;
};

struct balance {
	uint64_t flags;
	struct balance_args data, metadata, system;
};

bool balance_read(struct cursor *item, struct balance *balance, struct error *err) must_use;

#endif /* FORMAT_BALANCE_H */
