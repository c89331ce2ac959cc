/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An unmounted filesystem: its devices, its superblocks, its chunk map.  From a logical
 * address to bytes, in every way that they can be read.  Writing is for one device with the profiles single and DUP.
 */
#ifndef COMMON_VOLUME_VOLUME_H
#define COMMON_VOLUME_VOLUME_H

#include "common/volume/device.h"
#include "common/volume/tolerance.h"
#include "format/chunk.h"
#include "format/superblock.h"

struct block_cache;
struct overlays;
struct stripe_tree;

struct super_copy {
	bool exists;		/* the device is large enough */
	bool valid;		/* magic, checksum and fields are right */
	bool is_readable;	/* all but the checksum is */
	bool is_doubted;	/* not valid only because it says that a conversion is unfinished, and is not believed */
	uint64_t where;		/* on the device */
	unsigned n_damaged;	/* in a log of them: newer ones that are not valid */
	struct superblock super;	/* where valid */
	struct error error;	/* where not */
};

/* A device that the filesystem has, given or missing. */
struct volume_device {
	struct device *device;		/* NULL: missing */
	uint64_t devid;
	uint8_t uuid[UUID_SIZE];
	uint8_t fsid[FSID_SIZE];	/* of its superblock; another than the filesystem's on a seed */
	uint8_t metadata_fsid[FSID_SIZE];
	uint64_t size;			/* what the filesystem says that it has; 0: not known */
	bool is_seed;
	bool is_stale;			/* it missed commits: its generation is lower than that of the superblock in use */
	bool is_named;			/* the chunk tree has an item of it */
};

/* Bytes [first, end) of a file that were handed out, and that nobody can show to be right. */
struct volume_doubt {
	uint64_t inode, first, end;
	const char *text;	/* why */
};

struct volume {
	struct device *device;		/* the one whose superblock is used; one of devices[] */
	struct volume_device *devices;
	size_t n_devices;
	struct superblock super;	/* the copy in use; editing is the conversion's business */
	unsigned super_used;		/* which copy */
	struct super_copy copy[SUPER_COPIES];
	struct chunk *chunks;		/* sorted by logical address */
	size_t n_chunks;
	size_t n_stripes;		/* of all chunks together */
	struct block_cache *cache;
	uint8_t *row;			/* room of volume_read() for the stripes that a computed one comes from */
	size_t row_size;
	bool past_caches;		/* for volume_read_medium() */
	unsigned first_mirror;		/* of tree blocks that are read: which is tried first */
	struct stripe_tree *stripe_tree;	/* NULL: the filesystem has none */
	struct overlays *overlays;	/* items shown beside those on disk; NULL: none.  Freed with the volume by overlays_free() */
	void (*overlays_free)(struct overlays *overlays);
	void (*warn)(void *context, const char *text);	/* bad mirrors and other things survived; may be NULL */
	void *warn_context;
	void (*doubt)(void *context, const struct volume_doubt *doubt);	/* NULL: they are warnings */
	void *doubt_context;
	struct tolerance tolerance;
	bool mounted_copy_allowed;	/* still-ours.h */
};

#define CHOOSE_BY_ITSELF 0	/* below, n + 1 chooses n */

struct volume_options {
	bool unfinished;	/* open also where a conversion is unfinished; otherwise only dump commands care */
	bool to_convert;	/* refuse several devices by name; for writing: still-ours.h */
	bool mounted_copy_allowed;	/* another copy of it may be mounted meanwhile */
	struct device **others;	/* further devices, in any order; taken like the first */
	size_t n_others;
	unsigned super_copy;	/* of each device; CHOOSE_BY_ITSELF: as super-copies.h says */
	unsigned backup_root;	/* of the superblock in use; CHOOSE_BY_ITSELF: none */
	void (*warn)(void *context, const char *text);
	void *warn_context;
	bool tolerant;		/* below */
	bool open_only;		/* tolerant with superblocks and chunk tree alone, and then no more: for those who show damage themselves */
	void (*invalid)(void *context, const char *text);	/* each thing that is invalid; may be NULL */
};

/*
 * Takes the device and the others (closes them also when it fails).  Reads the superblock copies of each (super-copies.h says which is used; of the
 * devices, the newest that is no seed), checks that the devices belong together, checks features that reading depends on (unknown incompat bits,
 * extent-tree-v2, remap-tree; to convert also zoned, raid-stripe-tree: ERROR_REFUSED by name), reads the chunk tree, warns of each device that is missing.
 * volume_is_unfinished() without options->unfinished: ERROR_UNFINISHED.  options may be NULL.
 * Tolerant: a superblock with a wrong checksum is used where none is right; where the chunk tree or the tree of roots cannot be read, those of the backup
 * roots and other superblock copies are tried, then what is left of the first; and see tolerance.h.
 * volume_open_super() stops before the feature checks and the chunk tree: for dump-super and recovery.
 */
bool volume_open(struct device *device, const struct volume_options *options, struct volume **volume,
		 struct error *err) must_use;
