/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of items about devices: what they are, which parts are in use, their errors, a replacement, places of stripes. */
#include "cmd/dump/items.h"

#include <stdio.h>

#include "format/device-item.h"

bool dump_dev_item(struct dump *dump, struct cursor *item, struct error *err)
{
	struct device_item dev;

	if (!device_item_read(item, &dev, err))
		return false;
	dump_u64(dump, "devid", dev.devid);
	dump_u64(dump, "total_bytes", dev.total_bytes);
	dump_u64(dump, "bytes_used", dev.bytes_used);
	dump_end_line(dump);
	dump_number(dump, "io_align", dev.io_align);
	dump_number(dump, "io_width", dev.io_width);
	dump_number(dump, "sector_size", dev.sector_size);
	dump_u64(dump, "type", dev.type);
	dump_end_line(dump);
	dump_u64(dump, "generation", dev.generation);
	dump_u64(dump, "start_offset", dev.start_offset);
	dump_number(dump, "dev_group", dev.dev_group);
	dump_end_line(dump);
	dump_number(dump, "seek_speed", dev.seek_speed);
	dump_number(dump, "bandwidth", dev.bandwidth);
	dump_end_line(dump);
	dump_uuid(dump, "uuid", dev.uuid);
	dump_end_line(dump);
	dump_uuid(dump, "fsid", dev.fsid);
	return true;
}

bool dump_dev_extent(struct dump *dump, struct cursor *item, struct error *err)
{
	struct device_extent extent;

	if (!device_extent_read(item, &extent, err))
		return false;
	dump_words(dump, "dev extent");
	dump_u64(dump, "chunk_tree", extent.chunk_tree);
	dump_end_line(dump);
	dump_u64(dump, "chunk_objectid", extent.chunk_objectid);
	dump_u64(dump, "chunk_offset", extent.chunk_offset);
	dump_u64(dump, "length", extent.length);
	dump_end_line(dump);
	dump_uuid(dump, "chunk_tree_uuid", extent.chunk_tree_uuid);
	return true;
}

bool dump_dev_stats(struct dump *dump, struct cursor *item, struct error *err)
{
	static const char *const names[DEVICE_STATS_KNOWN] = { "write_errs", "read_errs", "flush_errs", "corruption_errs", "generation" };
	struct device_stats stats;

	if (!device_stats_read(item, &stats, err))
		return false;
	dump_words(dump, "persistent item objectid DEV_STATS");
	if (!dump->object)
		dump_u64(dump, "offset", dump->key->offset);
	dump_json_u64(dump, "devid", dump->key->offset);
	dump_end_line(dump);
	dump_words(dump, "device stats");
	dump_end_line(dump);
	for (unsigned i = 0; i < stats.n; i++)
		dump_u64(dump, dump->object && i == 4 ? "generation_errs" : names[i], stats.value[i]);
	if (stats.more.left > 0) {
		dump_end_line(dump);
		dump_hex(dump, "more", stats.more.at, stats.more.left);
	}
	return true;
}

bool dump_dev_replace(struct dump *dump, struct cursor *item, struct error *err)
{
	static const char *const states[] = { "never started", "started", "finished", "canceled", "suspended" };
	struct device_replace replace;
	char text[48];

	if (!device_replace_read(item, &replace, err))
		return false;
	dump_words(dump, "device replace");
	dump_u64(dump, "src_devid", replace.src_devid);
	dump_u64(dump, "cursor_left", replace.cursor_left);
	dump_u64(dump, "cursor_right", replace.cursor_right);
	dump_end_line(dump);
	dump_u64(dump, "cont_reading_from_srcdev_mode", replace.cont_reading_mode);
	if (dump->object) {
		dump_u64(dump, "replace_state", replace.state);
	} else {
		snprintf(text, sizeof(text), "%llu (%s)", (unsigned long long)replace.state,
			 replace.state < sizeof(states) / sizeof(states[0]) ? states[replace.state] : "unknown");
		dump_text(dump, "replace_state", text);
	}
	dump_end_line(dump);
	dump_u64(dump, "time_started", replace.time_started);
	dump_u64(dump, "time_stopped", replace.time_stopped);
	dump_end_line(dump);
	dump_u64(dump, "num_write_errors", replace.n_write_errors);
	dump_u64(dump, "num_uncorrectable_read_errors", replace.n_uncorrectable_read_errors);
	return true;
}

/* As later btrfs-progs print it. */
bool dump_stripe_extent(struct dump *dump, struct cursor *item, struct error *err)
{
	struct stripe_copy place;
	uint8_t encoding;
	bool has_head;

	if (!stripe_extent_begin(item, &has_head, &encoding, err))
		return false;
	if (has_head)
		dump_number(dump, "encoding", encoding);
	dump_list(dump, "stripes");
	for (unsigned i = 0; item->left > 0; i++) {
		if (!stripe_extent_next(item, &place, err)) {
			dump_list_end(dump);
			return false;
		}
		dump_element(dump);
		dump_number(dump, "stripe", i);
		dump_u64(dump, "devid", place.devid);
		dump_u64(dump, "physical", place.physical);
	}
	dump_list_end(dump);
	return true;
}
