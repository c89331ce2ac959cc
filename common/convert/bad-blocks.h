/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that a conversion does not convert as the others, because they are damaged.  In the crypt items they change in the same record as what they
 * speak of.  format/README.md, "Bad blocks".
 */
#ifndef COMMON_CONVERT_BAD_BLOCKS_H
#define COMMON_CONVERT_BAD_BLOCKS_H

#include "common/convert/conversion.h"

/* Into c->bad, from the crypt items as they are now. */
bool bad_blocks_read(struct conversion *c, struct error *err) must_use;
/* NULL: it is like others. */
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

/* One more, and people are told what it is of: the file and its bytes.  address: of the block.  In the tree with the next record. */
bool bad_block_add(struct conversion *c, uint64_t unit_id, uint32_t block, enum crypt_bad what, uint64_t address, struct error *err) must_use;
/* Its checksum is seen to in the same record, where no data are written in it: csum_spoil(). */
bool bad_block_spoil_later(struct conversion *c, uint64_t address, struct error *err) must_use;
/* All that are known: only told and counted, at the beginning of a run. */
bool bad_blocks_tell(struct conversion *c, struct error *err) must_use;
/* One that nothing tells of, behind a lost record of the journal: only told. */
bool bad_block_tell_lost(struct conversion *c, uint64_t unit_id, uint64_t address, struct error *err) must_use;
/* One that was known before: only told and counted. */
bool bad_block_tell(struct conversion *c, uint64_t unit_id, enum crypt_bad what, uint64_t address, struct error *err) must_use;

/* For commit.c: c->bad into the tree and the header, and what vouches for it; nothing where nothing was added. */
bool bad_blocks_store(struct conversion *c, struct transaction *tx, struct error *err) must_use;
/* In a record of its own, where there are some: those that turned out to be damaged while nothing was being converted. */
bool bad_blocks_keep(struct conversion *c, struct error *err) must_use;
/* Tree blocks that this may change. */
size_t bad_blocks_room(const struct conversion *c);
/* Items that so many take. */
uint64_t bad_block_items(const struct conversion *c, uint64_t n);

/* The stored checksum of the sector at address matches on no mirror any more: one bit is turned where it would. */
bool csum_spoil(struct conversion *c, struct transaction *tx, uint64_t address, struct error *err) must_use;

#endif /* COMMON_CONVERT_BAD_BLOCKS_H */
