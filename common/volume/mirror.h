/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes at a logical address, in every way in which they can be read, and written. Of profiles with parity, parity-write.h says more.
 */
#ifndef COMMON_VOLUME_MIRROR_H
#define COMMON_VOLUME_MIRROR_H

#include "common/volume/volume.h"

/*
 * The number of ways to read the bytes of a chunk, its "mirrors". These are the copies, if the profile has any; for RAID5 and RAID6 the
 * data themselves, and what the other stripes yield for them. On a missing device, a mirror fails to read.
 */
unsigned chunk_n_mirrors(const struct chunk *chunk);
/* Those of the chunk of a logical address. ERROR_CORRUPT if there is none. */
bool volume_n_mirrors(const struct volume *volume, uint64_t logical, unsigned *n, struct error *err) must_use;

/* Physical address of a logical one on mirror 0..n-1, if that is a copy. */
uint64_t chunk_physical(const struct chunk *chunk, uint64_t logical, unsigned mirror);

/* Reads the bytes of one mirror (mirror < chunk_n_mirrors). The range must be in one chunk. */
bool volume_read(struct volume *volume, uint64_t logical, void *bytes, size_t len, unsigned mirror, struct error *err) must_use;
/*
 * Reads each part of the range from the first mirror that is readable there, which may differ from part to part. For callers that check the
 * bytes themselves and try single mirrors if they are wrong. A failure reports the first mirror.
 */
bool volume_read_any(struct volume *volume, uint64_t logical, void *bytes, size_t len, struct error *err) must_use;
/* False if this mirror of the range needs a missing device: no need to warn again. */
bool volume_has_mirror(const struct volume *volume, uint64_t logical, size_t len, unsigned mirror);
/* "devid 2, physical 1048576": which copy a mirror is, for messages. text has MIRROR_TEXT_SIZE bytes. */
#define MIRROR_TEXT_SIZE 128
const char *volume_mirror_text(const struct volume *volume, uint64_t logical, unsigned mirror, char *text);

/* Writes to every mirror, and parity. */
bool volume_write(struct volume *volume, uint64_t logical, const void *bytes, size_t len, struct error *err) must_use;
bool volume_flush(struct volume *volume, struct error *err) must_use;

/* Like volume_read(), but from the medium, bypassing all caches: is what was written and flushed really there? */
bool volume_read_medium(struct volume *volume, uint64_t logical, void *bytes, size_t len, unsigned mirror, struct error *err) must_use;
/*
 * Compares what volume_write() wrote, and what has been flushed since, with every mirror, and parity with the data. A mirror that differs is written again, flushed
 * and compared again, with a warning; ERROR_IO if it still differs.
 */
bool volume_read_back(struct volume *volume, uint64_t logical, const void *bytes, size_t len, struct error *err) must_use;

/*
 * True if a mirror of [logical, logical+len), or the parity of a row that it touches, touches a superblock stripe or the first MiB of its
 * device: never allocate, journal or wipe there. A kernel gives away none of these addresses either: with parity, none of the whole row.
 */
bool volume_range_is_reserved(const struct volume *volume, uint64_t logical, uint64_t len);

/*
 * The next end of reserved space: the smallest logical >= logical from which len bytes in the same chunk are not reserved; UINT64_MAX if
 * there is none.
 */
uint64_t volume_skip_reserved(const struct volume *volume, uint64_t logical, uint64_t len);

#endif /* COMMON_VOLUME_MIRROR_H */
