/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adds and removes references of extents. */
#include "common/tree/extent-refs.h"

#include <inttypes.h>

#include "common/tree/tree-edit.h"
#include "common/volume/csum.h"

/* Kernels keep at most a sixteenth of a leaf in an extent item. */
#define ITEM_BYTES_MAX (NODE_SIZE_MAX / 16)
/* References of data have a hash as their key. So many keys are tried if several have the same. */
#define COLLISIONS_MAX 16u

#define corrupt(format, ...) error_set(err, ERROR_CORRUPT, "extent item of %" PRIu64 ": " format, item->at.logical, __VA_ARGS__)

/* An extent item outside its leaf. */
struct item {
	struct transaction *tx;
	struct extent_at at;
	struct key key;
	uint8_t bytes[ITEM_BYTES_MAX];
	uint32_t len, stored;	/* now, and in the tree */
	uint32_t refs_begin;	/* offset of the first inline reference */
	struct extent_item extent;
};

static uint32_t inline_bytes_max(const struct transaction *tx)
{
	return (tx->volume->super.node_size - sizeof(struct disk_header)) / 16 - sizeof(struct disk_item);
}

static bool is_block(const struct extent_at *at)
{
	return at->length == 0;
}

/* --- the item ---------------------------------------------------------------------------------- */

static bool try_key(struct item *item, struct key key, bool *found, struct error *err)
{
	uint8_t *data;
	uint32_t len;

	if (!tree_edit_find(item->tx, EXTENT_TREE_ID, &key, &data, &len, err))
		return false;
	*found = data != NULL;
	if (!data)
		return true;
	if (len > sizeof(item->bytes))
		return corrupt("%" PRIu32 " bytes, more than %zu", len, sizeof(item->bytes));
	memcpy(item->bytes, data, len);
	item->key = key;
	item->len = item->stored = len;
	return true;
}

/* A filesystem that switched to skinny extents later has items of both forms. */
static bool item_load(struct transaction *tx, const struct extent_at *at, struct item *item, struct error *err)
{
	bool found = false;

	item->tx = tx;
	item->at = *at;
	if (is_block(at) && tx->volume->super.incompat & INCOMPAT_SKINNY_METADATA &&
	    !try_key(item, (struct key){ at->logical, KEY_METADATA_ITEM, at->level }, &found, err))
		return false;
	if (!found && !try_key(item, (struct key){ at->logical, KEY_EXTENT_ITEM, is_block(at) ? tx->volume->super.node_size : at->length },
			       &found, err))
		return false;
	if (!found)
		return corrupt("missing%s", "");

	struct cursor bytes = { item->bytes, item->len, at->logical };

	if (!extent_item_read(&bytes, &item->key, &item->extent, err))
		return false;
	if (!!(item->extent.flags & EXTENT_FLAG_TREE_BLOCK) != is_block(at) || (is_block(at) && item->extent.level != at->level))
		return corrupt("it is not the %s that was expected", is_block(at) ? "tree block" : "data extent");
	item->refs_begin = item->len - (uint32_t)item->extent.inline_refs.left;
	return true;
}

static bool item_store(struct item *item, struct error *err)
{
	uint8_t *data;

	((struct disk_extent_item *)item->bytes)->refs = to_le64(item->extent.refs);
	((struct disk_extent_item *)item->bytes)->flags = to_le64(item->extent.flags);
	if (item->len == item->stored) {
		if (!tree_edit_payload(item->tx, EXTENT_TREE_ID, &item->key, item->len, &data, err))
			return false;
		memcpy(data, item->bytes, item->len);
	} else if (!tree_edit_remove(item->tx, EXTENT_TREE_ID, &item->key, err) ||
		   !tree_edit_insert(item->tx, EXTENT_TREE_ID, &item->key, item->bytes, item->len, err)) {
		return false;
	}
	return transaction_carry(item->tx, err);
}

