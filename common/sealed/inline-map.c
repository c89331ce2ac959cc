/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Indexes inline units, and matches payloads with them. */
#include "common/sealed/inline-map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/sealed/crypt-list.h"
#include "common/util/array.h"
#include "common/util/lower-bound.h"
#include "common/util/order.h"
#include "common/util/take.h"

void inline_map_free(struct inline_map *map)
{
	if (!map)
		return;
	free(map->entry);
	free(map);
}

struct inline_walk {
	inline_visit *visit;
	void *context;
	struct error *damage;	/* the first damage, if damaged items are skipped */
};

static bool inline_item(void *context, struct crypt_list_item *item, bool *go, struct error *err)
{
	const struct inline_walk *walk = context;

	(void)go;
	for (unsigned entry = 0; entry < item->n; entry++) {
		struct crypt_inline_unit unit;

		if (!crypt_inline_unit_next(&item->entries, &unit, err) ||
		    !walk->visit(walk->context, &unit, item->index << 16 | entry, err))
			return false;
	}
	return true;
}

bool inline_visit_all(struct volume *volume, uint16_t domain, inline_visit *visit, void *context, struct error *err)
{
	struct inline_walk walk = { visit, context, NULL };

	return crypt_list_walk(volume, domain, CRYPT_INLINE_UNITS, 0, &(struct crypt_list_visitor){ inline_item, NULL, &walk }, err);
}

static bool note_damage(void *context, const struct error *what, struct error *err)
{
	const struct inline_walk *walk = context;

	(void)err;
	if (walk->damage->kind == ERROR_NONE)
		*walk->damage = *what;
	return true;
}

struct inline_reading {
	struct inline_map *map;
	size_t room;
};

static uint64_t offset_kind(uint64_t offset, enum crypt_inline_kind kind)
{
	return offset * 8 + kind;
}

static bool read_entry(void *context, const struct crypt_inline_unit *unit, uint64_t place, struct error *err)
{
	struct inline_reading *reading = context;
	struct inline_map *map = reading->map;

	if (!ARRAY_ROOM(map->entry, map->n, reading->room, err))
		return false;
	map->entry[map->n++] = (struct inline_entry){ unit->inode, offset_kind(unit->offset, unit->kind), place };
	map->n_items = (place >> 16) + 1;
	return true;
}

ORDER_BY_3(compare_entries, struct inline_entry, inode, offset_kind, place);

static bool read_map(struct volume *volume, uint16_t domain, bool over, struct inline_map **result, struct error *err)
{
	cleanup_inline_map struct inline_map *map = calloc(1, sizeof(*map));
	struct inline_reading reading = { .map = map };
	struct inline_walk walk = { read_entry, &reading, map ? &map->damage : NULL };
	const struct crypt_list_visitor visitor = { inline_item, over ? note_damage : NULL, &walk };

	if (!map)
		return error_memory(err);
	map->volume = volume;
	map->domain = domain;
	if (!crypt_list_walk(volume, domain, CRYPT_INLINE_UNITS, 0, &visitor, err))
		return false;
	if (map->n)
		qsort(map->entry, map->n, sizeof(*map->entry), compare_entries);
	*result = TAKE(map);
	return true;
}

bool inline_map_read(struct volume *volume, uint16_t domain, struct inline_map **map, struct error *err)
{
	return read_map(volume, domain, false, map, err);
}

bool inline_map_read_over(struct volume *volume, uint16_t domain, struct inline_map **map, struct error *err)
{
	return read_map(volume, domain, true, map, err);
}

bool inline_payload_of(const struct key *key, struct cursor item, uint32_t mode, struct inline_payload *payload)
{
	struct cursor head;

	*payload = (struct inline_payload){ .inode = key->objectid, .offset = key->offset };
	switch (key->type) {
	case KEY_EXTENT_DATA:
		if (item.left < FILE_EXTENT_INLINE_HEADER || item.at[offsetof(struct disk_file_extent, type)] != FILE_EXTENT_INLINE ||
		    !cursor_take(&item, FILE_EXTENT_INLINE_HEADER, &head))
			return false;
		payload->kind = S_ISLNK(mode) ? INLINE_SYMLINK : INLINE_DATA;
		break;
	case KEY_VERITY_DESC:
		payload->kind = INLINE_VERITY_DESC;
		break;
	case KEY_VERITY_MERKLE:
		payload->kind = INLINE_VERITY_MERKLE;
		break;
	default:
		return false;
	}
	payload->bytes = item;
	return item.left > 0;
}

