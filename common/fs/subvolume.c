/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subvolumes of a filesystem: their root items and their places. */
#include "common/fs/subvolume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs/inode-names.h"
#include "common/fs/path.h"
#include "common/util/array.h"
#include "common/util/escape.h"
#include "common/util/lower-bound.h"
#include "common/util/order.h"
#include "common/volume/tolerance.h"

/* While paths are made: the directory entry of a subvolume, until its path is known. */
struct known_path {
	uint8_t *name;
	size_t name_len;
	enum { PATH_UNKNOWN, PATH_WANTED, PATH_KNOWN } state;
};

struct list_reading {
	struct volume *volume;
	struct subvolume_list *list;
	struct known_path *place;	/* one per entry of list->at */
	size_t n_room, place_room;
	bool over;	/* list damage instead of failing */
	struct subvolume_named {	/* the subvolumes to which a ROOT_REF or ROOT_BACKREF refers */
		uint64_t id, parent_id;
	} *named;
	size_t n_named, named_room;
};

static bool is_subvolume_id(uint64_t id)
{
	return id == FS_TREE_ID || (id >= FIRST_FREE_ID && id <= LAST_FREE_ID);
}

/*
 * Can reading go on without subvolume id? Not without the root item of the top level: superblocks name its tree. A path that is too long is
 * no damage, and nothing is tolerated there.
 */
static bool survive(struct list_reading *r, uint64_t id, bool is_path, struct error *err)
{
	struct subvolume_list *list = r->list;
	struct subvolume_lost *lost;
	const bool is_limit = err->kind == ERROR_REFUSED;
	char who[40];

	if (!(is_limit ? r->over || r->volume->tolerance.is_tolerant : r->over && error_is_damage(err)) || (id == FS_TREE_ID && !is_path))
		return volume_tolerates(r->volume, err);
	if (!ARRAY_ROOM(list->lost, list->n_lost, list->lost_room, err))
		return false;
	lost = &list->lost[list->n_lost];
	/* Drop the name: whoever reports the error adds it. */
	snprintf(who, sizeof(who), "subvolume %" PRIu64 ": ", id);
	*lost = (struct subvolume_lost){
		.id = id,
		.is_path = is_path,
		.kind = is_limit ? ERROR_REFUSED : ERROR_CORRUPT,
		.what = strdup(err->text + (strncmp(err->text, who, strlen(who)) == 0 ? strlen(who) : 0)),
	};
	*err = (struct error){ 0 };
	list->n_lost++;
	return lost->what || error_memory(err);
}

/* --- the items -------------------------------------------------------------------------------------------- */

static bool add_root_item(struct list_reading *r, const struct key *key, struct cursor *item, struct error *err)
{
	struct subvolume_list *list = r->list;
	struct subvolume *last = list->n ? &list->at[list->n - 1] : NULL;
	char text[KEY_TEXT_SIZE];
	struct root root;

	if (!root_read(item, &root, err))
		return error_prefix(err, "root item %s", key_text(key, text));
	/* Several items of one id: the last one counts, as keys ascend. */
	if (last && last->id == key->objectid) {
		last->root_key = *key;
		last->root = root;
		last->deleted = root.refs == 0;
		return true;
	}
	if (!ARRAY_ROOM(list->at, list->n, r->n_room, err) || !ARRAY_ROOM(r->place, list->n, r->place_room, err))
		return false;
	list->at[list->n] = (struct subvolume){
		.id = key->objectid,
		.root_key = *key,
		.root = root,
		.deleted = root.refs == 0,
	};
	r->place[list->n] = (struct known_path){ 0 };
	list->n++;
	return true;
}

/* (child, ROOT_BACKREF, parent): its key follows the ROOT_ITEM of the child. */
static bool add_backref(struct list_reading *r, const struct key *key, struct cursor *item, struct error *err)
{
	const size_t i = r->list->n - 1;	/* only used if list->n > 0 */
	char text[KEY_TEXT_SIZE];
	struct root_ref ref;

	if (!root_ref_read(item, &ref, err))
		return error_prefix(err, "root backref %s", key_text(key, text));
	if (r->list->n == 0 || r->list->at[i].id != key->objectid || r->place[i].name)
		return true;
	r->place[i].name = malloc(ref.name.left);
	if (!r->place[i].name)
		return error_memory(err);
	memcpy(r->place[i].name, ref.name.at, ref.name.left);
	r->place[i].name_len = ref.name.left;
	r->list->at[i].parent_id = key->offset;
	r->list->at[i].dirid = ref.dirid;
	return true;
}