bool extent_look(struct transaction *tx, const struct extent_at *at, struct extent_item *extent, struct error *err)
{
	struct item item;

	if (!item_load(tx, at, &item, err))
		return false;
	*extent = item.extent;
	extent->inline_refs = (struct cursor){ 0 };
	return true;
}

bool extent_set_full_backref(struct transaction *tx, const struct extent_at *at, struct error *err)
{
	struct item item;

	if (!item_load(tx, at, &item, err))
		return false;
	item.extent.flags |= EXTENT_FLAG_FULL_BACKREF;
	return item_store(&item, err);
}

bool extent_add(struct transaction *tx, const struct extent_at *at, uint64_t generation, uint64_t flags, const struct block *block,
		uint64_t owner, struct error *err)
{
	const struct disk_extent_item item = { .generation = to_le64(generation), .flags = to_le64(flags) };
	const bool is_skinny = tx->volume->super.incompat & INCOMPAT_SKINNY_METADATA;
	struct key key = { at->logical, KEY_EXTENT_ITEM, is_block(at) ? tx->volume->super.node_size : at->length };
	uint8_t bytes[sizeof(item) + sizeof(struct disk_tree_block_info)];
	uint32_t len = sizeof(item);

	memcpy(bytes, &item, sizeof(item));
	if (is_block(at) && is_skinny) {
		key = (struct key){ at->logical, KEY_METADATA_ITEM, at->level };
	} else if (is_block(at)) {
		const struct key first = node_key(&block->node, 0);
		const struct disk_tree_block_info info = { key_to_disk(&first), at->level };

		memcpy(bytes + len, &info, sizeof(info));
		len += sizeof(info);
	} else if (owner != 0) {
		const struct disk_extent_inline_ref ref = { KEY_EXTENT_OWNER_REF, to_le64(owner) };

		memcpy(bytes + len, &ref, sizeof(ref));
		len += sizeof(ref);
	}
	return tree_edit_insert(tx, EXTENT_TREE_ID, &key, bytes, len, err) && transaction_carry(tx, err);
}

/* --- references -------------------------------------------------------------------------------- */

static uint32_t crc32c(const void *bytes, size_t len)
{
	struct le32 crc;
	uint8_t out[CSUM_SIZE];

	csum_compute(CSUM_CRC32C, bytes, len, out);
	memcpy(&crc, out, sizeof(crc));
	return ~le32(crc);	/* kernels leave the last inversion out here */
}

static uint64_t data_hash(const struct extent_ref *ref)
{
	const struct le64 root = to_le64(ref->root), file[2] = { to_le64(ref->objectid), to_le64(ref->offset) };

	return (uint64_t)crc32c(&root, sizeof(root)) << 31 ^ crc32c(file, sizeof(file));
}

/* Within a type, references are in descending order of this. */
static uint64_t order_of(const struct extent_ref *ref)
{
	switch (ref->type) {
	case KEY_EXTENT_DATA_REF: return data_hash(ref);
	case KEY_SHARED_BLOCK_REF:
	case KEY_SHARED_DATA_REF: return ref->parent;
	default: return ref->root;
	}
}

static bool same_ref(const struct extent_ref *a, const struct extent_ref *b)
{
	return a->type == b->type && a->root == b->root && a->parent == b->parent && a->objectid == b->objectid && a->offset == b->offset;
}

static bool is_counted(const struct extent_ref *ref)
{
	return ref->type == KEY_EXTENT_DATA_REF || ref->type == KEY_SHARED_DATA_REF;
}

static struct disk_extent_data_ref to_data_ref(const struct extent_ref *ref, uint32_t count)
{
	return (struct disk_extent_data_ref){ to_le64(ref->root), to_le64(ref->objectid), to_le64(ref->offset), to_le32(count) };
}

