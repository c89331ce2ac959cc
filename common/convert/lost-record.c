/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a lost journal record has left in place: tags of units, and the blocks that these tags describe. */
#include "common/convert/lost-record.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/batch.h"
#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/csum-update.h"
#include "common/convert/data.h"
#include "common/convert/lost-units.h"
#include "common/convert/replay.h"
#include "common/convert/state.h"

bool lost_record_is_sought(struct conversion *c, struct error *err)
{
	if (c->phase != CRYPT_PHASE_DATA || !c->ui || conversion_is_rekey(c))
		return false;
	if (!damage_skips(c)) {
		error_hint(err, "if the last journal record was destroyed, --skip-damaged works out what it did from the image, and "
			"reports how much of it is lost");
		return false;
	}
	c->lost.is_lost = true;
	*err = (struct error){ 0 };
	return true;
}

/* --- what remains ------------------------------------------------------------------------------------------------------- */

static bool remains(struct conversion *c, struct lost_unit *unit, uint32_t i, struct error *err)
{
	if (!unit->left && !(unit->left = calloc(lost_unit_blocks(unit), sizeof(*unit->left))))
		return error_memory(err);
	unit->left[i] = true;
	c->lost.n_damaged++;
	return bad_block_tell_lost(c, le64(unit->u.unit_id), unit->address + (uint64_t)i * CRYPT_BLOCK, err);
}

static bool check_tagged(struct conversion *c, struct lost_unit *unit, struct error *err)
{
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	uint8_t bytes[CRYPT_BLOCK];
	bool ok = unit_cipher_new(c->schedule, unit->u.cipher, "unit", &unit->u, sizeof(unit->u), &cipher, err);

	for (uint32_t i = 0; ok && i < lost_unit_blocks(unit); i++) {
		bool found = bad_block_is(c, le64(unit->u.unit_id), i, BAD_SKIPPED);

		ok = (found || lost_block_complete(c, unit, cipher, i, bytes, &found, err)) && (found || remains(c, unit, i, err));
	}
	secret_wipe(bytes, sizeof(bytes));
	return ok;
}

/*
 * In ciphertext all bytes are about equally frequent: chi-square is then 255, with a standard deviation of 23. True means that the block
 * cannot be ciphertext, false that it may be.
 */
static bool cannot_be_ciphertext(const uint8_t block[CRYPT_BLOCK])
{
	unsigned times[256] = { 0 };
	uint64_t sum = 0;

	for (unsigned i = 0; i < CRYPT_BLOCK; i++)
		times[block[i]]++;
	for (unsigned i = 0; i < 256; i++)
		sum += (uint64_t)times[i] * times[i];
	return sum / (CRYPT_BLOCK / 256) - CRYPT_BLOCK > 1000;
}

struct checking {
	struct conversion *c;
	const struct replay *replay;
	bool mistrusts;		/* the lost record had the unit, so a checksum may be the one it wrote, of ciphertext */
	uint64_t n_untold;	/* blocks without a checksum */
	uint8_t *bytes;		/* a unit's bytes */
};

/* Is this sector's stored checksum, if it has one, in a valid record? */
static bool csum_is_known(const struct checking *checking, uint64_t address, bool *is, struct error *err)
{
	const struct key key = { EXTENT_CSUM_ID, KEY_EXTENT_CSUM, address };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;

	*is = false;
	if (!tree_open(checking->c->volume, CSUM_TREE_ID, &tree, err) || !tree_seek_last(&tree, &key, &iter, err))
		return false;
	for (size_t i = 0; iter.valid && !*is && i < checking->replay->n_blocks; i++)
		*is = checking->replay->block[i]->logical == iter.path[0]->logical;
	return true;
}

