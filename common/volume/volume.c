/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens a filesystem: superblock, features, chunk tree. */
#include "common/volume/volume.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/volume/block.h"
#include "common/volume/chunk-map.h"
#include "common/volume/chunk-tree.h"
#include "common/volume/devices.h"
#include "common/volume/fallback.h"
#include "common/volume/mirror.h"
#include "common/volume/parity-row.h"
#include "common/volume/still-ours.h"
#include "common/volume/stripe-tree.h"
#include "common/volume/supers.h"
#include "common/volume/warn.h"

/* The features a reader must know. RAID bits may outlive the last RAID chunk, so chunks are checked instead of these. */
#define INCOMPAT_KNOWN (INCOMPAT_MIXED_BACKREF | INCOMPAT_DEFAULT_SUBVOL | INCOMPAT_MIXED_GROUPS | INCOMPAT_COMPRESS_LZO | \
			INCOMPAT_COMPRESS_ZSTD | INCOMPAT_BIG_METADATA | INCOMPAT_EXTENDED_IREF | INCOMPAT_RAID56 | \
			INCOMPAT_SKINNY_METADATA | INCOMPAT_NO_HOLES | INCOMPAT_METADATA_UUID | INCOMPAT_RAID1C34 | \
			INCOMPAT_ZONED | INCOMPAT_RAID_STRIPE_TREE | INCOMPAT_ENCRYPT | INCOMPAT_SIMPLE_QUOTA | INCOMPAT_CRYPT_UNFINISHED)

void volume_warn_at(const struct volume *volume, uint64_t logical, uint64_t disk_length, const char *format, ...)
{
	const enum report_kind kind = disk_length > 0 ? REPORT_MIRROR : REPORT_WARNING;
	char text[1024];
	va_list args;

	if (!volume->reporter.take)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report_to(&volume->reporter, &(struct report){ .kind = kind, .logical = logical, .disk_length = disk_length, .text = text });
}

const struct superblock *volume_unfinished_super(const struct volume *volume)
{
	if (superblock_is_unfinished(&volume->super))
		return &volume->super;
	for (unsigned n = 0; n < volume->n_copies; n++) {
		const struct super_copy *copy = &volume->copy[n];

		if (copy->exists && copy->valid && copy->super.generation >= volume->super.generation && superblock_is_unfinished(&copy->super))
			return &copy->super;
	}
	return NULL;
}

bool volume_is_unfinished(const struct volume *volume)
{
	return volume_unfinished_super(volume);
}

const char *volume_interrupted_change(const struct volume *volume)
{
	static const struct { uint64_t bits; const char *what; } changes[] = {
		{ SUPER_FLAG_CHANGING_FSID, "a change of the filesystem's uuid (`btrfstune -u`, or -U)" },
		{ SUPER_FLAG_CHANGING_FSID_V2, "a change of the filesystem's uuid (`btrfstune -m`, or -M) or of its checksums (`btrfstune --csum`)" },
		{ SUPER_FLAG_CHANGING_BG_TREE, "a move of block groups to or from their own tree (`btrfstune --convert-to-block-group-tree`)" },
		{ SUPER_FLAG_CHANGING_DATA_CSUM | SUPER_FLAG_CHANGING_META_CSUM | SUPER_FLAG_CHANGING_META_CSUM_OLD,
		  "a change of the checksums (`btrfstune --csum`)" },
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		if (volume->super.flags & changes[i].bits)
			return changes[i].what;
	return NULL;
}

/* Does the caller only ask whether a conversion is unfinished? */
static bool only_asks(const struct volume *volume, const struct volume_options *options)
{
	return options->unfinished && !volume->device->writable;
}

static bool check_features(const struct volume *volume, const struct volume_options *options, struct error *err)
{
	const struct superblock *super = &volume->super;
	static const struct { uint64_t bit; const char *name; bool is_read; } features[] = {
		{ INCOMPAT_ZONED, "zoned", true },
		{ INCOMPAT_EXTENT_TREE_V2, "extent-tree-v2", false },
		{ INCOMPAT_RAID_STRIPE_TREE, "raid-stripe-tree", true },
		{ INCOMPAT_REMAP_TREE, "remap-tree", false },
	};
	uint64_t unknown = super->incompat & ~INCOMPAT_KNOWN;

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if ((super->incompat & features[i].bit) && (options->to_convert || !features[i].is_read))
			return error_set(err, ERROR_REFUSED, "the filesystem has the feature %s, which this version cannot %s",
					 features[i].name, features[i].is_read ? "convert" : "read");
		unknown &= ~features[i].bit;
	}
	if (unknown)
		return error_set(err, ERROR_REFUSED, "the filesystem has unknown incompat bits %#" PRIx64, unknown);
	if (super->flags & SUPER_FLAG_METADUMP || (super->flags & SUPER_FLAG_METADUMP_V2 && options->to_convert && !only_asks(volume, options)))
		return error_set(err, ERROR_REFUSED, "a btrfs-image dump: its metadata are rewritten and its data are missing");
	if (volume_is_unfinished(volume) && !options->unfinished) {
		error_set(err, ERROR_UNFINISHED, "an unfinished conversion is present");
		return error_hint(err, "use `btrfs-crypt convert --status`");
	}
	return true;
}