static bool note_named(struct list_reading *r, const struct key *key, struct error *err)
{
	const bool is_up = key->type == KEY_ROOT_BACKREF;
	const uint64_t id = is_up ? key->objectid : key->offset;

	if ((!is_up && key->type != KEY_ROOT_REF) || !is_subvolume_id(id))
		return true;
	if (!ARRAY_ROOM(r->named, r->n_named, r->named_room, err))
		return false;
	r->named[r->n_named++] = (struct subvolume_named){ id, is_up ? key->offset : key->objectid };
	return true;
}

ORDER_BY(compare_named, struct subvolume_named, id);

/* A kernel removes the references to a subvolume before its root item. What was lost until now is in the order of ids. */
static bool find_missing(struct list_reading *r, struct error *err)
{
	const size_t n_lost = r->list->n_lost;
	size_t lost = 0;

	if (r->n_named > 0)
		qsort(r->named, r->n_named, sizeof(*r->named), compare_named);
	for (size_t i = 0; i < r->n_named; i++) {
		const struct subvolume_named *named = &r->named[i];
		const size_t n_before = r->list->n_lost;

		while (lost < n_lost && r->list->lost[lost].id < named->id)
			lost++;
		if ((i > 0 && named[-1].id == named->id) || subvolume_by_id(r->list, named->id) ||
		    (lost < n_lost && r->list->lost[lost].id == named->id))
			continue;
		error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 ": its root item is missing, but the root tree still refers to it", named->id);
		if (!survive(r, named->id, false, err))
			return false;
		if (r->list->n_lost > n_before)
			r->list->lost[n_before].parent_id = named->parent_id;
	}
	return true;
}

static bool read_items(struct list_reading *r, const struct tree *roots, struct error *err)
{
	const struct key first = { FS_TREE_ID, KEY_ROOT_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	if (!tree_seek(roots, &first, &iter, err))
		return false;
	for (; iter.valid && iter.key.objectid <= LAST_FREE_ID; ) {
		const bool ours = is_subvolume_id(iter.key.objectid);

		if (ours && iter.key.type == KEY_ROOT_ITEM && !add_root_item(r, &iter.key, &iter.item, err) &&
		    !survive(r, iter.key.objectid, false, err))
			return false;
		if (ours && iter.key.type == KEY_ROOT_BACKREF && !add_backref(r, &iter.key, &iter.item, err) &&
		    !survive(r, iter.key.objectid, true, err))
			return false;
		if ((ours && !note_named(r, &iter.key, err)) || !tree_next(&iter, err))
			return false;
	}
	return find_missing(r, err);
}

/* Reads the entry "default" of the directory that only the root tree has. */
static bool read_default(struct volume *volume, const struct tree *roots, uint64_t *id, struct error *err)
{
	const struct key key = { le64(volume->super.disk.root_dir_objectid), KEY_DIR_ITEM, dir_entry_name_hash("default", 7) };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct dir_entry entry;
	bool found;

	*id = FS_TREE_ID;
	if (!tree_find(roots, &key, &iter, &found, err))
		return false;
	while (found && iter.item.left > 0) {
		if (!dir_entry_next(&iter.item, &entry, err))
			return error_prefix(err, "default subvolume") || volume_tolerates(volume, err);
		if (entry.name.left == 7 && memcmp(entry.name.at, "default", 7) == 0)
			*id = entry.location.objectid;
	}
	return true;
}

/* --- paths ------------------------------------------------------------------------------------------------ */

/* Joins the path of the parent, the path of the directory inside it, and the name. A part may be empty. */
static bool join_path(const struct subvolume *parent, const uint8_t *dir, size_t dir_len, const struct known_path *place,
		      struct subvolume *child, struct error *err)
{
	const size_t room = parent->path_len + dir_len + place->name_len + 3;

	if (room > PATH_BYTES_MAX)
		return error_set(err, ERROR_REFUSED, "subvolume %" PRIu64 ": its path is longer than %u bytes", child->id, PATH_BYTES_MAX);

	uint8_t *at = child->path = malloc(room);

	if (!at)
		return error_memory(err);
	at = mempcpy(at, parent->path, parent->path_len);
	if (parent->path_len)
		*at++ = '/';
	at = mempcpy(at, dir, dir_len);
	if (dir_len)
		*at++ = '/';
	at = mempcpy(at, place->name, place->name_len);
	*at = '\0';
	child->path_len = at - child->path;
	return true;
}

static bool find_path(struct list_reading *r, size_t child, const struct subvolume *parent, struct error *err)
{
	struct tree tree;
	uint8_t *dir;
	size_t len;
	bool ok;

	if (!tree_open(r->volume, parent->id, &tree, err) ||
	    !inode_path_bytes(&tree, r->list->at[child].dirid, &dir, &len, err))
		return error_prefix(err, "subvolume %" PRIu64, r->list->at[child].id);
	if (!dir)
		return error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 ": its directory %" PRIu64 " in tree %" PRIu64 " has no name",
				 r->list->at[child].id, r->list->at[child].dirid, parent->id);
	ok = join_path(parent, dir, len, &r->place[child], &r->list->at[child], err);
	free(dir);
	return ok;
}