/* The bytes of an inline reference. Returns how many. */
static uint32_t encode(const struct extent_ref *ref, uint8_t out[1 + sizeof(struct disk_extent_data_ref)])
{
	const struct disk_extent_data_ref data = to_data_ref(ref, ref->count);
	const struct disk_extent_inline_ref other = { ref->type, to_le64(ref->type == KEY_TREE_BLOCK_REF ? ref->root : ref->parent) };
	const struct disk_shared_data_ref count = { to_le32(ref->count) };

	out[0] = ref->type;
	if (ref->type == KEY_EXTENT_DATA_REF) {
		memcpy(out + 1, &data, sizeof(data));
		return 1 + sizeof(data);
	}
	memcpy(out, &other, sizeof(other));
	if (ref->type != KEY_SHARED_DATA_REF)
		return sizeof(other);
	memcpy(out + sizeof(other), &count, sizeof(count));
	return sizeof(other) + sizeof(count);
}

/* Where among the inline references this one is, or should be. */
struct spot {
	uint32_t at, len;	/* len 0: it is not there */
	uint32_t count;
	uint64_t n_inline;	/* all counts together */
};

static bool find_spot(const struct item *item, const struct extent_ref *ref, struct spot *spot, struct error *err)
{
	struct cursor refs = { item->bytes + item->refs_begin, item->len - item->refs_begin, item->at.logical };
	bool passed = false;

	*spot = (struct spot){ .at = item->refs_begin };
	while (refs.left > 0) {
		const uint32_t at = item->len - (uint32_t)refs.left;
		struct extent_ref one;

		if (!extent_ref_next(&refs, &one, err))
			return error_prefix(err, "extent item of %" PRIu64, item->at.logical);

		const uint32_t end = item->len - (uint32_t)refs.left;

		spot->n_inline += one.count;
		if (same_ref(&one, ref)) {
			spot->at = at;
			spot->len = end - at;
			spot->count = one.count;
			passed = true;
		}
		if (!passed && (one.type > ref->type || (one.type == ref->type && order_of(&one) < order_of(ref))))
			passed = true;
		if (!passed)
			spot->at = end;
	}
	return true;
}

/* Puts len bytes in place of old_len ones. */
static void replace(struct item *item, uint32_t at, uint32_t old_len, const uint8_t *bytes, uint32_t len)
{
	memmove(item->bytes + at + len, item->bytes + at + old_len, item->len - at - old_len);
	memcpy(item->bytes + at, bytes, len);
	item->len = item->len - old_len + len;
}

/* --- references that are items ----------------------------------------------------------------------- */

static bool find_keyed(const struct item *item, const struct extent_ref *ref, struct key *key, bool *found, uint32_t *count, struct error *err)
{
	const uint64_t first = order_of(ref);

	*found = false;
	*count = 0;
	for (unsigned i = 0; i < (ref->type == KEY_EXTENT_DATA_REF ? COLLISIONS_MAX : 1) && !*found; i++) {
		struct extent_ref one;
		uint8_t *data;
		uint32_t len;

		*key = (struct key){ item->at.logical, ref->type, first + i };
		if (!tree_edit_find(item->tx, EXTENT_TREE_ID, key, &data, &len, err))
			return false;
		if (!data)
			continue;

		struct cursor bytes = { data, len, item->at.logical };

		if (!extent_ref_read(&bytes, key, &one, err))
			return false;
		*found = same_ref(&one, ref);
		*count = one.count;
	}
	return true;
}

static bool insert_keyed(const struct item *item, const struct extent_ref *ref, struct error *err)
{
	const struct disk_extent_data_ref data = to_data_ref(ref, ref->count);
	const struct disk_shared_data_ref count = { to_le32(ref->count) };
	struct key key = { item->at.logical, ref->type, order_of(ref) };

	if (ref->type == KEY_SHARED_DATA_REF)
		return tree_edit_insert(item->tx, EXTENT_TREE_ID, &key, &count, sizeof(count), err);
	if (ref->type != KEY_EXTENT_DATA_REF)
		return tree_edit_insert(item->tx, EXTENT_TREE_ID, &key, NULL, 0, err);
	for (unsigned i = 0; i < COLLISIONS_MAX; i++, key.offset++) {
		uint8_t *there;
		uint32_t len;

		if (!tree_edit_find(item->tx, EXTENT_TREE_ID, &key, &there, &len, err))
			return false;
		if (!there)
			return tree_edit_insert(item->tx, EXTENT_TREE_ID, &key, &data, sizeof(data), err);
	}
	return corrupt("%u references have the same hash", COLLISIONS_MAX);
}