/* No tag tells, so a block is plain text if it matches its checksum and that checksum is from before. */
static bool check_plain(struct checking *checking, struct lost_unit *unit, struct error *err)
{
	struct conversion *c = checking->c;
	struct plain plain;

	if (!plain_read(c, unit->address, checking->bytes, (size_t)lost_unit_blocks(unit) * CRYPT_BLOCK, &plain, err))
		return false;
	for (uint32_t i = 0; i < lost_unit_blocks(unit); i++) {
		const uint64_t address = unit->address + (uint64_t)i * CRYPT_BLOCK;
		uint8_t csum[CSUM_SIZE];
		bool has, is_known = true;

		if (!csum_get(c->volume, address, csum, &has, err) ||
		    (checking->mistrusts && !cannot_be_ciphertext(checking->bytes + (size_t)i * CRYPT_BLOCK) &&
		     !csum_is_known(checking, address, &is_known, err)) ||
		    ((plain.state[i] >= PLAIN_BAD || (has && !is_known)) && !remains(c, unit, i, err)))
			return false;
		checking->n_untold += !has;
	}
	return true;
}

/*
 * A record has all units from the cursor to its last one, so the lost one had those before a unit with tags. If none has tags, nobody
 * knows.
 */
static size_t n_mistrusted(const struct conversion *c)
{
	size_t i = c->lost.n;

	if (!c->lost.is_lost || c->lost.turned)
		return 0;
	while (i > 0 && !c->lost.unit[i - 1].tags)
		i--;
	return i > 0 ? i : c->lost.n;
}

static bool check_units(struct conversion *c, const struct replay *replay, struct error *err)
{
	struct checking checking = { .c = c, .replay = replay, .bytes = malloc((size_t)CRYPT_UNIT_BLOCKS_MAX * CRYPT_BLOCK) };
	bool ok = checking.bytes || error_memory(err);

	for (size_t i = 0; ok && i < c->lost.n; i++) {
		struct lost_unit *unit = &c->lost.unit[i];

		checking.mistrusts = i < n_mistrusted(c);
		ok = unit->tags || !conversion_is_first_time(c) ? check_tagged(c, unit, err) : check_plain(&checking, unit, err);
	}
	wiped_free(checking.bytes, (size_t)CRYPT_UNIT_BLOCKS_MAX * CRYPT_BLOCK);
	if (ok && checking.n_untold > 0 && c->lost.is_lost)
		conversion_note(c, "%" PRIu64 " blocks without checksums may have been changed by the lost record; nothing can tell, so "
			"they are taken for plain text", checking.n_untold);
	return ok;
}

bool lost_record_number_fits(const struct conversion *c, struct error *err)
{
	const struct convert_damage *damage = c->ui ? &c->ui->damage : NULL;
	const uint64_t n = c->lost.n_damaged;
	const bool is_given = damage && damage->skip && damage->n_skip > 0;

	if (is_given ? damage->n_skip == n : n == 0)
		return true;
	if (is_given)
		error_set(err, ERROR_REFUSED, "--skip-damaged=%" PRIu64 ": the lost journal record has %" PRIu64 " such blocks; nothing "
			"was changed", damage->n_skip, n);
	else
		error_set(err, ERROR_CORRUPT, "a journal record %s, and nothing tells what became of %" PRIu64 " blocks, listed above, "
			"that it was converting; nothing was changed", c->lost.is_lost ? "is lost" : "may be lost", n);
	return n > 0 ? error_hint(err, "`--skip-damaged=%" PRIu64 "` leaves them as they are and converts everything else", n) :
		       error_hint(err, "use --skip-damaged without a number");
}

/* Tags that are in no record come from a lost one. */
static bool check_tags(struct conversion *c, struct error *err)
{
	for (size_t i = 0; !c->lost.is_lost && i < c->lost.n; i++) {
		if (c->lost.unit[i].tags && !error_set(err, ERROR_STATE, "the data at %#" PRIx64 " are sealed, but the conversion has not "
			"reached them",
						       le64(c->lost.unit[i].u.unit_id)) && !lost_record_is_sought(c, err))
			return false;
	}
	return true;
}

