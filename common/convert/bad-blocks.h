/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damaged blocks, which a conversion does not convert like the others. Their crypt items change in the same record as the blocks
 * themselves. See format/README.md, "Bad blocks".
 */
#ifndef COMMON_CONVERT_BAD_BLOCKS_H
#define COMMON_CONVERT_BAD_BLOCKS_H

#include "common/convert/conversion.h"

/* Fills c->bad from the crypt items as they are now. */
bool bad_blocks_read(struct conversion *c, struct error *err) must_use;
/* NULL: an ordinary block. */
const struct crypt_bad_block *bad_block_find(const struct conversion *c, uint64_t unit_id, uint32_t block);
static inline bool damage_skips(const struct conversion *c)
{
	return c->ui && c->ui->damage.skip;
}
static inline bool damage_carries(const struct conversion *c)
{
	return c->ui && c->ui->damage.carry;
}
static inline bool bad_block_is(const struct conversion *c, uint64_t unit_id, uint32_t block, enum crypt_bad what)
{
	const struct crypt_bad_block *bad = bad_block_find(c, unit_id, block);

	return bad && bad->what == what;
}

/*
 * Adds a bad block and tells people which file and bytes it belongs to. address: the address of the block. The next record writes it to the
 * tree.
 */
bool bad_block_add(struct conversion *c, uint64_t unit_id, uint32_t block, enum crypt_bad what, uint64_t address, struct error *err) must_use;
/* The same record makes its checksum wrong, without writing data there: csum_spoil(). */
bool bad_block_spoil_later(struct conversion *c, uint64_t address, struct error *err) must_use;
/* Reports and counts all known bad blocks, at the beginning of a run. */
bool bad_blocks_tell(struct conversion *c, struct error *err) must_use;
/* Reports a block that nothing identifies, after a journal record was lost. */
bool bad_block_tell_lost(struct conversion *c, uint64_t unit_id, uint64_t address, struct error *err) must_use;
/* Reports and counts a block whose copies differ, and of which one is sealed. */
bool bad_block_tell_chosen(struct conversion *c, uint64_t unit_id, uint64_t address, struct error *err) must_use;
/* Reports and counts a block that was known before. */
bool bad_block_tell(struct conversion *c, uint64_t unit_id, enum crypt_bad what, uint64_t address, struct error *err) must_use;

/* For commit.c: writes c->bad and its MACs to the tree and the header. Does nothing if nothing was added. */
bool bad_blocks_store(struct conversion *c, struct transaction *tx, struct error *err) must_use;
/* Writes the blocks that turned out to be damaged while nothing was being converted in a record of their own, if there are any. */
bool bad_blocks_keep(struct conversion *c, struct error *err) must_use;
/* The number of tree blocks that this may change. */
size_t bad_blocks_room(const struct conversion *c);
/* The number of items that n bad blocks take. */
uint64_t bad_block_items(const struct conversion *c, uint64_t n);

/* Makes sure that no mirror matches the stored checksum of the sector at address: flips one bit if one would. */
bool csum_spoil(struct conversion *c, struct transaction *tx, uint64_t address, struct error *err) must_use;

#endif /* COMMON_CONVERT_BAD_BLOCKS_H */
