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
	dump_u64(dump, "length", le64(chunk.length));
	dump_u64(dump, "owner", le64(chunk.owner));
	dump_u64(dump, "stripe_len", le64(chunk.stripe_len));
	dump_group_bits(dump, "type", le64(chunk.type));
	dump_end_line(dump);
	dump_number(dump, "io_align", le32(chunk.io_align));
	dump_number(dump, "io_width", le32(chunk.io_width));
	dump_number(dump, "sector_size", le32(chunk.sector_size));
	dump_end_line(dump);
	dump_number(dump, "num_stripes", le16(chunk.num_stripes));
	dump_number(dump, "sub_stripes", le16(chunk.sub_stripes));
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
		dump_number(dump, "stripe", i);
		dump_u64(dump, "devid", le64(stripe.devid));
		dump_u64(dump, "offset", le64(stripe.offset));
		dump_end_line(dump);
		dump_uuid(dump, "dev_uuid", stripe.dev_uuid);
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
	dump_words(dump, "block group");
	dump_u64(dump, "used", group.used);
	dump_u64(dump, "chunk_objectid", group.chunk_objectid);
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
		dump_words(dump, "free space info");
		dump_number(dump, "extent count", info.extent_count);
		dump_number(dump, "flags", info.flags);
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
	dump_key(dump, "location", &cache.location);
	dump_end_line(dump);
	dump_words(dump, "cache");
	dump_u64(dump, "generation", cache.generation);
	dump_u64(dump, "entries", cache.n_entries);
	dump_u64(dump, "bitmaps", cache.n_bitmaps);
	return true;
}

static void dump_balance_args(struct dump *dump, const char *kind, const char *member, const struct balance_args *args)
{
	dump_words(dump, kind);
	dump_end_line(dump);
	dump_group(dump, member);
	dump_u64(dump, "profiles", args->profiles);
	dump_u64(dump, "devid", args->devid);
	dump_u64(dump, "target", args->target);
	dump_u64(dump, "flags", args->flags);
	dump_end_line(dump);
	dump_number(dump, "usage_min", args->usage_min);
	dump_number(dump, "usage_max", args->usage_max);
	dump_u64(dump, "pstart", args->pstart);
	dump_u64(dump, "pend", args->pend);
	dump_end_line(dump);
	dump_u64(dump, "vstart", args->vstart);
	dump_u64(dump, "vend", args->vend);
	dump_number(dump, "limit_min", args->limit_min);
	dump_number(dump, "limit_max", args->limit_max);
	dump_end_line(dump);
	dump_number(dump, "stripes_min", args->stripes_min);
	dump_number(dump, "stripes_max", args->stripes_max);
	dump_end_line(dump);
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
	dump_words(dump, "balance status");
	dump_u64(dump, "flags", balance.flags);
	dump_end_line(dump);
	dump_balance_args(dump, "DATA", "data", &balance.data);
	dump_balance_args(dump, "METADATA", "metadata", &balance.metadata);
	dump_balance_args(dump, "SYSTEM", "system", &balance.system);
	return true;
}
