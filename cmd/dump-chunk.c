/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of what says where space is: chunks, devices, block groups, free space. */
#include "cmd/dump-items.h"

#include <inttypes.h>

#include "format/chunk.h"
#include "format/extent-item.h"

/* Fields as they are: a chunk that chunk_read() refuses is one that people want to see. */
bool dump_chunk(struct dump *dump, const struct key *key, struct cursor *item, const struct superblock *super,
		struct error *err)
{
	struct disk_chunk chunk;
	char type[64];

	(void)super;
	if (!cursor_read(item, &chunk, sizeof(chunk)))
		return error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 ": %zu bytes, not %zu", key->offset, item->left, sizeof(chunk));
	dump_u64(dump, "length", le64(chunk.length));
	dump_u64(dump, "owner", le64(chunk.owner));
	dump_u64(dump, "stripe_len", le64(chunk.stripe_len));
	dump_text(dump, "type", chunk_type_text(le64(chunk.type), type));
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
			return error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 ": %zu bytes left, stripe %u takes %zu", key->offset,
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

bool dump_dev_item(struct dump *dump, const struct key *key, struct cursor *item, const struct superblock *super,
		   struct error *err)
{
	struct disk_dev_item dev;

	(void)super;
	if (!cursor_read(item, &dev, sizeof(dev)))
		return error_set(err, ERROR_CORRUPT, "device item %" PRIu64 ": %zu bytes, not %zu", key->offset, item->left, sizeof(dev));
	dump_u64(dump, "devid", le64(dev.devid));
	dump_u64(dump, "total_bytes", le64(dev.total_bytes));
	dump_u64(dump, "bytes_used", le64(dev.bytes_used));
	dump_end_line(dump);
	dump_number(dump, "io_align", le32(dev.io_align));
	dump_number(dump, "io_width", le32(dev.io_width));
	dump_number(dump, "sector_size", le32(dev.sector_size));
	dump_u64(dump, "type", le64(dev.type));
	dump_end_line(dump);
	dump_u64(dump, "generation", le64(dev.generation));
	dump_u64(dump, "start_offset", le64(dev.start_offset));
	dump_number(dump, "dev_group", le32(dev.dev_group));
	dump_end_line(dump);
	dump_number(dump, "seek_speed", dev.seek_speed);
	dump_number(dump, "bandwidth", dev.bandwidth);
	dump_end_line(dump);
	dump_uuid(dump, "uuid", dev.uuid);
	dump_end_line(dump);
	dump_uuid(dump, "fsid", dev.fsid);
	dump_end_line(dump);
	return true;
}

bool dump_dev_extent(struct dump *dump, const struct key *key, struct cursor *item, const struct superblock *super,
		     struct error *err)
{
	struct disk_dev_extent extent;

	(void)super;
	if (!cursor_read(item, &extent, sizeof(extent)))
		return error_set(err, ERROR_CORRUPT, "device extent at %" PRIu64 ": %zu bytes, not %zu", key->offset, item->left,
				 sizeof(extent));
	dump_words(dump, "dev extent");
	dump_u64(dump, "chunk_tree", le64(extent.chunk_tree));
	dump_end_line(dump);
	dump_u64(dump, "chunk_objectid", le64(extent.chunk_objectid));
	dump_u64(dump, "chunk_offset", le64(extent.chunk_offset));
	dump_u64(dump, "length", le64(extent.length));
	dump_end_line(dump);
	dump_uuid(dump, "chunk_tree_uuid", extent.chunk_tree_uuid);
	dump_end_line(dump);
	return true;
}

bool dump_dev_stats(struct dump *dump, const struct key *key, struct cursor *item, const struct superblock *super,
		    struct error *err)
{
	static const char *const names[] = { "write_errs", "read_errs", "flush_errs", "corruption_errs", "generation" };

	(void)super, (void)err;
	dump_words(dump, "persistent item objectid DEV_STATS");
	dump_u64(dump, "offset", key->offset);
	dump_end_line(dump);
	dump_words(dump, "device stats");
	dump_end_line(dump);
	/* Older kernels wrote fewer, newer ones may write more. */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct le64 value;

		if (cursor_read(item, &value, sizeof(value)))
			dump_u64(dump, names[i], le64(value));
	}
	dump_end_line(dump);
	return true;
}

bool dump_block_group(struct dump *dump, const struct key *key, struct cursor *item, const struct superblock *super,
		      struct error *err)
{
	struct block_group group;
	char type[64];

	(void)super;
	if (!block_group_read(item, key, &group, err))
		return false;
	dump_words(dump, "block group");
	dump_u64(dump, "used", group.used);
	dump_u64(dump, "chunk_objectid", group.chunk_objectid);
	dump_text(dump, "flags", chunk_type_text(group.flags, type));
	dump_end_line(dump);
	return true;
}

bool dump_free_space(struct dump *dump, const struct key *key, struct cursor *item, const struct superblock *super,
		     struct error *err)
{
	struct free_space_info info;

	(void)super;
	switch (key->type) {
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
	/* A bitmap is one bit per sector: its bytes say nothing to people. */
	if (dump->object && key->type == KEY_FREE_SPACE_BITMAP)
		dump_bytes(dump, item->at, item->left);
	return true;
}
