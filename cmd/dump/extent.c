/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of the extent tree and the csum tree. */
#include "cmd/dump/items.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/util/hex.h"
#include "format/extent-item.h"

static const struct bit_name extent_flags[] = {
	{ EXTENT_FLAG_DATA, "DATA" }, { EXTENT_FLAG_TREE_BLOCK, "TREE_BLOCK" }, { EXTENT_FLAG_FULL_BACKREF, "FULL_BACKREF" },
};

#define N_EXTENT_FLAGS (sizeof(extent_flags) / sizeof(extent_flags[0]))

static void dump_root_id(struct dump *dump, uint64_t id)
{
	char text[OBJECT_TEXT_SIZE];

	if (dump->object) {
		VALUES(VALUE("root", id), dump_text(dump, "root_name", object_text(id, text)));
	} else {
		dump_text(dump, "root", object_text(id, text));
	}
}

static void dump_ref(struct dump *dump, const struct extent_ref *ref)
{
	switch (ref->type) {
	case KEY_TREE_BLOCK_REF:
		dump_words(dump, "tree block backref");
		dump_root_id(dump, ref->root);
		break;
	case KEY_SHARED_BLOCK_REF:
		VALUES(dump_words(dump, "shared block backref"), VALUE_OF(*ref, parent));
		break;
	case KEY_EXTENT_DATA_REF:
		dump_words(dump, "extent data backref");
		dump_root_id(dump, ref->root);
		VALUES(VALUE_OF(*ref, objectid), VALUE_OF(*ref, offset), VALUE_OF(*ref, count));
		break;
	case KEY_SHARED_DATA_REF:
		VALUES(dump_words(dump, "shared data backref"), VALUE_OF(*ref, parent), VALUE_OF(*ref, count));
		break;
	default:
		dump_words(dump, "extent owner");
		dump_root_id(dump, ref->root);
		break;
	}
	if (dump->object)
		dump_text(dump, "type", key_type_name(ref->type) ? key_type_name(ref->type) : "unknown");
	dump_end_line(dump);
}

bool dump_extent(struct dump *dump, struct cursor *item, struct error *err)
{
	const bool is_skinny = dump->key->type == KEY_METADATA_ITEM;
	struct extent_item extent;
	char flags[64];

	if (!extent_item_read(item, dump->key, &extent, err))
		return false;
	VALUES(VALUE_OF(extent, refs), dump_u64(dump, dump->object ? "generation" : "gen", extent.generation));
	if (dump->object)
		dump_bits(dump, "flags", extent.flags, bits_text(extent.flags, extent_flags, N_EXTENT_FLAGS, flags, sizeof(flags)));
	else
		dump_text(dump, "flags", known_bits_text(extent.flags, extent_flags, N_EXTENT_FLAGS, "", flags, sizeof(flags)));
	dump_end_line(dump);
	if (is_skinny) {
		VALUES(dump_words(dump, "tree block skinny"), VALUE_OF(extent, level));
	} else if (extent.has_block_info) {
		VALUES(dump_key(dump, "tree block", &extent.first_key), VALUE_OF(extent, level));
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

bool dump_extent_ref(struct dump *dump, struct cursor *item, struct error *err)
{
	struct extent_ref ref;

	if (!extent_ref_read(item, dump->key, &ref, err))
		return false;
	if (dump->object) {
		dump_ref(dump, &ref);
		return true;
	}
	/* btrfs-progs does not repeat what the key says. */
	switch (ref.type) {
	case KEY_TREE_BLOCK_REF:
		dump_words(dump, "tree block backref");
		break;
	case KEY_SHARED_BLOCK_REF:
		dump_words(dump, "shared block backref");
		break;
	case KEY_SHARED_DATA_REF:
		VALUES(dump_words(dump, "shared data backref"), VALUE_OF(ref, count));
		break;
	default:
		dump_ref(dump, &ref);
		break;
	}
	return true;
}

/* As many in a line as fit if each is of the longest kind. */
static void dump_csum_values(struct dump *dump, const struct cursor *item, size_t size)
{
	const size_t n_in_line = CSUM_SIZE / size / 2 > 0 ? CSUM_SIZE / size / 2 : 1;
	const size_t n = item->left / size;

	for (size_t i = 0; i < n; i++) {
		char label[32], value[2 * CSUM_SIZE + 3] = "0x";

		if (i > 0 && i % (n_in_line) == 0)
			dump_end_line(dump);
		snprintf(label, sizeof(label), "[%" PRIu64 "]", dump->key->offset + i * dump->super->sector_size);
		hex_text(item->at + i * size, size, value + 2);
		dump_text(dump, label, value);
	}
}

bool dump_csums(struct dump *dump, struct cursor *item, struct error *err)
{
	const size_t size = csum_type_size(dump->super->csum_type);
	const uint64_t length = item->left / size * dump->super->sector_size;

	if (item->left % size != 0)
		return error_set(err, ERROR_CORRUPT, "csum item: %zu bytes, not a multiple of %zu", item->left, size);
	LINE(dump_words(dump, "range"), VALUE("start", dump->key->offset), dump_u64(dump, "end", dump->key->offset + length),
	     VALUE("length", length));
	dump_json_u64(dump, "csum_size", size);
	dump_json_hex(dump, "csums", item->at, item->left);
	if (dump->csums && !dump->object)
		dump_csum_values(dump, item, size);
	return true;
}
