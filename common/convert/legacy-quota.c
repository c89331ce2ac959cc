/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tree block less: what root items and quota groups count. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/legacy-run.h"
#include "common/util/array.h"
#include "format/quota.h"

#define LEVELS_MAX 64u		/* of groups in groups that are followed; kernels allow as many as 16 bits number */

struct group_count {
	uint64_t id;
	size_t n;	/* how many of the roots are in it */
};

struct counting {
	const struct tree *quota;
	struct group_count *at;
	size_t n, room;
};

static bool count_group(struct counting *counting, uint64_t id, uint64_t root_number, struct error *err)
{
	size_t i;

	for (i = 0; i < counting->n && counting->at[i].id != id;)
		i++;
	if (i == counting->n) {
		if (!ARRAY_ROOM(counting->at, counting->n, counting->room, err))
			return false;
		counting->at[counting->n++] = (struct group_count){ .id = id };
	}
	/* A group that is in another one by two ways counts once. */
	if (counting->at[i].n < root_number)
		counting->at[i].n++;
	return true;
}

/* The group and all that it is in. Groups are only in groups of a higher level. */
static bool count_up(struct counting *counting, uint64_t id, uint64_t root_number, unsigned depth, struct error *err)
{
	const struct key first = { id, KEY_QGROUP_RELATION, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool ok = count_group(counting, id, root_number, err) && tree_seek(counting->quota, &first, &iter, err);

	while (ok && tree_iter_is_in(&iter, &first)) {
		const uint64_t other = iter.key.offset;

		if (other >> 48 > id >> 48 && depth < LEVELS_MAX)
			ok = count_up(counting, other, root_number, depth + 1, err);
		ok = ok && tree_next(&iter, err);
	}
	return ok;
}

static void subtract(struct le64 *number, uint32_t size)
{
	/* The numbers may be inconsistent, and the kernel says so: then they are no worse than before. */
	if (le64(*number) >= size)
		*number = to_le64(le64(*number) - size);
}

static bool edit_group(struct legacy_run *run, struct transaction *tx, const struct group_count *group, bool is_exclusive, struct error *err)
{
	const struct key key = { 0, KEY_QGROUP_INFO, group->id };
	const uint32_t size = run->volume->super.node_size;
	struct disk_qgroup_info info;
	struct error missing = { 0 };
	uint8_t *data;
	uint32_t len;

	if (!tree_edit_item(tx, QUOTA_TREE_ID, &key, &data, &len, &missing))
		return !error_is_machine(&missing) || (*err = missing, false);
	if (len != sizeof(info))
		return error_set(err, ERROR_CORRUPT, "quota group %" PRIu64 "/%" PRIu64 ": the item has %" PRIu32 " bytes, not %zu", group->id >> 48,
				 group->id & ((UINT64_C(1) << 48) - 1), len, sizeof(info));
	memcpy(&info, data, sizeof(info));
	subtract(&info.referenced, size);
	subtract(&info.referenced_compressed, size);
	if (is_exclusive) {
		subtract(&info.exclusive, size);
		subtract(&info.exclusive_compressed, size);
	}
	memcpy(data, &info, sizeof(info));
	return true;
}

static bool edit_groups(struct legacy_run *run, struct transaction *tx, const uint64_t *root, size_t n, struct error *err)
{
	struct counting counting = { 0 };
	struct error none = { 0 };
	struct tree quota;
	bool ok = true;

	if (!tree_open(run->volume, QUOTA_TREE_ID, &quota, &none))
		return none.kind == ERROR_NOT_FOUND || (*err = none, false);
	counting.quota = &quota;
	for (size_t i = 0; ok && i < n; i++)
		ok = count_up(&counting, root[i], i + 1, 0, err);
	for (size_t i = 0; ok && i < counting.n; i++)
		ok = edit_group(run, tx, &counting.at[i], counting.at[i].n == n, err);
	free(counting.at);
	return ok;
}

static bool edit_root(struct legacy_run *run, struct transaction *tx, uint64_t id, struct error *err)
{
	const struct subvolume *const subvolume = subvolume_by_id(&run->list, id);
	uint8_t *data;
	uint32_t len;

	if (!subvolume || !tree_edit_item(tx, ROOT_TREE_ID, &subvolume->root_key, &data, &len, err))
		return subvolume ? false : error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 " has no root item", id);
	subtract(&((struct disk_root_item *)data)->bytes_used, run->volume->super.node_size);
	return true;
}

bool legacy_quota_less(struct legacy_run *run, struct transaction *tx, const uint64_t *root, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!edit_root(run, tx, root[i], err))
			return false;
	}
	return edit_groups(run, tx, root, n, err);
}
