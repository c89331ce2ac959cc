/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edits the status and the numbers of quota groups. */
#include "common/convert/copy-quota.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/tree/extent-refs.h"
#include "common/util/set64.h"
#include "format/quota.h"

#define LEVELS_MAX 64u		/* of groups in groups that are followed */

static const struct key status_key = { 0, KEY_QGROUP_STATUS, 0 };

/* *found false: there are no quotas. */
static bool open_quota(struct copying *k, struct tree *quota, bool *found, struct error *err)
{
	struct error none = { 0 };

	*found = tree_open(k->c->volume, QUOTA_TREE_ID, quota, &none);
	return *found || none.kind == ERROR_NOT_FOUND || (*err = none, false);
}

bool copy_quota_begin(struct copying *k, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct qgroup_status status;
	struct disk_qgroup_status *disk;
	struct tree quota;
	uint8_t *data;
	uint32_t len;
	bool found;

	if (!open_quota(k, &quota, &found, err) || (found && !tree_find(&quota, &status_key, &iter, &found, err)))
		return false;
	if (!found)
		return true;
	if (!qgroup_status_read(&iter.item, &status, err))
		return false;
	k->is_simple_quota = status.flags & QGROUP_STATUS_SIMPLE;
	k->quota_since = status.enable_gen;
	if (k->is_simple_quota)
		return true;
	if (!tree_edit_item(k->tx, QUOTA_TREE_ID, &status_key, &data, &len, err))
		return false;
	disk = (struct disk_qgroup_status *)data;
	disk->flags = to_le64(status.flags | QGROUP_STATUS_INCONSISTENT);
	return true;
}

static bool add_to_group(struct copying *k, uint64_t id, uint64_t bytes, struct error *err)
{
	const struct key key = { 0, KEY_QGROUP_INFO, id };
	struct disk_qgroup_info *info;
	struct error missing = { 0 };
	uint8_t *data;
	uint32_t len;

	if (!tree_edit_item(k->tx, QUOTA_TREE_ID, &key, &data, &len, &missing))
		return !error_is_machine(&missing) || (*err = missing, false);
	if (len != sizeof(*info))
		return error_set(err, ERROR_CORRUPT, "quota group %" PRIu64 ": the item has %" PRIu32 " bytes, not %zu", id, len, sizeof(*info));
	info = (struct disk_qgroup_info *)data;
	info->referenced = to_le64(le64(info->referenced) + bytes);
	info->exclusive = to_le64(le64(info->exclusive) + bytes);
	return true;
}

/* The group and all that it is in, each once. Groups are only in groups of a higher level. */
static bool add_up(struct copying *k, const struct tree *quota, struct set64 *seen, uint64_t id, uint64_t bytes, unsigned depth, struct error *err)
{
	const struct key first = { id, KEY_QGROUP_RELATION, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool is_new;

	if (!set64_add(seen, id, &is_new, err))
		return false;
	if (!is_new)
		return true;
	if (!add_to_group(k, id, bytes, err) || !tree_seek(quota, &first, &iter, err))
		return false;
	while (tree_iter_is_in(&iter, &first)) {
		const uint64_t other = iter.key.offset;

		if (other >> 48 > id >> 48 && depth < LEVELS_MAX && !add_up(k, quota, seen, other, bytes, depth + 1, err))
			return false;
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

bool copy_quota_add(struct copying *k, uint64_t owner, uint64_t generation, uint64_t bytes, struct error *err)
{
	cleanup_set64 struct set64 seen = { 0 };
	struct tree quota;
	bool found;

	/* What is older than the quotas is not subtracted when it goes, either. */
	if (!k->is_simple_quota || owner == 0 || generation < k->quota_since)
		return true;
	return open_quota(k, &quota, &found, err) && (!found || add_up(k, &quota, &seen, owner, bytes, 0, err));
}

bool copy_quota_data_owner(struct copying *k, const struct copy_item *extent, uint64_t *owner, struct error *err)
{
	cleanup_block struct block *leaf = NULL;
	bool is_full;

	*owner = 0;
	if (!(k->c->volume->super.incompat & INCOMPAT_SIMPLE_QUOTA))
		return true;
	if (!copy_parent(k, k->plan->extent_edge[extent->first_edge], 0, &leaf, &is_full, err))
		return false;
	*owner = leaf->node.owner;
	return true;
}
