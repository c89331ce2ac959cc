/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The quota group of a subvolume, from the quota tree of an image or of a kernel. */
#include "cmd/show-quota.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/tree/tree.h"
#include "format/quota.h"

static bool take(struct cursor *item, uint8_t type, struct show_quota *quota, struct error *err)
{
	struct qgroup_limit limit;
	struct qgroup_info info;

	if (type == KEY_QGROUP_INFO) {
		if (!qgroup_info_read(item, &info, err))
			return error_prefix(err, "quota group 0/%" PRIu64, quota->id);
		quota->has = true;
		quota->referenced = info.referenced;
		quota->exclusive = info.exclusive;
		return true;
	}
	if (!qgroup_limit_read(item, &limit, err))
		return error_prefix(err, "quota group 0/%" PRIu64, quota->id);
	quota->max_referenced = limit.max_referenced;
	quota->max_exclusive = limit.max_exclusive;
	return true;
}

static bool read_item(const struct tree *tree, uint8_t type, struct show_quota *quota, struct error *err)
{
	const struct key key = { 0, type, quota->id };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool found;

	return tree_find(tree, &key, &iter, &found, err) && (!found || take(&iter.item, type, quota, err));
}

static bool read_image(struct volume *volume, struct show_quota *quota, struct error *err)
{
	struct error what = { 0 };
	struct tree tree;

	if (!tree_open(volume, QUOTA_TREE_ID, &tree, &what)) {
		if (what.kind == ERROR_NOT_FOUND)
			return true;
		*err = what;
		return volume_tolerates(volume, err);
	}
	return (read_item(&tree, KEY_QGROUP_INFO, quota, err) && read_item(&tree, KEY_QGROUP_LIMIT, quota, err)) || volume_tolerates(volume, err);
}

static bool ask_item(int fd, uint8_t type, struct show_quota *quota, struct error *err)
{
	struct btrfs_ioctl_search_args args = { .key = {
		.tree_id = QUOTA_TREE_ID,
		.min_type = type,
		.max_type = type,
		.min_offset = quota->id,
		.max_offset = quota->id,
		.max_transid = UINT64_MAX,
		.nr_items = 1,
	} };
	struct cursor bytes = { (const uint8_t *)args.buf, sizeof(args.buf), 0 }, item;
	struct btrfs_ioctl_search_header header;

	if (ioctl(fd, BTRFS_IOC_TREE_SEARCH, &args) != 0)
		return errno == ENOENT || error_system(err, "quota group 0/%" PRIu64, quota->id);
	if (args.key.nr_items == 0)
		return true;
	if (!cursor_read(&bytes, &header, sizeof(header)) || !cursor_take(&bytes, header.len, &item))
		return error_set(err, ERROR_IO, "quota group 0/%" PRIu64 ": the kernel's answer is cut off", quota->id);
	return take(&item, type, quota, err);
}

static bool ask_mounted(const char *directory, struct show_quota *quota, struct error *err)
{
	const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_system(err, "open");

	const bool ok = ask_item(fd, KEY_QGROUP_INFO, quota, err) && ask_item(fd, KEY_QGROUP_LIMIT, quota, err);

	close(fd);
	return ok;
}

bool show_quota_read(const char *directory, struct volume *volume, uint64_t id, struct show_quota *quota, struct error *err)
{
	*quota = (struct show_quota){ .id = id };
	return volume ? read_image(volume, quota, err) : ask_mounted(directory, quota, err);
}

static void put_limit(const struct row *row, const char *name, const char *before, uint64_t limit)
{
	if (limit)
		row_size(row, name, before, limit);
	else
		row_text(row, NULL, before, "-");
}

void show_quota_print(const struct row *row, const struct show_quota *quota)
{
	char group[32];

	if (!quota->has)
		return;
	snprintf(group, sizeof(group), "0/%" PRIu64, quota->id);
	row_text(row, "quota_group", "\n\tQuota group:\t\t", group);
	put_limit(row, "limit_referenced", "\n\t  Limit referenced:\t", quota->max_referenced);
	put_limit(row, "limit_exclusive", "\n\t  Limit exclusive:\t", quota->max_exclusive);
	row_size(row, "usage_referenced", "\n\t  Usage referenced:\t", quota->referenced);
	row_size(row, "usage_exclusive", "\n\t  Usage exclusive:\t", quota->exclusive);
}
