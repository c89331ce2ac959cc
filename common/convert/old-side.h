/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * While rekeying: the sealing before. Its items stay in the root tree as they are until everything is sealed with the new key, so that each
 * block can be read on either side, and an abort brings back every bit. See format/README.md, "Rekeying".
 */
#ifndef COMMON_CONVERT_OLD_SIDE_H
#define COMMON_CONVERT_OLD_SIDE_H

#include "common/convert/conversion.h"

/* The unit that the blocks of a unit of the new sealing had before: both are cut alike. */
struct old_unit {
	struct crypt_unit unit;
	uint8_t tags[CRYPT_UNIT_BLOCKS_MAX * CRYPT_TAG_SIZE];
	struct unit_cipher *cipher;
};
/* unit: of the new sealing, whose first block is at address. ERROR_CORRUPT: there is none. Close it in any case. */
bool old_unit_open(const struct conversion *c, const struct crypt_unit *unit, uint64_t address, struct old_unit *old, struct error *err) must_use;
void old_unit_close(struct old_unit *old);

/* What the old sealing says of a block that is no ordinary one; NULL: it is one. */
const struct crypt_bad_block *old_bad_block(const struct conversion *c, uint64_t unit_id, uint32_t block);

/* Takes what c has of a sealing that was opened and checked for the one before. Its key schedule, units and all the rest go to c->old. */
void old_side_take(struct conversion *c);
/* The bridge from the new key (schedule) to the one before, of the sealing with the header `old`. op_id: of the rekeying. */
bool old_side_wrap(const struct crypt_header *old, const struct secret *volume_key, const struct key_schedule *schedule,
		   const uint8_t op_id[CRYPT_UUID_SIZE], struct disk_crypt_bridge *bridge, struct error *err) must_use;
/* The item of it in the root tree. */
bool old_side_bridge(const struct conversion *c, struct disk_crypt_bridge *bridge, bool *found, struct error *err) must_use;
/*
 * For a resume, with the last records laid over the trees: opens the sealing before with the key of the one that is being made, and finds its
 * units and inline units. c->scan and c->list must be there.
 */
bool old_side_open(struct conversion *c, struct error *err) must_use;
/* Bytes of the extents that have old units. */
uint64_t old_side_bytes(const struct conversion *c);

/* Lays out the units of the new sealing over those extents that have old ones, cut in the same way. item NULL: only counts. */
typedef bool old_side_put(void *context, const uint8_t *item, size_t len, unsigned n_units, struct error *err);
bool old_side_lay_out(const struct conversion *c, uint8_t *item, old_side_put *put, void *context, struct error *err) must_use;

/* Notes in the old units where their extents are now, if they have moved: from phase DATA on no tag could tell. In phase STRUCTURE. */
bool old_side_note_moved(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_OLD_SIDE_H */
