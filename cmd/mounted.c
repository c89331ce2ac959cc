/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the kernel for the subvolumes of a mounted filesystem, and changes nothing in it. */
#include "cmd/mounted.h"

#include <btrfsutil.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "cmd/image-options.h"
#include "cmd/image.h"
#include "cmd/operands.h"
#include "common/util/escape.h"
#include "common/util/order.h"

/* What errno says about a request to the kernel. */
static bool ask_error(const char *what, struct error *err)
{
	if (errno == EPERM)
		return error_set(err, ERROR_IO, "only root may ask the kernel for the subvolumes of what is mounted");
	return error_system(err, "%s", what);
}

static bool util_error(enum btrfs_util_error code, struct error *err)
{
	return code == BTRFS_UTIL_ERROR_NO_MEMORY ? error_memory(err) : ask_error(btrfs_util_strerror(code), err);
}

/* The root item as the kernel has it. */
static bool read_root(int fd, struct subvolume *subvolume, struct error *err)
{
	struct btrfs_ioctl_search_args args = { .key = {
		.tree_id = ROOT_TREE_ID,
		.min_objectid = subvolume->id,
		.max_objectid = subvolume->id,
		.min_type = KEY_ROOT_ITEM,
		.max_type = KEY_ROOT_ITEM,
		.max_offset = UINT64_MAX,
		.max_transid = UINT64_MAX,
		.nr_items = 4,
	} };
	struct btrfs_ioctl_search_header header;
	struct cursor bytes = { (const uint8_t *)args.buf, sizeof(args.buf), 0 }, item;
	bool found = false;

	if (ioctl(fd, BTRFS_IOC_TREE_SEARCH, &args) != 0)
		return ask_error("cannot read its root item", err) || error_prefix(err, "subvolume %" PRIu64, subvolume->id);
	for (uint32_t i = 0; i < args.key.nr_items; i++) {
		if (!cursor_read(&bytes, &header, sizeof(header)) || !cursor_take(&bytes, header.len, &item))
			return error_set(err, ERROR_IO, "root item of subvolume %" PRIu64 ": the kernel's answer is cut off", subvolume->id);
		if (!root_read(&item, &subvolume->root, err))
			return error_prefix(err, "subvolume %" PRIu64, subvolume->id);
		subvolume->root_key = (struct key){ header.objectid, (uint8_t)header.type, header.offset };
		found = true;
	}
	subvolume->deleted = found && subvolume->root.refs == 0;
	return found || error_set(err, ERROR_NOT_FOUND, "subvolume %" PRIu64 " has no root item: it was removed just now", subvolume->id);
}

/* Takes path. */
static bool add(int fd, struct subvolume_list *list, uint64_t id, uint64_t parent, uint64_t dirid, char *path, struct error *err)
{
	struct subvolume *more = path ? reallocarray(list->at, list->n + 1, sizeof(*more)) : NULL;

	if (!more) {
		free(path);
		return error_memory(err);
	}
	list->at = more;
	list->at[list->n] = (struct subvolume){
		.id = id, .parent_id = parent, .dirid = dirid, .path = (uint8_t *)path, .path_len = strlen(path),
	};
	return read_root(fd, &list->at[list->n++], err);
}

static bool add_all(int fd, struct subvolume_list *list, struct error *err)
{
	struct btrfs_util_subvolume_iterator *iter;
	enum btrfs_util_error code = btrfs_util_create_subvolume_iterator_fd(fd, FS_TREE_ID, 0, &iter);
	struct btrfs_util_subvolume_info info;
	bool ok = true;
	char *path;

	if (code != BTRFS_UTIL_OK)
		return util_error(code, err);
	while (ok && (code = btrfs_util_subvolume_iterator_next_info(iter, &path, &info)) == BTRFS_UTIL_OK)
		ok = add(fd, list, info.id, info.parent_id, info.dir_id, path, err);
	btrfs_util_destroy_subvolume_iterator(iter);
	return ok && (code == BTRFS_UTIL_ERROR_STOP_ITERATION || util_error(code, err));
}

static bool add_deleted(int fd, struct subvolume_list *list, struct error *err)
{
	uint64_t *ids = NULL;
	size_t n = 0;
	const enum btrfs_util_error code = btrfs_util_deleted_subvolumes_fd(fd, &ids, &n);
	struct error gone;
	bool ok = code == BTRFS_UTIL_OK || util_error(code, err);

	for (size_t i = 0; ok && i < n; i++) {
		gone = (struct error){ 0 };
		ok = add(fd, list, ids[i], 0, 0, strdup(""), &gone);
		if (!ok && gone.kind == ERROR_NOT_FOUND) {	/* removed in the meantime */
			free(list->at[--list->n].path);
			ok = true;
		} else if (!ok) {
			*err = gone;
		}
	}
	free(ids);
	return ok;
}

ORDER_BY(by_id, struct subvolume, id);

static bool read_mounted(int fd, struct subvolume_list *list, struct error *err)
{
	enum btrfs_util_error code;
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return error_system(err, "statfs");
	if (fs.f_type != BTRFS_SUPER_MAGIC)
		return error_set(err, ERROR_NOT_FOUND, "not a directory of a btrfs filesystem");
	code = btrfs_util_get_default_subvolume_fd(fd, &list->default_id);
	if (code != BTRFS_UTIL_OK)
		return util_error(code, err);
	if (!add(fd, list, FS_TREE_ID, 0, 0, strdup(""), err) || !add_all(fd, list, err) || !add_deleted(fd, list, err))
		return false;
	qsort(list->at, list->n, sizeof(*list->at), by_id);
	return true;
}

bool subvolumes_open(const char *operand, struct volume **volume, struct subvolume_list *list, struct error *err)
{
	struct stat st;
	char name[256];

	if (stat(operand, &st) != 0 || !S_ISDIR(st.st_mode))
		return image_open(operand, TREES_ANYHOW, volume, err) && subvolumes_read(*volume, list, err);

	const int fd = open(operand, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok;

	*list = (struct subvolume_list){ 0 };
	ok = image_options_none(false, "only for an image", err) &&
	     (!image_options.allow_backing || error_set(err, ERROR_USAGE, "--allow-backing: only for an image")) &&
	     (fd >= 0 ? read_mounted(fd, list, err) : error_system(err, "open"));
	if (fd >= 0)
		close(fd);
	if (ok)
		return true;
	subvolume_list_free(list);
	escape_text(operand, strlen(operand), name, sizeof(name));
	return error_prefix(err, "%s", name);
}

bool mounted_subvolume(const char *directory, uint64_t *id, struct error *err)
{
	const enum btrfs_util_error code = btrfs_util_subvolume_id(directory, id);

	return code == BTRFS_UTIL_OK || util_error(code, err);
}