bool volume_open_super(struct device *device, const struct volume_options *options, struct volume **volume,
		       struct error *err) must_use;
/*
 * Goes on with another valid copy of the superblock, that of an unfinished conversion, which may have another chunk tree: features are
 * checked and the chunks read again.  Nobody may hold a block.
 */
bool volume_use_copy(struct volume *volume, unsigned copy, struct error *err) must_use;
void volume_close(struct volume *volume);
static inline void volume_cleanup(struct volume **p) { volume_close(*p); }
#define cleanup_volume __attribute__((cleanup(volume_cleanup)))

/*
 * Does the superblock in use say that a conversion is unfinished, or another copy that is valid and not older?  The one place that is asked:
 * a bit that was cleared in one copy hides nothing.
 */
bool volume_is_unfinished(const struct volume *volume);
/* The one that says so, that in use first; NULL: none. */
const struct superblock *volume_unfinished_super(const struct volume *volume);

/* The chunk of a logical address; ERROR_CORRUPT where there is none. */
bool volume_chunk(const struct volume *volume, uint64_t logical, const struct chunk **chunk, struct error *err) must_use;

/*
 * In how many ways the bytes of a chunk can be read, its "mirrors".  The copies, where the profile has some; for RAID5 and RAID6 the data where they
 * are, and what the other stripes say that they are.  A missing device is a mirror that fails to read.
 */
unsigned chunk_n_mirrors(const struct chunk *chunk);

/* Physical address of a logical one on mirror 0..n-1, where that is a copy. */
uint64_t chunk_physical(const struct chunk *chunk, uint64_t logical, unsigned mirror);

/* Bytes of one mirror (mirror < chunk_n_mirrors); the range must lie in one chunk. */
bool volume_read(struct volume *volume, uint64_t logical, void *bytes, size_t len, unsigned mirror, struct error *err) must_use;
/*
 * Each part of the range from the first mirror that can be read there: it need not be the same for all.  For those who check the bytes themselves
 * and try the mirrors one by one where they are wrong.  A failure is that of the first mirror.
 */
bool volume_read_any(struct volume *volume, uint64_t logical, void *bytes, size_t len, struct error *err) must_use;
/* False where a device is missing that this mirror of the range needs: nothing that one need warn of again. */
bool volume_has_mirror(const struct volume *volume, uint64_t logical, size_t len, unsigned mirror);
/* "devid 2, physical 1048576": which copy a mirror is, for messages; text has MIRROR_TEXT_SIZE bytes. */
#define MIRROR_TEXT_SIZE 128
const char *volume_mirror_text(const struct volume *volume, uint64_t logical, unsigned mirror, char *text);

/* To one mirror / to every mirror. */
bool volume_write_mirror(struct volume *volume, uint64_t logical, const void *bytes, size_t len, unsigned mirror,
			 struct error *err) must_use;
bool volume_write(struct volume *volume, uint64_t logical, const void *bytes, size_t len, struct error *err) must_use;
bool volume_flush(struct volume *volume, struct error *err) must_use;

/* As volume_read(), from the medium, past every cache: whether what was written and flushed is there. */
bool volume_read_medium(struct volume *volume, uint64_t logical, void *bytes, size_t len, unsigned mirror, struct error *err) must_use;
/*
 * What volume_write() wrote, and what has been flushed since, is compared with what every mirror has.  One that differs is written again, flushed and
 * compared again, with a warning; ERROR_IO where it differs once more.
 */
bool volume_read_back(struct volume *volume, uint64_t logical, const void *bytes, size_t len, struct error *err) must_use;

/* True where a mirror of [logical, logical+len) touches a superblock stripe or the first MiB of the device: never allocate, journal on or wipe. */
bool volume_range_is_reserved(const struct volume *volume, uint64_t logical, uint64_t len);

/* The next end of reserved space: the smallest logical >= logical from which len bytes are not reserved, same chunk; UINT64_MAX where none. */
uint64_t volume_skip_reserved(const struct volume *volume, uint64_t logical, uint64_t len);

/*
 * Writes disk to every copy that exists: bytenr and checksum are filled in for each.  Mirrors first, flush, the primary last, flush;
 * but a damaged primary is first written as the copy in use has it, and flushed.
 * Updates volume->copy[] and volume->super.
 */
bool volume_write_supers(struct volume *volume, const struct disk_superblock *disk, struct error *err) must_use;

/* Checksum of len bytes with the filesystem's algorithm into out (csum_type_size() bytes; rest untouched). */
void csum_compute(enum csum_type type, const void *bytes, size_t len, uint8_t *out);
/* Of a tree block or superblock: over everything after the first 32 bytes. */
bool csum_block_matches(enum csum_type type, const uint8_t *block, size_t len);
void csum_block_update(enum csum_type type, uint8_t *block, size_t len);	/* zeroes the unused rest of the field */

#endif /* COMMON_VOLUME_VOLUME_H */
