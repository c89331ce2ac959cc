/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items of the quota tree. A QGROUP_RELATION has no payload: its key says everything. */
#ifndef FORMAT_QUOTA_H
#define FORMAT_QUOTA_H

#include "format/cursor.h"
#include "format/ondisk.h"

#define QGROUP_STATUS_ON		(1ull << 0)
#define QGROUP_STATUS_RESCAN		(1ull << 1)
#define QGROUP_STATUS_INCONSISTENT	(1ull << 2)
#define QGROUP_STATUS_SIMPLE		(1ull << 3)

struct disk_qgroup_status {
	struct le64 version;
	struct le64 generation;
	struct le64 flags;
	struct le64 rescan;
	struct le64 enable_gen;		/* only if the flags say SIMPLE, or a later kernel wrote it */
};
static_assert(offsetof(struct disk_qgroup_status, enable_gen) == 32, "btrfs_qgroup_status_item of older kernels");

struct disk_qgroup_info {
	struct le64 generation;
	struct le64 referenced, referenced_compressed;
	struct le64 exclusive, exclusive_compressed;
};
static_assert(sizeof(struct disk_qgroup_info) == 40, "btrfs_qgroup_info_item");

struct disk_qgroup_limit {
	struct le64 flags;
	struct le64 max_referenced, max_exclusive;
	struct le64 rsv_referenced, rsv_exclusive;
};
static_assert(sizeof(struct disk_qgroup_limit) == 40, "btrfs_qgroup_limit_item");

struct qgroup_status {
	uint64_t version, generation, flags, rescan;
	bool has_enable_gen;
	uint64_t enable_gen;
};

struct qgroup_info {
	uint64_t generation, referenced, referenced_compressed, exclusive, exclusive_compressed;
};

struct qgroup_limit {
	uint64_t flags, max_referenced, max_exclusive, rsv_referenced, rsv_exclusive;
};

/* 32 bytes, or 40 with enable_gen. */
bool qgroup_status_read(struct cursor *item, struct qgroup_status *status, struct error *err) must_use;
bool qgroup_info_read(struct cursor *item, struct qgroup_info *info, struct error *err) must_use;
bool qgroup_limit_read(struct cursor *item, struct qgroup_limit *limit, struct error *err) must_use;

#endif /* FORMAT_QUOTA_H */