/* Reads the unit at a place from its item. */
static bool unit_at(const struct inline_map *map, uint64_t place, struct crypt_inline_unit *unit, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key key = crypt_key(map->domain, CRYPT_INLINE_UNITS, place >> 16);
	struct tree tree;
	unsigned n_entries;
	bool found;

	if (!tree_open(map->volume, ROOT_TREE_ID, &tree, err) || !tree_find(&tree, &key, &iter, &found, err))
		return false;

	struct cursor item = iter.item, skipped;

	if (!found || !crypt_head_read(&item, CRYPT_INLINE_UNITS, &n_entries, err) ||
	    !cursor_take(&item, (place & 0xffff) * sizeof(struct disk_crypt_inline_unit), &skipped))
		return error_set(err, ERROR_CORRUPT, "crypt inline units item %" PRIu64 " of sealing %u changed while it was read",
				 place >> 16, map->domain);
	if (!crypt_inline_unit_next(&item, unit, err))
		return false;
	unit->place = place;
	return true;
}

bool inline_unit_matches(const struct crypt_inline_unit *unit, const struct inline_search *search, bool *yes, struct error *err)
{
	const struct cursor *const bytes = &search->payload->bytes;
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	unit_cipher_read *const read = search->form == PAYLOAD_SEALED ? unit_cipher_open : unit_cipher_reseal;

	return unit_cipher_new(search->schedule, unit->cipher, "inline", &unit->disk.i, sizeof(unit->disk.i), &cipher, err) &&
	       read(cipher, 0, bytes->at, bytes->left, search->out, unit->disk.tag, yes, err);
}

/* Returns the first entry that may belong to the payload. */
static size_t first_entry(const struct inline_map *map, const struct inline_payload *payload)
{
	const uint64_t wanted = offset_kind(payload->offset, payload->kind);
	const struct inline_entry *entry = map->entry;

	return LOWER_BOUND(i, map->n, entry[i].inode < payload->inode || (entry[i].inode == payload->inode && entry[i].offset_kind < wanted));
}

static bool is_entry_of(const struct inline_map *map, size_t at, const struct inline_payload *payload)
{
	return at < map->n && map->entry[at].inode == payload->inode &&
	       map->entry[at].offset_kind == offset_kind(payload->offset, payload->kind);
}

bool inline_unit_is_of(const struct crypt_inline_unit *unit, const struct inline_payload *payload, uint64_t root)
{
	return unit->sealed && unit->inode == payload->inode && unit->offset == payload->offset && unit->kind == payload->kind &&
	       unit->length == payload->bytes.left && (root == 0 || unit->root == root);
}

/* Finds the first unit that fits the payload. root: of the unit; 0: any. */
static bool find_of_root(const struct inline_search *s, uint64_t root, struct crypt_inline_unit *unit, bool *found, struct error *err)
{
	*found = false;
	for (size_t at = first_entry(s->map, s->payload); is_entry_of(s->map, at, s->payload) && !*found; at++) {
		if (!unit_at(s->map, s->map->entry[at].place, unit, err) ||
		    (inline_unit_is_of(unit, s->payload, root) && !inline_unit_matches(unit, s, found, err)))
			return false;
	}
	return true;
}

bool inline_map_find(const struct inline_search *search, struct crypt_inline_unit *unit, bool *found, struct error *err)
{
	const size_t len = search->payload->bytes.left;
	const uint64_t root = search->payload->root;
	struct inline_search with_room = *search;
	bool ok;

	*found = false;
	if (!search->out)
		with_room.out = malloc(len);
	if (!with_room.out)
		return error_memory(err);
	ok = find_of_root(&with_room, root, unit, found, err) && (*found || root == 0 || find_of_root(&with_room, 0, unit, found, err));
	if (!search->out)
		wiped_free(with_room.out, len);
	return ok;
}

bool inline_map_lists(const struct inline_map *map, const struct inline_payload *payload, bool *lists, struct error *err)
{
	*lists = false;
	for (size_t at = first_entry(map, payload); is_entry_of(map, at, payload) && !*lists; at++) {
		struct crypt_inline_unit unit;

		if (!unit_at(map, map->entry[at].place, &unit, err))
			return false;
		*lists = inline_unit_is_of(&unit, payload, payload->root);
	}
	return true;
}

bool inline_map_has(const struct inline_map *map, const struct inline_payload *payload, bool *has, struct error *err)
{
	*has = false;
	return payload->root == 0 || inline_map_lists(map, payload, has, err);
}

bool inode_mode(struct mode_memory *memory, const struct tree *subvolume, uint64_t inode, uint32_t *mode, struct error *err)
{
	if (memory->tree_id != subvolume->id || memory->inode != inode || memory->tree_id == 0) {
		cleanup_tree_iter struct tree_iter iter = { 0 };
		const struct key key = { inode, KEY_INODE_ITEM, 0 };
		struct inode read;
		bool found;

		if (!tree_find(subvolume, &key, &iter, &found, err))
			return false;
		if (!found)
			return error_set(err, ERROR_CORRUPT, "inode %" PRIu64 " of subvolume %" PRIu64 " has data but no inode item", inode,
					 subvolume->id);
		if (!inode_read(&iter.item, &read, err))
			return false;
		*memory = (struct mode_memory){ subvolume->id, inode, read.mode };
	}
	*mode = memory->mode;
	return true;
}
