/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tries tags on data at an address. */
#include "common/sealed/unit-confirm.h"

/* An extent with this many damaged blocks is still recognised by its address or first bytes, but with no more. */
#define CONFIRM_BLOCKS 16u
/* If only the length fits, at most this many blocks are tried, spread over the extent. */
#define CONFIRM_SPREAD 1024u

struct confirming {
	struct volume *volume;
	const struct key_schedule *schedule;
	uint64_t boundary;
	uint64_t address;	/* address of the extent */
	uint64_t step, left;	/* tries every step-th block, at most left of them */
	bool confirmed;
};

static bool confirm_block(struct confirming *c, struct unit_cipher *cipher, const struct crypt_unit *unit, uint32_t i, struct error *err)
{
	const struct unit_here here = { cipher, unit, c->address + unit->offset_in_extent };
	/* The boundary tells how far the records have come. What the last one overwrites may be on either side. */
	const bool unfinished = c->boundary != UNIT_PLACE_END;
	uint8_t bytes[CRYPT_BLOCK];
	unsigned mirror = BLOCK_NOWHERE;
	const bool ok = (!unfinished || unit_block_read(c->volume, unit_cipher_reseal, &here, i, bytes, &mirror, err)) &&
			(mirror != BLOCK_NOWHERE || unit_block_read(c->volume, unit_cipher_open, &here, i, bytes, &mirror, err));

	c->confirmed = ok && mirror != BLOCK_NOWHERE;
	secret_wipe(bytes, sizeof(bytes));
	return ok;
}

static bool confirm_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct confirming *c = context;
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	const uint64_t before = unit->offset_in_extent / CRYPT_BLOCK;

	(void)place;
	if (unit->sealed && !unit_cipher_new(c->schedule, unit->cipher, "unit", &unit->u, sizeof(unit->u), &cipher, err))
		return false;
	/* Start with the first block of the unit that is a multiple of step in the extent. */
	for (uint64_t i = (c->step - before % c->step) % c->step; i < unit->blocks && c->left > 0 && !c->confirmed; i += c->step) {
		c->left--;
		if (unit->sealed && !confirm_block(c, cipher, unit, (uint32_t)i, err))
			return false;
	}
	*go = c->left > 0 && !c->confirmed;
	return true;
}

bool unit_group_confirm(const struct unit_map *map, const struct unit_group *group, const struct unit_trial *trial, uint64_t address,
			bool *confirmed, struct error *err)
{
	const uint64_t n_blocks = group->extent_len / CRYPT_BLOCK;
	struct confirming c = {
		.volume = map->volume,
		.schedule = trial->schedule,
		.boundary = trial->boundary,
		.address = address,
		.step = trial->effort == EFFORT_SPREAD ? (n_blocks - 1) / CONFIRM_SPREAD + 1 : 1,
		.left = trial->effort == EFFORT_FIRST ? CONFIRM_BLOCKS : n_blocks,
	};

	if (!unit_map_visit(map, group, confirm_unit, &c, err))
		return false;
	*confirmed = c.confirmed;
	return true;
}