static bool leave_without_path(struct subvolume *subvolume, struct error *err)
{
	subvolume->parent_id = subvolume->dirid = 0;
	subvolume->path = calloc(1, 1);
	return subvolume->path || error_memory(err);
}

/* Makes the paths of all subvolumes from i up to the next one whose path is known, starting at the top. chain has room for all. */
static bool make_path(struct list_reading *r, size_t i, size_t *chain, struct error *err)
{
	struct subvolume *at = r->list->at;
	size_t n = 0;

	while (r->place[i].state == PATH_UNKNOWN) {
		r->place[i].state = PATH_WANTED;
		chain[n++] = i;

		const struct subvolume *parent = r->place[i].name ? subvolume_by_id(r->list, at[i].parent_id) : NULL;

		if (!parent || at[i].deleted || at[i].id == FS_TREE_ID) {
			/* Deleted subvolumes and those that hang nowhere have no path. Neither has anything below them. */
			if (!leave_without_path(&at[i], err))
				return false;
			r->place[i].state = PATH_KNOWN;
			n--;
			break;
		}
		i = parent - at;
	}
	if (r->place[i].state == PATH_WANTED) {
		error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 ": the subvolumes above it are a loop", at[i].id);
		if (!survive(r, at[i].id, true, err) || !leave_without_path(&at[i], err))
			return false;
		r->place[i].state = PATH_KNOWN;
	}
	while (n > 0) {
		const size_t child = chain[--n];
		const struct subvolume *parent = subvolume_by_id(r->list, at[child].parent_id);

		if (r->place[child].state == PATH_KNOWN)	/* the loop was cut at this subvolume */
			continue;
		if (parent->path_len == 0 && parent->id != FS_TREE_ID) {
			if (!leave_without_path(&at[child], err))
				return false;
		} else if (!find_path(r, child, parent, err) && !(survive(r, at[child].id, true, err) && leave_without_path(&at[child], err))) {
			return false;
		}
		r->place[child].state = PATH_KNOWN;
	}
	return true;
}

static bool make_paths(struct list_reading *r, struct error *err)
{
	size_t *chain = reallocarray(NULL, r->list->n + 1, sizeof(*chain));
	bool ok = chain || error_memory(err);

	for (size_t i = 0; ok && i < r->list->n; i++)
		ok = make_path(r, i, chain, err);
	free(chain);
	return ok;
}

static bool has_uuid(const struct subvolume *subvolume)
{
	static const uint8_t none[UUID_SIZE];

	return subvolume->root.has_v2 && !subvolume->root.is_short && memcmp(subvolume->root.uuid, none, UUID_SIZE) != 0;
}

bool subvolume_has_uuid(const struct subvolume *subvolume, const uint8_t uuid[UUID_SIZE])
{
	static const uint8_t none[UUID_SIZE];

	return memcmp(has_uuid(subvolume) ? subvolume->root.uuid : none, uuid, UUID_SIZE) == 0;
}

static int compare_uuids(const void *a, const void *b, void *context)
{
	const struct subvolume_list *list = context;
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const int order = memcmp(list->at[x].root.uuid, list->at[y].root.uuid, UUID_SIZE);

	return order ? order : x < y ? -1 : x > y;
}

