/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An unmounted filesystem: its devices, superblocks and chunk map. mirror.h leads from a logical address to bytes.
 */
#ifndef COMMON_VOLUME_VOLUME_H
#define COMMON_VOLUME_VOLUME_H

#include "common/device/device.h"
#include "common/util/report.h"
#include "common/volume/supers.h"
#include "common/volume/tolerance.h"
#include "format/chunk.h"
#include "format/superblock.h"

struct block_cache;
struct overlays;
struct parity_row;
struct stripe_tree;
struct volume;

/* common/fs/csum-lookup.h has it, which stands above this room. */
typedef bool volume_csum_visit(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err);
typedef bool volume_csum_lookup(struct volume *volume, uint64_t logical, uint64_t len, volume_csum_visit *visit, void *context,
				struct error *err);

/* A device of the filesystem, given or missing. */
struct volume_device {
	struct device *device;		/* NULL: missing */
	uint64_t devid;
	uint8_t uuid[UUID_SIZE];
	uint8_t fsid[FSID_SIZE];	/* of its superblock; differs from the filesystem's on a seed */
	uint8_t metadata_fsid[FSID_SIZE];
	uint64_t size;			/* according to the filesystem; 0: unknown */
	bool is_seed;
	bool is_stale;			/* it missed commits: its generation is lower than that of the superblock in use */
	bool is_named;			/* the chunk tree has an item for it */
	struct disk_dev_item item;	/* as its superblocks have it, or will have it; bytes_used is that of the chunk tree */
};

struct mirror_choice {
	uint64_t logical;
	unsigned mirror;
};

struct volume {
	struct device *device;		/* the one whose superblock is used; also in devices[] */
	struct volume_device *devices;
	size_t n_devices;
	struct superblock super;	/* the copy in use; only a conversion edits it */
	struct super_copy *copy;	/* of all given devices that are no seeds: first SUPER_COPIES of the device in use */
	unsigned n_copies;
	unsigned super_used;		/* which of them */
	struct chunk *chunks;		/* sorted by logical address */
	size_t n_chunks, chunk_room;
	size_t n_stripes;		/* of all chunks together */
	struct block_cache *cache;
	uint8_t *row;			/* buffer of volume_read() for the stripes from which another one is computed */
	size_t row_size;
	bool past_caches;		/* for volume_read_medium() */
	struct parity_row *parity;	/* buffers of parity-write.h; NULL: none yet */
	volume_csum_lookup *csum_lookup;	/* for parity-write.h, set by who writes: which data are right. NULL: nothing tells */
	const struct mirror_choice *choice;	/* for reading tree blocks: the mirror that is tried first, by address; of all others, the first */
	size_t n_choices;
	struct stripe_tree *stripe_tree;	/* NULL: the filesystem has none */
	struct overlays *overlays;	/* items shown in addition to those on disk; NULL: none. Freed with the volume by overlays_free() */
	void (*overlays_free)(struct overlays *overlays);
	const struct header_backup *backup;	/* for common/sealed, borrowed: what it is of is described by it; NULL: by the root tree alone */
	struct reporter reporter;	/* hears what was survived, here and in the rooms that read files */
	struct tolerance tolerance;
	bool mounted_copy_allowed;	/* still-ours.h */
	bool is_degraded;	/* what a missing device should have is not written, or is left to parity; otherwise ERROR_REFUSED */
};

struct volume_options {
	bool unfinished;	/* open even if a conversion is unfinished; otherwise only for dump commands */
	bool to_convert;	/* refuse what cannot be converted, as a missing device; for writing: still-ours.h */
	bool mounted_copy_allowed;	/* another copy of it may be mounted meanwhile */
	bool degraded;		/* to_convert: devices may be missing, as long as every chunk has all of its data on those that are there */
	struct device **others;	/* further devices, in any order; taken over like the first */
	size_t n_others;
	unsigned super_copy;	/* of each device; CHOOSE_BY_ITSELF: as supers.h says */
	unsigned backup_root;	/* of the superblock in use; CHOOSE_BY_ITSELF: none */
	struct reporter reporter;	/* as in the volume */
	bool tolerant;		/* see below */
	bool open_only;		/* tolerant only for superblocks and chunk tree; for callers that show damage themselves */
};

/*
 * Takes over the device and the others (and closes them on failure too). Reads the superblock copies of each (supers.h says which one
 * is used; of the devices, the newest that is not a seed, and of these one that records an unfinished conversion), checks that the devices belong together, checks features that reading depends on
 * (unknown incompat bits, extent-tree-v2, remap-tree; for converting also zoned, raid-stripe-tree: ERROR_REFUSED with the name), reads the
 * chunk tree, and warns of each missing device. ERROR_UNFINISHED if volume_is_unfinished() without options->unfinished. options may be
 * NULL.
 * Tolerant: a superblock with a wrong checksum is used if none is right; if the chunk tree or the tree of roots cannot be read, those of
 * the backup roots and other superblock copies are tried, then what is left of the first; see also tolerance.h. volume_open_super() stops
 * before the feature checks and the chunk tree: for dump-super and recovery.
 */
bool volume_open(struct device *device, const struct volume_options *options, struct volume **volume,
		 struct error *err) must_use;
bool volume_open_super(struct device *device, const struct volume_options *options, struct volume **volume,
		       struct error *err) must_use;
/*
 * Switches to another valid copy of the superblock, that of an unfinished conversion, which may have another chunk tree: checks the
 * features and reads the chunks again. copy is an index of volume->copy[]. Nobody may hold a block.
 */
bool volume_use_copy(struct volume *volume, unsigned copy, struct error *err) must_use;
void volume_close(struct volume *volume);
static inline void volume_cleanup(struct volume **p) { volume_close(*p); }
#define cleanup_volume __attribute__((cleanup(volume_cleanup)))

/*
 * Does the superblock in use, or another copy that is valid and not older, say that a conversion is unfinished? All callers ask here: a bit
 * that was cleared in one copy hides nothing.
 */
bool volume_is_unfinished(const struct volume *volume);
/* The copy that says so, the one in use first. NULL: none. */
const struct superblock *volume_unfinished_super(const struct volume *volume);

/* What btrfstune was interrupted at, in words, as the superblock in use says. NULL: nothing. */
const char *volume_interrupted_change(const struct volume *volume);

/* The chunk of a logical address. ERROR_CORRUPT if there is none. */
bool volume_chunk(const struct volume *volume, uint64_t logical, const struct chunk **chunk, struct error *err) must_use;

#endif /* COMMON_VOLUME_VOLUME_H */
