/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks the items of the quota tree: only their sizes, because a kernel may have written any field value. */
#include "format/quota.h"

#include <inttypes.h>

#define corrupt_at(kind, format, ...) \
	error_set(err, ERROR_CORRUPT, kind " at %#" PRIx64 ": " format, item->offset, __VA_ARGS__)

bool qgroup_status_read(struct cursor *item, struct qgroup_status *out, struct error *err)
{
	const size_t short_size = offsetof(struct disk_qgroup_status, enable_gen);
	struct disk_qgroup_status disk = { 0 };
	const size_t size = item->left;

	if ((size != short_size && size != sizeof(disk)) || !cursor_read(item, &disk, size))
		return corrupt_at("qgroup status", "%zu bytes, not %zu or %zu", size, short_size, sizeof(disk));
	*out = (struct qgroup_status){
		.version = le64(disk.version),
		.generation = le64(disk.generation),
		.flags = le64(disk.flags),
		.rescan = le64(disk.rescan),
		.has_enable_gen = size == sizeof(disk),
		.enable_gen = le64(disk.enable_gen),
	};
	return true;
}

bool qgroup_info_read(struct cursor *item, struct qgroup_info *out, struct error *err)
{
	struct disk_qgroup_info disk;

	if (item->left != sizeof(disk) || !cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("qgroup info", "%zu bytes, not %zu", item->left, sizeof(disk));
	*out = (struct qgroup_info){
		.generation = le64(disk.generation),
		.referenced = le64(disk.referenced),
		.referenced_compressed = le64(disk.referenced_compressed),
		.exclusive = le64(disk.exclusive),
		.exclusive_compressed = le64(disk.exclusive_compressed),
	};
	return true;
}

bool qgroup_limit_read(struct cursor *item, struct qgroup_limit *out, struct error *err)
{
	struct disk_qgroup_limit disk;

	if (item->left != sizeof(disk) || !cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("qgroup limit", "%zu bytes, not %zu", item->left, sizeof(disk));
	*out = (struct qgroup_limit){
		.flags = le64(disk.flags),
		.max_referenced = le64(disk.max_referenced),
		.max_exclusive = le64(disk.max_exclusive),
		.rsv_referenced = le64(disk.rsv_referenced),
		.rsv_exclusive = le64(disk.rsv_exclusive),
	};
	return true;
}