/* A single device must be complete. If there are several, another may have what was cut off. */
static bool check_sizes(struct volume *volume, const struct volume_options *options, struct error *err)
{
	for (size_t i = 0; i < volume->n_devices; i++) {
		const struct volume_device *device = &volume->devices[i];

		if (!device->device || device->device->size >= device->size)
			continue;
		if (volume->super.n_devices == 1) {
			error_set(err, ERROR_CORRUPT, "the device has %" PRIu64 " bytes, but the filesystem on it has %" PRIu64,
				device->device->size,
				  device->size);
			if (options->to_convert)
				return error_hint(err, "the end of the image is missing: put back what was cut off, so that it has %" PRIu64
						  " bytes again", device->size);
			if (!volume_tolerates(volume, err))
				return false;
			continue;
		}
		volume_warn(volume, "%s: has %" PRIu64 " bytes, but the filesystem says that devid %" PRIu64 " has %" PRIu64
			"; the missing part is read from other devices where possible", device->device->name, device->device->size,
			    device->devid, device->size);
	}
	return true;
}

/* The previous run may have been interrupted by a flush that failed, on any device. */
static bool forget_all(struct device *device, const struct volume_options *options, struct error *err)
{
	if (!options->unfinished || !options->to_convert || !device->writable)
		return true;
	for (size_t i = 0; i < options->n_others; i++)
		if (!device_forget(options->others[i], err))
			return false;
	return device_forget(device, err);
}

bool volume_open_super(struct device *device, const struct volume_options *options, struct volume **volume,
		       struct error *err)
{
	const struct volume_options defaults = { 0 };
	struct volume *made = calloc(1, sizeof(*made));

	options = options ? options : &defaults;
	if (!made) {
		device_close(device);
		for (size_t i = 0; i < options->n_others; i++)
			device_close(options->others[i]);
		return error_memory(err);
	}
	made->reporter = options->reporter;
	made->tolerance.is_tolerant = options->tolerant;
	made->mounted_copy_allowed = options->mounted_copy_allowed;
	made->is_degraded = options->degraded;
	if (!forget_all(device, options, err)) {
		volume_close(made);
		device_close(device);
		for (size_t i = 0; i < options->n_others; i++)
			device_close(options->others[i]);
		return false;
	}
	if (!volume_devices_open(made, device, options, err) || !block_cache_new(&made->cache, err)) {
		volume_close(made);
		return false;
	}
	*volume = made;
	return true;
}

/* Takes the trees as they were some commits ago, as far as nothing has overwritten them. */
static bool use_backup(struct volume *volume, unsigned n, struct error *err)
{
	struct superblock *super = &volume->super;
	const struct disk_root_backup *backup = &super->disk.backup[n];
	const uint64_t root = le64(backup->tree_root);

	if (root == 0)
		return error_set(err, ERROR_NOT_FOUND, "backup root %u is empty", n);
	if (root % super->sector_size != 0 || backup->tree_root_level >= LEVEL_MAX)
		return error_set(err, ERROR_CORRUPT, "backup root %u: tree root is %#" PRIx64 ", level %u: not a multiple of %u, level 0 to %u", n,
				 root, backup->tree_root_level, super->sector_size, LEVEL_MAX - 1);
	volume_warn(volume, "backup root %u of generation %" PRIu64 " is read; the superblock's is %" PRIu64, n, le64(backup->tree_root_gen),
		    super->generation);
	super->root = root;
	super->root_level = backup->tree_root_level;
	super->generation = le64(backup->tree_root_gen);
	super->log_root = 0;
	return true;
}

