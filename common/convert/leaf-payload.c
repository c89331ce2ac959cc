/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/leaf-payload.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/rekey-payload.h"
#include "common/sealed/pack.h"
#include "common/volume/csum.h"

#define SHORT_PAYLOAD 8u	/* bytes; longer ciphertexts never collide */
#define DRAWS_MAX 1024u		/* attempts for a nonce */

static uint8_t *inline_in_item(const struct conversion *c, struct transaction *tx, uint64_t ordinal, struct error *err)
{
	const unsigned per_item = inline_units_per_item(c->volume->super.node_size);
	const struct key key = crypt_key(c->header.domain, CRYPT_INLINE_UNITS, ordinal / per_item);
	const size_t at = sizeof(struct disk_crypt_head) + ordinal % per_item * sizeof(struct disk_crypt_inline_unit);
	uint8_t *data;
	uint32_t len;

	if (!tree_edit_item(tx, ROOT_TREE_ID, &key, &data, &len, err))
		return NULL;
	if (at + sizeof(struct disk_crypt_inline_unit) > len) {
		error_set(err, ERROR_CORRUPT, "the tag of inline item %" PRIu64 " has no place in its item", ordinal);
		return NULL;
	}
	return data + at;
}

/*
 * A tag tells which ciphertext belongs to its unit, but short ciphertexts often collide: two one-byte files with the same inode number in
 * two members would be mistaken for each other.
 */
static bool is_ambiguous(const struct conversion *c, const struct inline_payload *payload, const uint8_t *ciphertext, bool *ambiguous,
			 struct error *err)
{
	struct inline_payload sealed = *payload;
	struct crypt_inline_unit unit;

	sealed.bytes.at = ciphertext;
	sealed.root = 0;
	return inline_map_find(&(struct inline_search){ c->inlines, c->schedule, &sealed, PAYLOAD_SEALED, NULL }, &unit, ambiguous, err);
}

/* Draws a new nonce into i and makes ciphertext and tag. Draws again if the ciphertext of a short payload equals that of another unit. */
static bool draw(struct conversion *c, const struct inline_payload *payload, struct disk_crypt_inline_unit *unit, uint8_t *ciphertext,
		 struct error *err)
{
	const size_t len = payload->bytes.left;
	bool ambiguous = false;
	uint8_t csum[4];

	csum_compute(CSUM_CRC32C, payload->bytes.at, len, csum);
	/* With more members than a byte has values, not all can differ. Their roots tell them apart as long as their leaves stay. */
	for (unsigned tries = 0; tries < DRAWS_MAX && (tries == 0 || ambiguous); tries++) {
		cleanup_unit_cipher struct unit_cipher *cipher = NULL;

		if (!crypto_nonce(c->nonce_mac, &unit->i, offsetof(struct disk_crypt_i, nonce), csum, sizeof(csum), unit->i.nonce, err) ||
		    !unit_cipher_new(c->schedule, c->header.cipher, "inline", &unit->i, sizeof(unit->i), &cipher, err) ||
		    !unit_cipher_seal(cipher, 0, payload->bytes.at, len, ciphertext, unit->tag, err) ||
		    (len < SHORT_PAYLOAD && !is_ambiguous(c, payload, ciphertext, &ambiguous, err)))
			return false;
	}
	return true;
}

bool payload_seal(struct conversion *c, struct transaction *tx, uint64_t *ordinal, const struct inline_payload *payload, uint8_t *bytes,
		  struct error *err)
{
	uint8_t *place = inline_in_item(c, tx, *ordinal, err);
	struct disk_crypt_inline_unit unit;
	uint8_t *ciphertext;
	bool ok;

	if (!place)
		return false;
	memcpy(&unit, place, sizeof(unit));
	if (unit.i.kind != payload->kind || le64(unit.i.inode) != payload->inode || le64(unit.i.offset) != payload->offset ||
	    le32(unit.i.length) != payload->bytes.left)
		return error_set(err, ERROR_CORRUPT, "the tag of inline item %" PRIu64 " does not belong to inode %" PRIu64, *ordinal,
			payload->inode);
	ciphertext = malloc(payload->bytes.left);
	if (!ciphertext)
		return error_memory(err);
	ok = draw(c, payload, &unit, ciphertext, err);
	if (ok) {
		memcpy(bytes, ciphertext, payload->bytes.left);
		memcpy(place, &unit, sizeof(unit));
		++*ordinal;
	}
	free(ciphertext);
	return ok;
}

