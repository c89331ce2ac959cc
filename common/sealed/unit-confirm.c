/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tries tags on data at an address. */
#include "common/sealed/unit-confirm.h"

#include "common/volume/mirror.h"

/* An extent with this many damaged blocks is still recognised by its address or first bytes, but with no more. */
#define CONFIRM_BLOCKS 16u
/* If only the length fits, at most this many blocks are tried, spread over the extent. */
#define CONFIRM_SPREAD 1024u

/* Is the data at address the plain text of block i? */
static bool block_is_plain(struct volume *volume, struct unit_cipher *cipher, const struct crypt_unit *unit, uint64_t address,
			   uint32_t i, bool *is, struct error *err)
{
	const uint64_t at = address + (uint64_t)i * CRYPT_BLOCK;
	uint8_t bytes[CRYPT_BLOCK];
	unsigned n_mirrors;

	*is = false;
	if (!volume_n_mirrors(volume, at, &n_mirrors, err))
		return false;
	for (unsigned mirror = 0; mirror < n_mirrors && !*is; mirror++) {
		if (!unit_mirror_read(volume, at, bytes, CRYPT_BLOCK, mirror))
			continue;
		if (!unit_cipher_reseal(cipher, i, bytes, CRYPT_BLOCK, bytes, unit->tags + (size_t)i * CRYPT_TAG_SIZE, is, err))
			return false;
	}
	return true;
}

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
	const uint64_t address = c->address + unit->offset_in_extent;
	/* The boundary tells how far the records have come. What the last one overwrites may be on either side. */
	const bool unfinished = c->boundary != UNIT_PLACE_END;
	uint8_t plain[CRYPT_BLOCK];
	unsigned mirror, n_mirrors;

	if (unfinished && !block_is_plain(c->volume, cipher, unit, address, i, &c->confirmed, err))
		return false;
	if (c->confirmed)
		return true;
	if (!unit_block_read(c->volume, cipher, unit, address, i, plain, &mirror, &n_mirrors, err))
		return false;
	c->confirmed = mirror < n_mirrors;
	secret_wipe(plain, sizeof(plain));
	return true;
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

bool unit_group_confirm(const struct unit_map *map, const struct unit_group *group, const struct key_schedule *schedule, uint64_t boundary,
			uint64_t address, enum effort effort, bool *confirmed, struct error *err)
{
	const uint64_t n_blocks = group->extent_len / CRYPT_BLOCK;
	struct confirming c = {
		.volume = map->volume,
		.schedule = schedule,
		.boundary = boundary,
		.address = address,
		.step = effort == EFFORT_SPREAD ? (n_blocks - 1) / CONFIRM_SPREAD + 1 : 1,
		.left = effort == EFFORT_FIRST ? CONFIRM_BLOCKS : n_blocks,
	};

	if (!unit_map_visit(map, group, confirm_unit, &c, err))
		return false;
	*confirmed = c.confirmed;
	return true;
}
