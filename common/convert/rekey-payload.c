/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/rekey-payload.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/sealed/payloads.h"

bool rekey_payload_open(const struct conversion *c, const struct scan_block *at, struct inline_payload *payload, uint8_t *plain, struct error *err)
{
	const struct inline_search search = { c->old.inlines, c->old.schedule, payload, PAYLOAD_SEALED, plain };
	bool found, had = false, left_out = false;
	struct crypt_inline_unit unit;

	payload->root = c->old.source[at->member];
	if (!inline_map_find(&search, &unit, &found, err))
		return false;
	if (found) {
		payload->bytes.at = plain;
		return true;
	}
	if (!inline_map_has(c->old.inlines, payload, &had, err))
		return false;
	if (!had)
		return true;
	if (!payload_is_left_out(c->scan, at, payload, &left_out, err))
		return false;
	return left_out || error_set(err, ERROR_CORRUPT, "inode %" PRIu64 ": an inline payload %s", payload->inode, side_old.payload_fails);
}

bool rekey_payload_back(const struct conversion *c, const struct scan_block *at, struct inline_payload *payload, uint8_t *bytes, struct error *err)
{
	const size_t len = payload->bytes.left;
	struct inline_payload opened = *payload;
	struct crypt_inline_unit unit;
	uint8_t *plain = malloc(2 * len);
	const struct inline_search new = { c->inlines, c->schedule, payload, PAYLOAD_SEALED, plain };
	bool found, ok;

	if (!plain)
		return error_memory(err);
	payload->root = c->scan->member[at->member];
	opened.bytes.at = plain;
	/* It must be the unit of its own leaf again, not that of a snapshot's copy of the leaf. */
	opened.root = c->old.source[at->member];
	ok = inline_map_find(&new, &unit, &found, err) &&
	     (found || error_set(err, ERROR_CORRUPT, "inode %" PRIu64 ": an inline payload %s", payload->inode, side_new.payload_fails)) &&
	     inline_map_find(&(struct inline_search){ c->old.inlines, c->old.schedule, &opened, PAYLOAD_PLAIN, plain + len }, &unit, &found, err);
	if (ok)
		memcpy(bytes, found ? plain + len : plain, len);
	wiped_free(plain, 2 * len);
	return ok;
}

bool rekey_payload_holds(const struct conversion *c, const struct scan_block *at, struct inline_payload *payload, bool *holds, struct error *err)
{
	const uint64_t member = c->scan->member[at->member], source = c->old.source[at->member];
	const struct inline_search new = { c->inlines, c->schedule, payload, PAYLOAD_SEALED, NULL };
	const struct inline_search old = { c->old.inlines, c->old.schedule, payload, PAYLOAD_SEALED, NULL };
	struct crypt_inline_unit unit;
	bool is_new, had;

	payload->root = member;
	if (conversion_to(c)->is_sealed)
		return inline_map_find(&new, &unit, holds, err);
	/* The old one first: a payload of one byte may be the same under both keys. */
	payload->root = source;
	if (!inline_map_find(&old, &unit, holds, err) || *holds)
		return *holds;
	payload->root = member;
	if (!inline_map_find(&new, &unit, &is_new, err))
		return false;
	if (is_new)
		return true;	/* *holds is false */
	payload->root = source;
	if (!inline_map_has(c->old.inlines, payload, &had, err))
		return false;
	*holds = !had;
	return *holds || payload_is_left_out(c->scan, at, payload, holds, err);
}