static bool set_keyed_count(const struct item *item, const struct key *key, uint32_t count, struct error *err)
{
	const struct le32 disk = to_le32(count);
	const size_t at = key->type == KEY_EXTENT_DATA_REF ? offsetof(struct disk_extent_data_ref, count) : 0;
	uint8_t *data;

	if (count == 0)
		return tree_edit_remove(item->tx, EXTENT_TREE_ID, key, err);
	if (!tree_edit_payload(item->tx, EXTENT_TREE_ID, key, 0, &data, err))
		return false;
	memcpy(data + at, &disk, sizeof(disk));
	return true;
}

/* --- both ------------------------------------------------------------------------------------------------ */

static bool has_twice(const struct item *item, struct error *err)
{
	return corrupt("it has twice the same reference to a tree block%s", "");
}

bool extent_ref_add(struct transaction *tx, const struct extent_at *at, const struct extent_ref *ref, struct error *err)
{
	uint8_t bytes[1 + sizeof(struct disk_extent_data_ref)];
	struct extent_ref sum = *ref;
	struct spot spot;
	struct item item;
	struct key key;
	bool is_keyed = false;
	uint32_t len, count = 0;

	if (!item_load(tx, at, &item, err) || !find_spot(&item, ref, &spot, err))
		return false;
	/* If the item has all references, no item of its own need be looked for. */
	if (spot.len == 0 && spot.n_inline < item.extent.refs && !find_keyed(&item, ref, &key, &is_keyed, &count, err))
		return false;
	if ((spot.len > 0 || is_keyed) && !is_counted(ref))
		return has_twice(&item, err);
	item.extent.refs += ref->count;
	sum.count += spot.len > 0 ? spot.count : count;
	len = encode(&sum, bytes);
	if (is_keyed)
		return set_keyed_count(&item, &key, sum.count, err) && item_store(&item, err);
	if (spot.len == 0 && item.len + len > inline_bytes_max(tx))
		return insert_keyed(&item, ref, err) && item_store(&item, err);
	replace(&item, spot.at, spot.len, bytes, len);
	return item_store(&item, err);
}

bool extent_ref_remove(struct transaction *tx, const struct extent_at *at, const struct extent_ref *ref, struct error *err)
{
	uint8_t bytes[1 + sizeof(struct disk_extent_data_ref)];
	struct extent_ref rest = *ref;
	struct spot spot;
	struct item copy, *const item = &copy;
	struct key key;
	bool is_keyed = false;
	uint32_t count = 0;

	if (!item_load(tx, at, item, err) || !find_spot(item, ref, &spot, err) ||
	    (spot.len == 0 && !find_keyed(item, ref, &key, &is_keyed, &count, err)))
		return false;
	if (spot.len > 0)
		count = spot.count;
	if ((spot.len == 0 && !is_keyed) || count < ref->count || item->extent.refs < ref->count)
		return corrupt("it has no reference of type %u, number %" PRIu64 ", %" PRIu32 " times", ref->type,
			       ref->root ? ref->root : ref->parent, ref->count);
	item->extent.refs -= ref->count;
	rest.count = count - ref->count;
	if (is_keyed)
		return set_keyed_count(item, &key, rest.count, err) && item_store(item, err);
	replace(item, spot.at, spot.len, bytes, rest.count > 0 ? encode(&rest, bytes) : 0);
	return item_store(item, err);
}