bool payload_rekey(struct conversion *c, struct transaction *tx, uint64_t *ordinal, const struct scan_block *at,
		   const struct inline_payload *payload, uint8_t *bytes, struct error *err)
{
	struct inline_payload opened = *payload;
	uint8_t *plain = malloc(payload->bytes.left);
	const bool ok = plain ? rekey_payload_open(c, at, &opened, plain, err) && payload_seal(c, tx, ordinal, &opened, bytes, err)
			      : error_memory(err);

	wiped_free(plain, payload->bytes.left);
	return ok;
}

bool payload_turn(const struct conversion *c, const struct scan_block *at, struct inline_payload *payload, uint8_t *bytes, struct error *err)
{
	const struct side *from = conversion_to(c)->other;
	struct crypt_inline_unit unit;
	uint8_t *other = malloc(payload->bytes.left);
	bool found, had = false, left_out = false, ok = false;
	const struct inline_search search = { c->inlines, c->schedule, payload, from->is_sealed ? PAYLOAD_SEALED : PAYLOAD_PLAIN, other };

	if (!other)
		return error_memory(err);
	/*
	 * A plain payload does not say which unit it has. It must be the unit of its own leaf again, not that of a snapshot's copy of the
	 * leaf.
	 */
	payload->root = c->flags_member ? c->flags_member[at->member] : c->scan->member[at->member];
	if (!inline_map_find(&search, &unit, &found, err) ||
	    (!found && (!inline_map_has(c->inlines, payload, &had, err) ||
			!payload_is_left_out(c->scan, at, payload, &left_out, err))))
		goto out;
	/*
	 * When unsealing, a payload without a unit was written later and stays, if that was accepted at the beginning. Otherwise the unit
	 * was changed since. In both directions, what the next mount will delete stays as it is: nothing vouched for it.
	 */
	if (found)
		memcpy(bytes, other, payload->bytes.left);
	ok = found || left_out || (from->is_sealed && !had && le32(c->op.state.flags) & CRYPT_STATE_ACCEPTED) ||
	     error_set(err, ERROR_CORRUPT, "inode %" PRIu64 ": an inline payload %s", payload->inode,
		       from->payload_fails);
out:
	wiped_free(other, payload->bytes.left);
	return ok;
}

bool payload_holds(const struct conversion *c, bool is_fresh, const struct scan_block *at, struct inline_payload *payload, bool *holds,
		   struct error *err)
{
	const bool sealed = conversion_to(c)->is_sealed;
	const enum payload_form side = sealed ? PAYLOAD_SEALED : PAYLOAD_PLAIN, other = sealed ? PAYLOAD_PLAIN : PAYLOAD_SEALED;
	struct crypt_inline_unit unit;
	bool had = false, left_out = false, other_side = false;

	if (conversion_is_rekey(c))
		return rekey_payload_holds(c, at, payload, holds, err);
	payload->root = c->flags_member ? c->flags_member[at->member] : c->scan->member[at->member];
	if (!inline_map_find(&(struct inline_search){ c->inlines, c->schedule, payload, side, NULL }, &unit, holds, err) || *holds)
		return *holds;
	if (!is_fresh && !payload_is_left_out(c->scan, at, payload, &left_out, err))
		return false;
	/* It was skipped, so it is on neither side. */
	if (left_out && !inline_map_find(&(struct inline_search){ c->inlines, c->schedule, payload, other, NULL }, &unit, &other_side, err))
		return false;
	*holds = left_out && !other_side;
	if (*holds || sealed)
		return true;
	/* A payload that an encryption had not reached, or that was written later and accepted, stays as it was. */
	if (!inline_map_has(c->inlines, payload, &had, err))
		return false;
	*holds = !had && (c->op.state.operation == CRYPT_OP_ENCRYPT || le32(c->op.state.flags) & CRYPT_STATE_ACCEPTED);
	return true;
}

/* An encryption that is undone may not have reached this leaf. Then the leaf is as it was. */