/* Chunks seldom change, so if the backup's chunk tree is gone, today's may do. */
static bool read_backup_chunks(struct volume *volume, unsigned n, struct error *err)
{
	struct superblock *super = &volume->super;
	const struct disk_root_backup *backup = &super->disk.backup[n];
	const uint64_t root = super->chunk_root, generation = super->chunk_root_generation;
	const uint8_t level = super->chunk_root_level;

	super->chunk_root = le64(backup->chunk_root);
	super->chunk_root_generation = le64(backup->chunk_root_gen);
	super->chunk_root_level = backup->chunk_root_level;
	if (super->chunk_root != 0 && super->chunk_root_level < LEVEL_MAX && chunk_tree_read(volume, err))
		return true;
	volume_warn(volume, "the chunk tree of backup root %u cannot be read; the superblock's is used", n);
	block_cache_drop_all(volume);
	chunk_map_truncate(volume, 0);
	super->chunk_root = root;
	super->chunk_root_generation = generation;
	super->chunk_root_level = level;
	*err = (struct error){ 0 };
	return chunk_tree_read(volume, err);
}

/* Before the chunk tree, which names those that are missing, but may lie on them. */
static bool check_given(const struct volume *volume, const struct volume_options *options, struct error *err)
{
	const uint64_t wanted = volume->super.n_devices, given = volume->n_devices;

	if (!options->to_convert || options->degraded || only_asks(volume, options) || given >= wanted)
		return true;
	error_set(err, ERROR_REFUSED, "the filesystem has %" PRIu64 " devices, %" PRIu64 " given, and all of them are written to", wanted, given);
	return error_hint(err, "name the others with --device%s", options->unfinished ? "; if one was lost, --degraded goes on without it" : "");
}

/* Reads everything except the superblock that reading depends on. */
static bool read_filesystem(struct volume *volume, const struct volume_options *options, struct error *err)
{
	const bool from_backup = options->backup_root != CHOOSE_BY_ITSELF;
	const unsigned n = options->backup_root - 1;

	if (!check_features(volume, options, err) || !check_given(volume, options, err) || !check_sizes(volume, options, err) || (from_backup && !use_backup(volume, n, err)))
		return error_prefix(err, "%s", volume->device->name);
	if (volume->super.flags & SUPER_FLAG_METADUMP_V2)
		volume_warn(volume, "the image was restored from a btrfs-image dump: its metadata are here, its data are not");
	if (volume_interrupted_change(volume))
		volume_warn(volume, "btrfstune was interrupted at %s, and must finish it: not all may be read until then",
			    volume_interrupted_change(volume));
	if ((volume->super.incompat & INCOMPAT_RAID_STRIPE_TREE) && !volume->stripe_tree && !stripe_tree_new(volume, err))
		return false;

	const bool ok = from_backup ? read_backup_chunks(volume, n, err) : options->tolerant ? fallback_read(volume, options->open_only, err) :
								       chunk_tree_read(volume, err);

	if (options->open_only) {
		volume->tolerance.is_tolerant = false;
		block_cache_drop_all(volume);
	}
	if (!ok) {
		const uint64_t wanted = volume->super.n_devices, given = options->n_others + 1;

		if (given < wanted)
			error_hint(err, "the filesystem has %" PRIu64 " devices, %" PRIu64 " given: name the others with --device", wanted,
				   given);
		return error_prefix(err, "%s", volume->device->name);
	}
	return volume_devices_check(volume, err) && (!options->to_convert || only_asks(volume, options) || volume_devices_complete(volume, err));
}

bool volume_open(struct device *device, const struct volume_options *options, struct volume **volume, struct error *err)
{
	const struct volume_options defaults = { 0 };
	struct volume *made;

	options = options ? options : &defaults;
	if (!volume_open_super(device, options, &made, err))
		return false;
	if ((options->to_convert && made->device->writable && !volume_not_mounted(made, err)) || !read_filesystem(made, options, err)) {
		volume_close(made);
		return false;
	}
	*volume = made;
	return true;
}

bool volume_use_copy(struct volume *volume, unsigned copy, struct error *err)
{
	const struct volume_options options = { .unfinished = true, .to_convert = volume->device->writable, .degraded = volume->is_degraded };

	stripe_tree_drop(volume->stripe_tree);
	block_cache_drop_all(volume);
	superblock_copy(&volume->super, &volume->copy[copy].super);
	volume->super_used = copy;
	volume->device = volume->devices[volume->copy[copy].device].device;
	chunk_map_truncate(volume, 0);
	return read_filesystem(volume, &options, err);
}

void volume_close(struct volume *volume)
{
	if (!volume)
		return;
	stripe_tree_free(volume->stripe_tree);
	block_cache_free(volume->cache);
	if (volume->overlays)
		volume->overlays_free(volume->overlays);
	chunk_map_free(volume);
	free(volume->row);
	parity_row_free(volume);
	set64_free(&volume->tolerance.told);
	volume_devices_close(volume);
	free(volume);
}

bool volume_flush(struct volume *volume, struct error *err)
{
	for (size_t i = 0; i < volume->n_devices; i++)
		if (volume->devices[i].device && !device_flush(volume->devices[i].device, err))
			return false;
	return true;
}
