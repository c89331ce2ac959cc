/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An unmounted filesystem: its devices, its superblocks, its chunk map.  From a logical
 * address to bytes on every mirror.  Today one device, profiles single and DUP.
 */
#ifndef COMMON_VOLUME_VOLUME_H
#define COMMON_VOLUME_VOLUME_H

#include "common/volume/device.h"
#include "format/chunk.h"
#include "format/superblock.h"

struct block_cache;

struct super_copy {
	bool exists;		/* the device is large enough */
	bool valid;		/* magic, checksum and fields are right */
	struct superblock super;	/* where valid */
	struct error error;	/* where not */
};

struct volume {
	struct device *device;
	struct superblock super;	/* the copy in use; editing is the conversion's business */
	unsigned super_used;		/* which copy */
	struct super_copy copy[SUPER_COPIES];
	struct chunk *chunks;		/* sorted by logical address */
	size_t n_chunks;
	struct block_cache *cache;
	void (*warn)(void *context, const char *text);	/* bad mirrors and other things survived; may be NULL */
	void *warn_context;
};

struct volume_options {
	bool unfinished;	/* open also where a conversion is unfinished; otherwise only dump commands care */
	void (*warn)(void *context, const char *text);
	void *warn_context;
};

/*
 * Takes the device (closes it also when it fails).  Reads the superblock copies (the primary, or where it is invalid the
 * newest valid mirror, is used), checks features that reading depends on (unknown incompat bits, several devices, RAID profiles, zoned,
 * extent-tree-v2, raid-stripe-tree, remap-tree: ERROR_REFUSED by name), reads the chunk tree.
 * INCOMPAT_CRYPT_UNFINISHED without options->unfinished: ERROR_UNFINISHED.  options may be NULL.
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

/* The chunk of a logical address; ERROR_CORRUPT where there is none. */
bool volume_chunk(const struct volume *volume, uint64_t logical, const struct chunk **chunk, struct error *err) must_use;

/* 1 for single, 2 for DUP. */
unsigned chunk_n_mirrors(const struct chunk *chunk);

/* Physical address of a logical one on mirror 0..n-1. */
uint64_t chunk_physical(const struct chunk *chunk, uint64_t logical, unsigned mirror);

/* Bytes of one mirror (mirror < chunk_n_mirrors); the range must lie in one chunk. */
bool volume_read(struct volume *volume, uint64_t logical, void *bytes, size_t len, unsigned mirror, struct error *err) must_use;
/* To one mirror / to every mirror. */
bool volume_write_mirror(struct volume *volume, uint64_t logical, const void *bytes, size_t len, unsigned mirror,
			 struct error *err) must_use;
bool volume_write(struct volume *volume, uint64_t logical, const void *bytes, size_t len, struct error *err) must_use;
bool volume_flush(struct volume *volume, struct error *err) must_use;

/* True where a mirror of [logical, logical+len) touches a superblock stripe or the first MiB of the device: never allocate, journal on or wipe. */
bool volume_range_is_reserved(const struct volume *volume, uint64_t logical, uint64_t len);

/* The next end of reserved space: the smallest logical >= logical from which len bytes are not reserved, same chunk; UINT64_MAX where none. */
uint64_t volume_skip_reserved(const struct volume *volume, uint64_t logical, uint64_t len);

/*
 * Writes disk to every copy that exists: bytenr and checksum are filled in for each.  Mirrors first, flush, the primary last, flush.
 * Updates volume->copy[] and volume->super.
 */
bool volume_write_supers(struct volume *volume, const struct disk_superblock *disk, struct error *err) must_use;

/* Checksum of len bytes with the filesystem's algorithm into out (csum_type_size() bytes; rest untouched). */
void csum_compute(enum csum_type type, const void *bytes, size_t len, uint8_t *out);
/* Of a tree block or superblock: over everything after the first 32 bytes. */
bool csum_block_matches(enum csum_type type, const uint8_t *block, size_t len);
void csum_block_update(enum csum_type type, uint8_t *block, size_t len);	/* zeroes the unused rest of the field */

#endif /* COMMON_VOLUME_VOLUME_H */
