/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of items that say where space is: chunks, block groups, free space, and a balance of them. */
#include "cmd/dump/items.h"

#include <inttypes.h>

#include "format/balance.h"
#include "format/chunk.h"
#include "format/extent-item.h"
#include "format/small-item.h"

static void dump_group_bits(struct dump *dump, const char *label, uint64_t bits)
{
	char text[64];

	if (dump->object)
		dump_bits(dump, label, bits, chunk_type_text(bits, text));
	else
		dump_text(dump, label, chunk_type_text(bits, text));
}

/* Fields as they are, because people also want to see a chunk that chunk_read() refuses. */
bool dump_chunk(struct dump *dump, struct cursor *item, struct error *err)
{
	struct disk_chunk chunk;

	if (!cursor_read(item, &chunk, sizeof(chunk)))
		return error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 ": %zu bytes, not %zu", dump->key->offset, item->left, sizeof(chunk));
	VALUES(VALUE_OF(chunk, length), VALUE_OF(chunk, owner), VALUE_OF(chunk, stripe_len));
	dump_group_bits(dump, "type", le64(chunk.type));
	dump_end_line(dump);
	LINE(VALUE_OF(chunk, io_align), VALUE_OF(chunk, io_width), VALUE_OF(chunk, sector_size));
	VALUES(VALUE_OF(chunk, num_stripes), VALUE_OF(chunk, sub_stripes));
	dump_list(dump, "stripes");
	dump->indent++;
	for (unsigned i = 0; i < le16(chunk.num_stripes); i++) {
		struct disk_stripe stripe;

		if (!cursor_read(item, &stripe, sizeof(stripe))) {
			dump_list_end(dump);
			dump->indent--;
			return error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 ": %zu bytes left, stripe %u takes %zu", dump->key->offset,
					 item->left, i, sizeof(stripe));
		}
		dump_element(dump);
		LINE(VALUE("stripe", i), VALUE_OF(stripe, devid), VALUE_OF(stripe, offset));
		UUID_OF(stripe, dev_uuid);
	}
	dump_list_end(dump);
	dump->indent--;
	return true;
}

bool dump_block_group(struct dump *dump, struct cursor *item, struct error *err)
{
	struct block_group group;

	if (!block_group_read(item, dump->key, &group, err))
		return false;
	VALUES(dump_words(dump, "block group"), VALUE_OF(group, used), VALUE_OF(group, chunk_objectid));
	dump_group_bits(dump, "flags", group.flags);
	dump_end_line(dump);
	return true;
}

bool dump_free_space(struct dump *dump, struct cursor *item, struct error *err)
{
	struct free_space_info info;

	switch (dump->key->type) {
	case KEY_FREE_SPACE_INFO:
		if (!free_space_info_read(item, &info, err))
			return false;
		VALUES(dump_words(dump, "free space info"), VALUE("extent count", info.extent_count), VALUE_OF(info, flags));
		break;
	case KEY_FREE_SPACE_EXTENT:
		dump_words(dump, "free space extent");
		break;
	default:
		dump_words(dump, "free space bitmap");
		break;
	}
	dump_end_line(dump);
	/* A bitmap has one bit per sector. Its bytes mean nothing to people. */
	if (dump->object && dump->key->type == KEY_FREE_SPACE_BITMAP)
		dump_bytes(dump, item->at, item->left);
	return true;
}

bool dump_space_cache(struct dump *dump, struct cursor *item, struct error *err)
{
	struct space_cache cache;

	if (!space_cache_read(item, &cache, err))
		return false;
	LINE(dump_key(dump, "location", &cache.location));
	LINE(dump_words(dump, "cache"), VALUE_OF(cache, generation), VALUE("entries", cache.n_entries), VALUE("bitmaps", cache.n_bitmaps));
	return true;
}

static void dump_balance_args(struct dump *dump, const char *kind, const char *member, const struct balance_args *args)
{
	LINE(dump_words(dump, kind));
	dump_group(dump, member);
	LINE(VALUE_OF(*args, profiles), VALUE_OF(*args, devid), VALUE_OF(*args, target), VALUE_OF(*args, flags));
	LINE(VALUE_OF(*args, usage_min), VALUE_OF(*args, usage_max), VALUE_OF(*args, pstart), VALUE_OF(*args, pend));
	LINE(VALUE_OF(*args, vstart), VALUE_OF(*args, vend), VALUE_OF(*args, limit_min), VALUE_OF(*args, limit_max));
	LINE(VALUE_OF(*args, stripes_min), VALUE_OF(*args, stripes_max));
	dump_group_end(dump);
}

bool dump_balance(struct dump *dump, struct cursor *item, struct error *err)
{
	struct balance balance;

	if (!balance_read(item, &balance, err))
		return false;
	dump_words(dump, "temporary item objectid BALANCE");
	if (!dump->object)
		dump_u64(dump, "offset", dump->key->offset);
	dump_end_line(dump);
	LINE(dump_words(dump, "balance status"), VALUE_OF(balance, flags));
	dump_balance_args(dump, "DATA", "data", &balance.data);
	dump_balance_args(dump, "METADATA", "metadata", &balance.metadata);
	dump_balance_args(dump, "SYSTEM", "system", &balance.system);
	return true;
}
