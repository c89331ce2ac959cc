/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads all data back in one pass, while their units and tags still exist. A block that is not what was written is on its old side, or
 * torn. The tag tells which, and the block is completed from what is there.
 */
#include "common/convert/data-back.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/batch.h"
#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/csum-update.h"
#include "common/convert/old-side.h"
#include "common/convert/torn.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "common/volume/warn.h"

#define STOP_BYTES (64u << 20)	/* how often to ask whether to stop */
#define UNIT_BYTES ((size_t)CRYPT_UNIT_BLOCKS_MAX * CRYPT_BLOCK)

struct reading_back {
	struct conversion *c;
	uint8_t *bytes;		/* a unit as it should be */
	uint8_t *other;		/* as another mirror has it */
	struct unit_cipher *cipher;
	struct old_unit old;	/* while rekeying */
	uint64_t done, asked;
	/* For each block: */
	bool wanted[CRYPT_UNIT_BLOCKS_MAX];	/* some mirror has something else */
	bool skipped[CRYPT_UNIT_BLOCKS_MAX];	/* it was left as found and has no tag */
};

static struct sided_block block_of(const struct reading_back *r, const struct crypt_unit *unit, uint32_t i)
{
	const size_t tag = (size_t)i * CRYPT_TAG_SIZE;

	return (struct sided_block){
		r->cipher, i, unit->tags + tag, conversion_to(r->c), r->old.cipher, r->old.cipher ? r->old.unit.tags + tag : NULL,
	};
}

/* Is this block on the side where the conversion leaves it? */
static bool is_right(const struct reading_back *r, const struct crypt_unit *unit, uint32_t i, const uint8_t *block, bool *right, struct error *err)
{
	const struct sided_block sided = block_of(r, unit, i);
	uint8_t scratch[CRYPT_BLOCK];
	const bool ok = sided.to->read(&sided, block, scratch, right, err);

	secret_wipe(scratch, sizeof(scratch));
	return ok;
}

/* Gets block i as it should be, from any mirror that has it or has what it can be made from. */
static bool find_block(struct reading_back *r, const struct crypt_unit *unit, uint64_t address, uint32_t i, struct error *err)
{
	const struct sided_block block = block_of(r, unit, i);
	const uint64_t at = address + (uint64_t)i * CRYPT_BLOCK;
	bool found;

	/* A mirror that cannot be read is as good as one that is wrong. */
	if (!torn_read_medium(r->c->volume, &block, at, r->bytes + (size_t)i * CRYPT_BLOCK, &found, err) && err->kind != ERROR_IO)
		return false;
	if (found)
		return true;
	*err = (struct error){ 0 };
	if (damage_skips(r->c)) {
		r->skipped[i] = true;
		return bad_block_add(r->c, unit->unit_id, i, BAD_SKIPPED, at, err) && bad_block_spoil_later(r->c, at, err);
	}
	error_set(err, ERROR_CORRUPT, "no mirror has what was written to the block at %#" PRIx64, at);
	name_file(r->c, unit, err);
	return error_hint(err, "--resume or --abort with --skip-damaged leaves the damaged blocks as they are");
}

/* Reads the first mirror and corrects it where it is wrong. */
static bool read_right(struct reading_back *r, const struct crypt_unit *unit, uint64_t address, struct error *err)
{
	struct error unread;
	const bool is_read = volume_read_medium(r->c->volume, address, r->bytes, (size_t)unit->blocks * CRYPT_BLOCK, 0, &unread);

	for (uint32_t i = 0; i < unit->blocks; i++) {
		const struct crypt_bad_block *bad = bad_block_find(r->c, unit->unit_id, i);
		bool right = false;

		r->wanted[i] = false;
		r->skipped[i] = bad && bad->what == BAD_SKIPPED;
		if (r->skipped[i])
			continue;
		if (is_read && !is_right(r, unit, i, r->bytes + (size_t)i * CRYPT_BLOCK, &right, err))
			return false;
		if (!right && !find_block(r, unit, address, i, err))
			return false;
		r->wanted[i] = !right && !r->skipped[i];
	}
	return true;
}

static void compare_mirror(struct reading_back *r, const struct crypt_unit *unit, uint64_t address, unsigned mirror)
{
	struct error unread;
	const bool is_read = volume_read_medium(r->c->volume, address, r->other, (size_t)unit->blocks * CRYPT_BLOCK, mirror, &unread);

	for (uint32_t i = 0; i < unit->blocks; i++)
		r->wanted[i] |= !r->skipped[i] &&
				(!is_read || memcmp(r->bytes + (size_t)i * CRYPT_BLOCK, r->other + (size_t)i * CRYPT_BLOCK, CRYPT_BLOCK) != 0);
}

