/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a scan of subvolumes finds and who shares with them, in lines that a script compares.
 * show-sharing scan|sharing|nested IMAGE ID...
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/convert/sharing.h"

#define IDS_MAX 1024

static bool show_scan(struct volume *volume, const uint64_t *ids, size_t n, struct error *err)
{
	cleanup_scan struct scan *scan = NULL;

	if (!scan_run(volume, ids, n, &scan, err))
		return false;
	for (size_t i = 0; i < scan->n_blocks; i++)
		printf("block %" PRIu64 " level %u member %" PRIu64 "\n", scan->block[i].logical, scan->block[i].level,
		       scan->member[scan->block[i].member]);
	for (size_t i = 0; i < scan->n_extents; i++) {
		const struct scan_extent *const e = &scan->extent[i];

		printf("extent %" PRIu64 " length %" PRIu64 " at %" PRIu64 " %" PRIu64 " %" PRIu64 "%s%s%s\n", e->logical, (uint64_t)e->length,
		       scan->member[e->member], e->inode, e->file_offset, e->marked ? " marked" : "", e->unmarked ? " unmarked" : "",
		       e->foreign_mark ? " foreign" : "");
		if (scan_extent_at(scan, e->logical) != e || scan_extent_at(scan, e->logical + 1))
			return error_set(err, ERROR_CORRUPT, "the extent at %" PRIu64 " is not found", e->logical);
	}
	printf("leaves %zu files %" PRIu64 " bytes %" PRIu64 "\n", scan->n_leaves, scan->n_regular_files, scan->data_bytes);
	return true;
}

static bool show_sharing(struct volume *volume, const uint64_t *ids, size_t n, struct error *err)
{
	cleanup_scan struct scan *scan = NULL;
	struct sharer *sharers;
	size_t n_sharers;

	if (!scan_run(volume, ids, n, &scan, err) || !sharing_find(scan, &sharers, &n_sharers, err))
		return false;
	for (size_t i = 0; i < n_sharers; i++)
		printf("sharer %" PRIu64 " blocks %" PRIu64 " extents %" PRIu64 "\n", sharers[i].id, sharers[i].n_blocks,
		       sharers[i].n_extents);
	free(sharers);
	return true;
}

static bool show_nested(struct volume *volume, const uint64_t *ids, size_t n, struct error *err)
{
	struct subvolume_list list = { 0 };
	uint64_t *all = NULL;
	size_t n_all = 0;
	const bool ok = subvolume_list_read(volume, &list, err) && sharing_nested(&list, ids, n, &all, &n_all, err);

	for (size_t i = 0; ok && i < n_all; i++)
		printf("%" PRIu64 "\n", all[i]);
	free(all);
	subvolume_list_free(&list);
	return ok;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		bool (*show)(struct volume *volume, const uint64_t *ids, size_t n, struct error *err);
	} table[] = { { "scan", show_scan }, { "sharing", show_sharing }, { "nested", show_nested } };
	const struct volume_options options = { 0 };
	cleanup_volume struct volume *volume = NULL;
	struct device *device;
	struct error err = { 0 };
	uint64_t ids[IDS_MAX];
	size_t n = 0, what = 0;

	while (argc > 3 && what < 3 && strcmp(argv[1], table[what].name) != 0)
		what++;
	if (argc < 4 || what == 3) {
		fprintf(stderr, "usage: show-sharing scan|sharing|nested IMAGE ID...\n");
		return 1;
	}
	for (int i = 3; i < argc && n < IDS_MAX; i++)
		ids[n++] = strtoull(argv[i], NULL, 0);
	if (device_open(argv[2], DEVICE_READ_ONLY, &device, &err) && volume_open(device, &options, &volume, &err) &&
	    table[what].show(volume, ids, n, &err))
		return 0;
	fprintf(stderr, "%s\n%s\n", err.text, err.hint);
	return (int)err.kind;
}