bool lost_record_look(struct conversion *c, const struct replay *replay, bool turns, struct error *err)
{
	/* A broken record was never committed, or is lost. Whoever continues meets what it did. */
	const bool may_be = c->op.journal.next_is_broken && (turns || (damage_skips(c) && conversion_is_first_time(c)));

	if (c->phase != CRYPT_PHASE_DATA || !c->units || conversion_is_rekey(c) || (!c->lost.is_lost && !may_be && !conversion_is_first_time(c)))
		return lost_record_number_fits(c, err);
	if (!lost_units_gather(c, err) || (conversion_is_first_time(c) && (!lost_units_find_tags(c, err) || !check_tags(c, err))) ||
	    ((c->lost.is_lost || (may_be && conversion_is_first_time(c))) && !check_units(c, replay, err)) || !lost_record_number_fits(c, err))
		return false;
	c->lost.is_lost |= may_be && c->lost.n_damaged > 0;
	return true;
}

/* --- going on ----------------------------------------------------------------------------------------------------------- */

bool lost_record_holds(const struct conversion *c, uint64_t leaf)
{
	for (size_t i = 0; i < c->lost.n; i++) {
		if (c->lost.unit[i].leaf == leaf)
			return true;
	}
	return false;
}

bool lost_record_has_tags(const struct conversion *c, uint64_t place)
{
	const struct lost_unit *unit = conversion_is_first_time(c) ? lost_unit_at(c, place) : NULL;

	return unit && unit->tags;
}

bool lost_record_leaves(const struct conversion *c, uint64_t place, uint32_t i)
{
	const struct lost_unit *unit = lost_unit_at(c, place);

	return unit && unit->left && unit->left[i];
}

static bool put_tags(const struct conversion *c, struct transaction *tx, const struct lost_unit *unit, struct error *err)
{
	const struct key key = crypt_key(c->header.domain, CRYPT_UNITS, unit->place >> 16);
	const size_t size = (size_t)lost_unit_blocks(unit) * CRYPT_TAG_SIZE;
	uint8_t *data;
	uint32_t len;

	if (!tree_edit_item(tx, ROOT_TREE_ID, &key, &data, &len, err))
		return false;
	data += unit->at;
	memcpy(data + offsetof(struct disk_crypt_unit, u), &unit->u, sizeof(unit->u));
	memcpy(data + offsetof(struct disk_crypt_unit, first), unit->first, sizeof(unit->first));
	memcpy(data + sizeof(struct disk_crypt_unit), unit->tags, size);
	return true;
}

bool lost_record_take(struct conversion *c, struct error *err)
{
	struct transaction *tx;
	bool any = false;

	if (!c->lost.is_lost)
		return true;
	/* The next record has the number of the lost one, but another MAC. */
	if (le64(c->op.state.sequence) > c->op.journal.sequence && !conversion_write_state(c, err))
		return false;
	if (!conversion_is_first_time(c))
		return true;
	if (!transaction_begin(c->volume, c->allocator, &tx, err))
		return false;
	for (size_t i = 0; i < c->lost.n; i++) {
		if (!c->lost.unit[i].tags)
			continue;
		any = true;
		if (!put_tags(c, tx, &c->lost.unit[i], err)) {
			transaction_drop(tx);
			return false;
		}
	}
	if (any)
		return conversion_commit(c, tx, c->phase, c->cursor, err);
	transaction_drop(tx);
	return true;
}

bool lost_record_finish(struct conversion *c, struct error *err)
{
	if (conversion_is_first_time(c))
		return !c->lost.is_lost || data_seal_until(c, c->lost.until, err);
	/* All of it has tags, whatever side it is on, so it counts as plain text that will be sealed again. */
	if (c->phase == CRYPT_PHASE_DATA && c->lost.n > 0)
		c->cursor = c->lost.until;
	return true;
}

void lost_record_free(struct conversion *c)
{
	for (size_t i = 0; i < c->lost.n; i++) {
		free(c->lost.unit[i].tags);
		free(c->lost.unit[i].left);
	}
	free(c->lost.unit);
}
