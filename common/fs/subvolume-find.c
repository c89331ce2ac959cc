/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How people name a subvolume: by id, by uuid, by path. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "common/fs/path.h"
#include "common/fs/subvolume.h"
#include "common/util/escape.h"

static bool find_id(const struct subvolume_list *list, const char *text, const struct subvolume **found, struct error *err)
{
	char *end;

	errno = 0;
	const unsigned long long id = strtoull(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || errno) {
		error_set(err, ERROR_USAGE, "malformed subvolume id \"id:%s\"", text);
		return error_hint(err, "a number as btrfs-crypt list prints it, for example id:256");
	}
	*found = subvolume_by_id(list, id);
	return *found || error_set(err, ERROR_NOT_FOUND, "subvolume id %llu not found", id);
}

static bool find_uuid(const struct subvolume_list *list, const char *text, const struct subvolume **found, struct error *err)
{
	uuid_t uuid;

	if (uuid_parse(text, uuid) != 0) {
		error_set(err, ERROR_USAGE, "malformed subvolume uuid \"uuid:%s\"", text);
		return error_hint(err, "36 characters as btrfs-crypt list --uuid prints them");
	}
	*found = subvolume_by_uuid(list, uuid);
	return *found || error_set(err, ERROR_NOT_FOUND, "subvolume uuid %s not found", text);
}

static bool has_escaped_path(const struct subvolume *subvolume, const char *name)
{
	char *text = escape_new(subvolume->path, subvolume->path_len);
	const bool same = text && strcmp(text, name) == 0;

	free(text);
	return same;
}

static const struct subvolume *by_path(const struct subvolume_list *list, const char *name, size_t len)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct subvolume *at = &list->at[i];

		if (at->path_len == len && memcmp(at->path, name, len) == 0 && (len > 0 || at->id == FS_TREE_ID))
			return at;
	}
	/* Compare with the path as this program prints it. */
	for (size_t i = 0; i < list->n; i++) {
		if (list->at[i].path_len > 0 && list->at[i].path_len != len && has_escaped_path(&list->at[i], name))
			return &list->at[i];
	}
	return NULL;
}

static bool find(const struct subvolume_list *list, const char *name, const struct subvolume **found, struct error *err)
{
	const size_t prefix = subvolume_prefix(name);

	/* An unset variable in a script must not stand for the top level. */
	if (!name[0]) {
		error_set(err, ERROR_USAGE, "SUBVOL is empty");
		return error_hint(err, "the top level is /");
	}
	if (prefix > 0)
		return (prefix == strlen("id:") ? find_id : find_uuid)(list, name + prefix, found, err);

	const char *path = strncmp(name, "<FS_TREE>", 9) == 0 && (name[9] == '/' || name[9] == '\0') ? name + 9 : name;
	struct error ignored;
	struct file_id file;
	char text[200];

	path += strspn(path, "/");

	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		len--;
	*found = by_path(list, path, len);
	if (*found)
		return true;
	escape_text(name, strlen(name), text, sizeof(text));
	error_set(err, ERROR_NOT_FOUND, "subvolume \"%s\" not found", text);
	const bool is_there = list->volume && path_find(list->volume, FS_TREE_ID, path, &file, &ignored);

	if (is_there && file.inode == FIRST_FREE_ID)	/* the root directory of a subvolume, named by a path with // in it */
		return error_hint(err, "it is subvolume id:%" PRIu64 " in another spelling; btrfs-crypt list shows the subvolumes", file.subvolume);
	if (is_there)
		return error_hint(err, "it is a file or directory in the subvolume %s, not a subvolume itself",
				  subvolume_name(list, file.subvolume, text));
	return error_hint(err, "btrfs-crypt list shows the subvolumes");
}

const struct subvolume_lost *subvolume_lost_root(const struct subvolume_list *list, uint64_t id)
{
	for (size_t i = 0; i < list->n_lost; i++) {
		if (list->lost[i].id == id && !list->lost[i].is_path)
			return &list->lost[i];
	}
	return NULL;
}

bool subvolume_find(const struct subvolume_list *list, const char *name, const struct subvolume **found, struct error *err)
{
	const bool is_found = find(list, name, found, err);
	const struct subvolume_lost *lost = is_found ? subvolume_lost_root(list, (*found)->id) : NULL;

	if (!is_found && err->kind == ERROR_NOT_FOUND && list->n_lost > 0)
		lost = strncmp(name, "id:", 3) == 0 ? subvolume_lost_root(list, strtoull(name + 3, NULL, 10)) : &list->lost[0];
	return lost ? error_set(err, lost->kind, "subvolume %" PRIu64 ": %s", lost->id, lost->what) : is_found;
}
