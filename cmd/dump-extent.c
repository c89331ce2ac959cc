/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of the extent tree and the csum tree. */
#include "cmd/dump-items.h"

#include <inttypes.h>

#include "format/extent-item.h"

static const struct bit_name extent_flags[] = {
	{ EXTENT_FLAG_DATA, "DATA" }, { EXTENT_FLAG_TREE_BLOCK, "TREE_BLOCK" }, { EXTENT_FLAG_FULL_BACKREF, "FULL_BACKREF" },
};

static void dump_ref(struct dump *dump, const struct extent_ref *ref)
{
	char text[OBJECT_TEXT_SIZE];

	switch (ref->type) {
	case KEY_TREE_BLOCK_REF:
		dump_words(dump, "tree block backref");
		dump_text(dump, "root", object_text(ref->root, text));
		break;
	case KEY_SHARED_BLOCK_REF:
		dump_words(dump, "shared block backref");
		dump_u64(dump, "parent", ref->parent);
		break;
	case KEY_EXTENT_DATA_REF:
		dump_words(dump, "extent data backref");
		dump_text(dump, "root", object_text(ref->root, text));
		dump_u64(dump, "objectid", ref->objectid);
		dump_u64(dump, "offset", ref->offset);
		dump_number(dump, "count", ref->count);
		break;
	case KEY_SHARED_DATA_REF:
		dump_words(dump, "shared data backref");
		dump_u64(dump, "parent", ref->parent);
		dump_number(dump, "count", ref->count);
		break;
	default:
		dump_words(dump, "extent owner");
		dump_text(dump, "root", object_text(ref->root, text));
		break;
	}
	if (dump->object)
		dump_text(dump, "type", key_type_name(ref->type) ? key_type_name(ref->type) : "unknown");
	dump_end_line(dump);
}

bool dump_extent(struct dump *dump, const struct key *key, struct cursor *item, const struct superblock *super,
		 struct error *err)
{
	const bool is_skinny = key->type == KEY_METADATA_ITEM;
	struct extent_item extent;
	char flags[64];

	(void)super;
	if (!extent_item_read(item, key, &extent, err))
		return false;
	dump_u64(dump, "refs", extent.refs);
	dump_u64(dump, "gen", extent.generation);
	dump_text(dump, "flags", bits_text(extent.flags, extent_flags, sizeof(extent_flags) / sizeof(extent_flags[0]), flags, sizeof(flags)));
	dump_end_line(dump);
	if (is_skinny) {
		dump_words(dump, "tree block skinny");
		dump_number(dump, "level", extent.level);
	} else if (extent.has_block_info) {
		dump_key(dump, "tree block", &extent.first_key);
		dump_number(dump, "level", extent.level);
	}
	dump_end_line(dump);
	dump_list(dump, "backrefs");
	while (extent.inline_refs.left > 0) {
		struct extent_ref ref;

		if (!extent_ref_next(&extent.inline_refs, &ref, err)) {
			dump_list_end(dump);
			return false;
		}
		dump_element(dump);
		dump_ref(dump, &ref);
	}
	dump_list_end(dump);
	return true;
}

bool dump_extent_ref(struct dump *dump, const struct key *key, struct cursor *item, const struct superblock *super,
		     struct error *err)
{
	struct extent_ref ref;

	(void)super;
	if (!extent_ref_read(item, key, &ref, err))
		return false;
	dump_ref(dump, &ref);
	return true;
}

bool dump_csums(struct dump *dump, const struct key *key, struct cursor *item, const struct superblock *super,
		struct error *err)
{
	const size_t size = csum_type_size(super->csum_type);
	const uint64_t length = item->left / size * super->sector_size;

	if (item->left % size != 0)
		return error_set(err, ERROR_CORRUPT, "csum item: %zu bytes, not a multiple of %zu", item->left, size);
	dump_words(dump, "range");
	dump_u64(dump, "start", key->offset);
	dump_u64(dump, "end", key->offset + length);
	dump_u64(dump, "length", length);
	dump_end_line(dump);
	return true;
}
