/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt df: how much space block groups and devices have, by type and profile. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/image.h"
#include "cmd/image-options.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "cmd/unfinished.h"
#include "common/tree/tree.h"
#include "common/volume/stripe.h"
#include "format/extent-item.h"

static struct {
	int bytes;
} opt;

static const struct poptOption options[] = {
	{ "bytes", 'b', POPT_ARG_VAL, &opt.bytes, 1, "print bytes, not KiB, MiB, GiB", NULL },
	{ "human-readable", 'h', POPT_ARG_VAL, &opt.bytes, 0, "print KiB, MiB, GiB (default)", NULL },
	INCLUDE(options_blocks), INCLUDE(options_format),
	POPT_TABLEEND
};

/* In the order in which the kernel reports them. */
static const struct {
	uint64_t flags;
	const char *name;
} types[] = {
	{ GROUP_DATA, "Data" }, { GROUP_SYSTEM, "System" }, { GROUP_METADATA, "Metadata" }, { GROUP_DATA | GROUP_METADATA, "Data+Metadata" },
}, profiles[] = {
	{ 0, "single" }, { GROUP_RAID0, "RAID0" }, { GROUP_RAID1, "RAID1" }, { GROUP_DUP, "DUP" }, { GROUP_RAID10, "RAID10" },
	{ GROUP_RAID5, "RAID5" }, { GROUP_RAID6, "RAID6" }, { GROUP_RAID1C3, "RAID1C3" }, { GROUP_RAID1C4, "RAID1C4" },
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))
#define N_PROFILES (sizeof(profiles) / sizeof(profiles[0]))

struct space {
	uint64_t n_groups, total, used, allocated;	/* allocated: on all devices together */
};

static void print_space(size_t type, size_t profile, const struct space *space)
{
	struct row row = row_begin("profile");

	row.in_bytes = opt.bytes;
	row_text(&row, "type", "", types[type].name);
	row_text(&row, "profile", ", ", profiles[profile].name);
	row_u64(&row, "block_groups", NULL, space->n_groups);
	row_size(&row, "total", ": total=", space->total);
	row_size(&row, "used", ", used=", space->used);
	row_u64(&row, "allocated", NULL, space->allocated);
	row_end(&row);
}

/* *used of the block group of a chunk. */
static bool read_used(const struct tree *groups, const struct chunk *chunk, uint64_t *used, struct error *err)
{
	const struct key key = { chunk->logical, KEY_BLOCK_GROUP_ITEM, chunk->length };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct block_group group;
	bool found;

	if (!tree_find(groups, &key, &iter, &found, err))
		return false;
	if (!found)
		return error_set(err, ERROR_CORRUPT, "the chunk at %" PRIu64 " has no block group item", chunk->logical);
	if (!block_group_read(&iter.item, &iter.key, &group, err))
		return false;
	*used = group.used;
	return true;
}

static bool add_chunk(const struct tree *groups, const struct chunk *chunk, struct space space[N_TYPES][N_PROFILES], struct error *err)
{
	for (size_t t = 0; t < N_TYPES; t++) {
		for (size_t p = 0; p < N_PROFILES; p++) {
			struct space *at = &space[t][p];
			uint64_t used = 0;

			if ((chunk->type & GROUP_TYPE_MASK) != types[t].flags || (chunk->type & GROUP_PROFILE_MASK) != profiles[p].flags)
				continue;
			if (!read_used(groups, chunk, &used, err) && !volume_tolerates(groups->volume, err))
				return false;
			at->n_groups++;
			at->total += chunk->length;
			at->used += used;
			at->allocated += stripe_length(chunk) * chunk->n_stripes;
			return true;
		}
	}
	return error_set(err, ERROR_CORRUPT, "the chunk at %" PRIu64 " has type %#" PRIx64 ", of no known kind", chunk->logical, chunk->type);
}

static bool print_profiles(struct volume *volume, struct error *err)
{
	const bool own_tree = volume->super.compat_ro & COMPAT_RO_BLOCK_GROUP_TREE;
	struct space space[N_TYPES][N_PROFILES] = { 0 };
	struct tree groups;

	if (!tree_open(volume, own_tree ? BLOCK_GROUP_TREE_ID : EXTENT_TREE_ID, &groups, err) &&
	    !volume_tolerates(volume, err))
		return false;
	for (size_t i = 0; i < volume->n_chunks; i++) {
		if (!add_chunk(&groups, &volume->chunks[i], space, err) && !volume_tolerates(volume, err))
			return false;
	}
	for (size_t t = 0; t < N_TYPES; t++) {
		for (size_t p = 0; p < N_PROFILES; p++) {
			if (space[t][p].n_groups > 0)
				print_space(t, p, &space[t][p]);
		}
	}
	return true;
}

static uint64_t device_allocated(const struct volume *volume, uint64_t devid)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < volume->n_chunks; i++) {
		for (unsigned stripe = 0; stripe < volume->chunks[i].n_stripes; stripe++) {
			if (volume->chunks[i].stripe[stripe].devid == devid)
				bytes += stripe_length(&volume->chunks[i]);
		}
	}
	return bytes;
}

static void print_device(const struct volume *volume, const struct volume_device *at)
{
	const uint64_t allocated = device_allocated(volume, at->devid);
	const uint64_t unallocated = at->size > allocated ? at->size - allocated : 0;
	const char *name = at->device ? at->device->name : NULL;

	struct row row = row_begin("device");

	row.in_bytes = opt.bytes;
	row_u64(&row, "devid", "Device ", at->devid);
	if (name)
		row_name(&row, "device", ", ", name, strlen(name));
	row_flag(&row, "missing", ", missing", !name);
	row_flag(&row, "seed", NULL, at->is_seed);
	row_size(&row, "size", ": size=", at->size);
	row_size(&row, "allocated", ", allocated=", allocated);
	row_size(&row, "unallocated", ", unallocated=", unallocated);
	row_flag(&row, NULL, ", seed", at->is_seed);
	row_end(&row);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_unfinished struct unfinished unfinished = { 0 };
	cleanup_volume struct volume *volume = NULL;

	image_add_devices(operand + 1);
	if (!image_open(operand[0], TREES_ANYHOW, &volume, err) || !unfinished_read(volume, &unfinished, err) || !print_profiles(volume, err))
		return false;
	if (unfinished.is_there && format_is_json()) {
		const struct row row = row_begin("conversion");

		unfinished_put(&unfinished, NULL, &row);
		row_print(&row);
	}
	if (!format_is_json())
		printf("GlobalReserve: not on disk; a kernel sets it aside of Metadata when it mounts\n");
	for (size_t i = 0; i < volume->n_devices; i++)
		print_device(volume, &volume->devices[i]);
	return true;
}

const struct command cmd_df = {
	.name = "df",
	.operands = "IMAGE [DEVICE...]",
	.summary = "show how much space is allocated and used, by profile and device",
	.options = options,
	.run = run,
};
