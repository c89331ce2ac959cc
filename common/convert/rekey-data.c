/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/rekey-data.h"

#include <inttypes.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/data.h"
#include "common/convert/old-side.h"
#include "common/convert/units-walk.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"

struct rekeying {
	struct batch *batch;
	const struct crypt_unit *unit;	/* of the new sealing */
	struct old_unit old;
	uint64_t address;
	bool is_read;	/* its data were read into the batch, from some mirror */
};

/* Its stored checksum does not match, and will be as far off afterwards. */
static bool carry_block(struct rekeying *r, uint32_t i, const uint8_t *plain, struct error *err)
{
	struct batch_block *block = &r->batch->block[i];
	const uint64_t at = r->address + (uint64_t)i * CRYPT_BLOCK;
	uint8_t before[CRYPT_BLOCK];
	bool same;

	block->carry = true;
	return unit_cipher_reseal(r->old.cipher, i, plain, CRYPT_BLOCK, before, r->old.unit.tags + (size_t)i * CRYPT_TAG_SIZE, &same, err) &&
	       csum_delta(r->batch->c, at, before, block->delta, err) &&
	       bad_block_add(r->batch->c, r->unit->unit_id, i, BAD_CARRIED, at, err);
}

/* Makes block i of the batch plain text, from any mirror whose tag is right; or it is skipped. */
static bool open_block(struct rekeying *r, uint32_t i, struct error *err)
{
	const struct crypt_bad_block *bad = old_bad_block(r->batch->c, r->old.unit.unit_id, i);
	uint8_t *block = batch_data(r->batch) + (size_t)i * CRYPT_BLOCK;
	bool right = false;
	unsigned mirror;

	if (bad && bad->what == BAD_SKIPPED)
		return unit_skip_block(r->batch, r->unit, r->address, i, err);
	if (r->is_read &&
	    !unit_cipher_open(r->old.cipher, i, block, CRYPT_BLOCK, block, r->old.unit.tags + (size_t)i * CRYPT_TAG_SIZE, &right, err))
		return false;
	if (!right) {
		const struct unit_here here = { r->old.cipher, &r->old.unit, r->address };

		if (!unit_block_read(r->batch->c->volume, unit_cipher_open, &here, i, block, &mirror, err))
			return false;
		if (mirror == BLOCK_NOWHERE)
			return unit_damaged_block(r->batch, r->unit, &side_old, r->address, i, err);
	}
	return !bad || carry_block(r, i, block, err);
}

/* Under a nonce that is drawn here and now. */
static bool seal(struct rekeying *r, uint64_t place, struct error *err)
{
	struct conversion *c = r->batch->c;
	const struct crypt_unit *unit = r->unit;
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	uint8_t *data = batch_data(r->batch), *tags = batch_tags(r->batch);
	uint8_t csums[CRYPT_UNIT_BLOCKS_MAX * 4];
	struct disk_crypt_u u = unit->u;

	for (uint32_t i = 0; i < unit->blocks; i++)
		csum_compute(CSUM_CRC32C, data + (size_t)i * CRYPT_BLOCK, CRYPT_BLOCK, csums + i * (size_t)4);
	if (!crypto_nonce(c->nonce_mac, &u.unit_id, sizeof(u.unit_id), csums, unit->blocks * (size_t)4, u.nonce, err) ||
	    !unit_cipher_new(c->schedule, unit->cipher, "unit", &u, sizeof(u), &cipher, err))
		return false;
	for (uint32_t i = 0; i < unit->blocks; i++) {
		uint8_t *block = data + (size_t)i * CRYPT_BLOCK, *tag = tags + (size_t)i * CRYPT_TAG_SIZE;

		if (r->batch->block[i].keep)
			memset(tag, 0, CRYPT_TAG_SIZE);
		else if (!unit_cipher_seal(cipher, i, block, CRYPT_BLOCK, block, tag, err))
			return false;
	}
	return unit_put(r->batch, unit, place, &u, err) && batch_add(r->batch, r->address, &u, unit->blocks, &r->old.unit, err);
}

static bool rekey_unit(struct batch *batch, const struct crypt_unit *unit, uint64_t place, uint64_t address, struct error *err)
{
	struct rekeying r = { .batch = batch, .unit = unit, .address = address };
	struct error unread;
	bool ok = old_unit_open(batch->c, unit, address, &r.old, err);

	/* If the unit cannot be read at once, read it block by block. */
	r.is_read = ok && volume_read(batch->c->volume, address, batch_data(batch), (size_t)unit->blocks * CRYPT_BLOCK, 0, &unread);
	for (uint32_t i = 0; ok && i < unit->blocks; i++)
		ok = open_block(&r, i, err);
	ok = ok && seal(&r, place, err);
	old_unit_close(&r.old);
	return ok;
}

bool data_rekey(struct conversion *c, struct error *err)
{
	return units_walk(c, UNIT_PLACE_END, rekey_unit, err);
}
