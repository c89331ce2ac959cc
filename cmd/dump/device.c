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
	LINE(VALUE_OF(dev, devid), VALUE_OF(dev, total_bytes), VALUE_OF(dev, bytes_used));
	LINE(VALUE_OF(dev, io_align), VALUE_OF(dev, io_width), VALUE_OF(dev, sector_size), VALUE_OF(dev, type));
	LINE(VALUE_OF(dev, generation), VALUE_OF(dev, start_offset), VALUE_OF(dev, dev_group));
	LINE(VALUE_OF(dev, seek_speed), VALUE_OF(dev, bandwidth));
	LINE(UUID_OF(dev, uuid));
	LINE(UUID_OF(dev, fsid));
	return true;
}

bool dump_dev_extent(struct dump *dump, struct cursor *item, struct error *err)
{
	struct device_extent extent;

	if (!device_extent_read(item, &extent, err))
		return false;
	LINE(dump_words(dump, "dev extent"), VALUE_OF(extent, chunk_tree));
	LINE(VALUE_OF(extent, chunk_objectid), VALUE_OF(extent, chunk_offset), VALUE_OF(extent, length));
	LINE(UUID_OF(extent, chunk_tree_uuid));
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
	LINE(dump_words(dump, "device stats"));
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
	LINE(dump_words(dump, "device replace"), VALUE_OF(replace, src_devid), VALUE_OF(replace, cursor_left), VALUE_OF(replace, cursor_right));
	VALUE("cont_reading_from_srcdev_mode", replace.cont_reading_mode);
	if (dump->object) {
		VALUE("replace_state", replace.state);
	} else {
		snprintf(text, sizeof(text), "%llu (%s)", (unsigned long long)replace.state,
			 replace.state < sizeof(states) / sizeof(states[0]) ? states[replace.state] : "unknown");
		dump_text(dump, "replace_state", text);
	}
	dump_end_line(dump);
	LINE(VALUE_OF(replace, time_started), VALUE_OF(replace, time_stopped));
	LINE(VALUE("num_write_errors", replace.n_write_errors), VALUE("num_uncorrectable_read_errors", replace.n_uncorrectable_read_errors));
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
		VALUES(VALUE("stripe", i), VALUE_OF(place, devid), VALUE_OF(place, physical));
	}
	dump_list_end(dump);
	return true;
}