bool subvolume_list_index(struct subvolume_list *list, struct error *err)
{
	if (list->n > UINT32_MAX)
		return error_set(err, ERROR_MEMORY, "more than %u subvolumes", UINT32_MAX);
	list->by_uuid = reallocarray(NULL, list->n ? list->n : 1, sizeof(*list->by_uuid));
	if (!list->by_uuid)
		return error_memory(err);
	for (size_t i = 0; i < list->n; i++) {
		if (has_uuid(&list->at[i]))
			list->by_uuid[list->n_by_uuid++] = (uint32_t)i;
	}
	qsort_r(list->by_uuid, list->n_by_uuid, sizeof(*list->by_uuid), compare_uuids, list);
	return true;
}

static bool read_list(struct volume *volume, bool over, struct subvolume_list *list, struct error *err)
{
	struct list_reading reading = { .volume = volume, .list = list, .over = over };
	struct tree roots;
	bool ok;

	*list = (struct subvolume_list){ .volume = volume };
	ok = tree_open(volume, ROOT_TREE_ID, &roots, err) &&
	     read_items(&reading, &roots, err) &&
	     read_default(volume, &roots, &list->default_id, err);
	if (ok && (list->n == 0 || list->at[0].id != FS_TREE_ID))
		ok = error_set(err, ERROR_CORRUPT, "root tree: no root item of the top level (tree %llu)", FS_TREE_ID) ||
		     survive(&reading, FS_TREE_ID, false, err);
	ok = ok && make_paths(&reading, err) && subvolume_list_index(list, err);
	for (size_t i = 0; i < list->n; i++)
		free(reading.place[i].name);
	free(reading.place);
	free(reading.named);
	if (!ok)
		subvolume_list_free(list);
	return ok;
}

bool subvolume_list_read(struct volume *volume, struct subvolume_list *list, struct error *err)
{
	return read_list(volume, false, list, err);
}

bool subvolume_list_read_over(struct volume *volume, struct subvolume_list *list, struct error *err)
{
	return read_list(volume, true, list, err);
}

void subvolume_list_free(struct subvolume_list *list)
{
	for (size_t i = 0; i < list->n_lost; i++)
		free(list->lost[i].what);
	free(list->lost);
	for (size_t i = 0; i < list->n; i++)
		free(list->at[i].path);
	free(list->at);
	free(list->by_uuid);
	*list = (struct subvolume_list){ 0 };
}

/* --- names ------------------------------------------------------------------------------------------------ */

const struct subvolume *subvolume_by_id(const struct subvolume_list *list, uint64_t id)
{
	const size_t i = LOWER_BOUND(at, list->n, list->at[at].id < id);

	return i < list->n && list->at[i].id == id ? &list->at[i] : NULL;
}

const struct subvolume *subvolume_by_uuid(const struct subvolume_list *list, const uint8_t uuid[UUID_SIZE])
{
	for (size_t i = 0; !list->by_uuid && i < list->n; i++) {
		if (has_uuid(&list->at[i]) && memcmp(list->at[i].root.uuid, uuid, UUID_SIZE) == 0)
			return &list->at[i];
	}

	const size_t i = LOWER_BOUND(at, list->n_by_uuid, memcmp(list->at[list->by_uuid[at]].root.uuid, uuid, UUID_SIZE) < 0);

	return i < list->n_by_uuid && memcmp(list->at[list->by_uuid[i]].root.uuid, uuid, UUID_SIZE) == 0 ? &list->at[list->by_uuid[i]] : NULL;
}

bool root_tag_text(const struct root *root, char text[ROOT_TAG_TEXT_SIZE])
{
	if (root->is_short || !root->algorithm[0])
		return false;
	snprintf(text, ROOT_TAG_TEXT_SIZE, "%s@btrfs:%08" PRIx32, root->algorithm, root->key_hash);
	return true;
}

const char *subvolume_name(const struct subvolume_list *list, uint64_t id, char name[160])
{
	const struct subvolume *subvolume = subvolume_by_id(list, id);
	char *path = subvolume ? escape_new(subvolume->path, subvolume->path_len) : NULL;

	snprintf(name, 160, "%s (id %" PRIu64 ")", path ? (path[0] ? path : "/") : "?", id);
	free(path);
	return name;
}