static bool read_unit(struct reading_back *r, const struct crypt_unit *unit, uint64_t address, struct error *err)
{
	struct volume *volume = r->c->volume;
	unsigned n_mirrors;

	if (!volume_n_mirrors(volume, address, &n_mirrors, err) ||
	    !read_right(r, unit, address, err))
		return false;
	for (unsigned mirror = 1; mirror < n_mirrors; mirror++)
		compare_mirror(r, unit, address, mirror);
	for (uint32_t i = 0; i < unit->blocks; i++) {
		const size_t at = (size_t)i * CRYPT_BLOCK;

		if (r->wanted[i] && !volume_read_back(volume, address + at, r->bytes + at, CRYPT_BLOCK, err))
			return false;
	}
	return true;
}

static bool look_at_sealed(struct reading_back *r, const struct crypt_unit *unit, uint64_t address, struct error *err)
{
	const bool ok = unit_cipher_new(r->c->schedule, unit->cipher, "unit", &unit->u, sizeof(unit->u), &r->cipher, err) &&
			(!r->c->old.schedule || old_unit_open(r->c, unit, address, &r->old, err)) && read_unit(r, unit, address, err);

	unit_cipher_free(r->cipher);
	r->cipher = NULL;
	old_unit_close(&r->old);
	return ok;
}

/* A unit that was never sealed was never written. A mirror of it that is wrong was wrong before: it is left as it is, but reported. */
static bool look_at_unsealed(struct reading_back *r, const struct crypt_unit *unit, uint64_t address, struct error *err)
{
	struct volume *volume = r->c->volume;
	unsigned n_mirrors;

	if (!volume_n_mirrors(volume, address, &n_mirrors, err))
		return false;
	for (unsigned mirror = 0; mirror < n_mirrors; mirror++) {
		uint64_t n_bad = 0, first = 0;
		struct error unread;
		const bool is_read = volume_read_medium(volume, address, r->other, (size_t)unit->blocks * CRYPT_BLOCK, mirror, &unread);

		for (uint32_t i = 0; i < unit->blocks; i++) {
			const uint64_t at = address + (uint64_t)i * CRYPT_BLOCK;
			uint8_t stored[CSUM_SIZE];
			bool has;

			if (!csum_get(r->c->volume, at, stored, &has, err))
				return false;
			if (is_read && (!has || csum_matches(volume->super.csum_type, r->other + (size_t)i * CRYPT_BLOCK, CRYPT_BLOCK, stored)))
				continue;
			if (n_bad++ == 0)
				first = at;
		}
		if (n_bad > 0)
			volume_warn(volume, "data at %" PRIu64 ": mirror %u is damaged in %" PRIu64 " blocks; they were not converted yet, and are left as "
				    "they were", first, mirror + 1, n_bad);
	}
	return true;
}

static bool visit_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct reading_back *r = context;
	struct conversion *c = r->c;
	struct unit_group group;

	(void)place, (void)go;
	/* If no extent has the unit any more, its place belongs to someone else. */
	if (!unit_map_of(c->units, unit->unit_id, &group) || group.address == 0)
		return true;
	if (!(unit->sealed ? look_at_sealed : look_at_unsealed)(r, unit, group.address + unit->offset_in_extent, err))
		return false;
	r->done += (uint64_t)unit->blocks * CRYPT_BLOCK;
	if (r->done - r->asked < STOP_BYTES)
		return true;
	r->asked = r->done;
	conversion_progress(c, r->done, le64(c->op.state.total));
	return conversion_may_go_on(c, err);
}

bool data_read_back(struct conversion *c, struct error *err)
{
	struct reading_back r = { .c = c, .bytes = malloc(UNIT_BYTES), .other = malloc(UNIT_BYTES) };
	bool ok = r.bytes && r.other ? true : error_memory(err);

	if (ok && !c->units)
		ok = conversion_join_placed(c, err);
	ok = ok && volume_flush(c->volume, err) && unit_map_visit_all(c->units, visit_unit, &r, err);
	wiped_free(r.bytes, UNIT_BYTES);
	wiped_free(r.other, UNIT_BYTES);
	return ok;
}
