/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data blocks that the last records overwrite: checks and completes them. */
#include "common/convert/replay-data.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/lost-record.h"
#include "common/convert/torn.h"
#include "common/fs/inode-names.h"
#include "common/fs/path.h"
#include "common/volume/mirror.h"

struct finishing {
	struct conversion *c;
	bool write;
	const struct side *to;
	struct unit_cipher *cipher, *old;	/* of the range; old: NULL unless rekeying */
	uint8_t bytes[CRYPT_BLOCK];
};

/* Completes one block into out, from the first mirror that has one of its possible forms. */
static bool complete_block(const struct finishing *finishing, const struct journal_range *range, uint32_t i, uint8_t *out, struct error *err)
{
	const uint64_t address = range->address + (uint64_t)i * CRYPT_BLOCK;
	const size_t tag = (size_t)i * CRYPT_TAG_SIZE;
	const struct sided_block block = {
		finishing->cipher, i, range->tags + tag, finishing->to, finishing->old, finishing->old ? range->old_tags + tag : NULL,
	};
	bool found;

	if (!torn_read(finishing->c->volume, &block, address, out, &found, err))
		return false;
	if (found)
		return true;
	if (finishing->old)
		error_set(err, ERROR_CORRUPT, "the block at %#" PRIx64 " is sealed neither with the old key nor with the new one, nor is it a mixture "
			  "of both", address);
	else
		error_set(err, ERROR_CORRUPT, "the block at %#" PRIx64 " is neither plain text nor the ciphertext of what was sealed at %#" PRIx64
			  ", nor a mixture of both", address, le64(range->u.unit_id));
	return error_hint(err, "--skip-damaged leaves the damaged blocks as they are and converts everything else");
}

static bool name_range(struct conversion *c, const struct journal_range *range, struct error *err)
{
	struct unit_group group;
	const bool known = c->units && c->scan && unit_map_of(c->units, le64(range->u.unit_id), &group);
	const struct scan_extent *extent = known ? scan_extent_at(c->scan, range->address - le64(range->u.offset_in_extent)) : NULL;
	const struct error found = *err;
	struct error ignored;
	char *path = NULL;

	if (extent && inode_path(&c->scan->tree[extent->member], extent->inode, &path, &ignored)) {
		*err = found;
		error_prefix(err, "subvolume %" PRIu64 ": %s", c->scan->member[extent->member], path);
	}
	free(path);
	return false;
}

/* A damaged block is left as it is if it is known or may be skipped. The first pass, before anything is written, makes it known. */
static bool finish_block(struct finishing *finishing, const struct journal_range *range, uint32_t i, struct error *err)
{
	struct conversion *c = finishing->c;
	const uint64_t unit_id = le64(range->u.unit_id), at = range->address + (uint64_t)i * CRYPT_BLOCK;

	if (bad_block_is(c, unit_id, i, BAD_SKIPPED))
		return true;
	if (complete_block(finishing, range, i, finishing->bytes, err))
		return !finishing->write || volume_write(c->volume, at, finishing->bytes, CRYPT_BLOCK, err);
	if ((err->kind != ERROR_CORRUPT && err->kind != ERROR_IO) || !damage_skips(c) || finishing->write)
		return err->kind == ERROR_CORRUPT ? name_range(c, range, err) : false;
	*err = (struct error){ 0 };
	return bad_block_add(c, unit_id, i, BAD_SKIPPED, at, err) && bad_block_spoil_later(c, at, err);
}

static bool range_fits(struct conversion *c, const struct journal_range *range, struct error *err)
{
	const uint64_t extent = range->address - le64(range->u.offset_in_extent);
	bool allocated;

	return replay_target_fits(&c->op, range->address, (size_t)range->n_blocks * CRYPT_BLOCK, GROUP_DATA, err) &&
	       extent_is_allocated(c->volume, extent, le64(range->u.extent_len), EXTENT_OF_DATA, &allocated, err) &&
	       (allocated || error_set(err, ERROR_STATE, "a journal record names the extent %#" PRIx64 ", which is not allocated", extent));
}

static bool finish_range(void *context, const struct journal_header *header, const struct journal_range *range, bool write, struct error *err)
{
	struct finishing finishing = { .c = context, .write = write, .to = side_to(((struct conversion *)context)->op.state.operation, header->direction) };
	const struct key_schedule *old = finishing.c->old.schedule;
	bool ok;

	if (!old != !range->old_tags)
		return error_set(err, ERROR_STATE, "a journal record %s", old ? "lacks the old side of its data" : "has an old side of its data");
	ok = (write || range_fits(finishing.c, range, err)) &&
	     unit_cipher_new(finishing.c->schedule, range->u.cipher, "unit", &range->u, sizeof(range->u), &finishing.cipher, err) &&
	     (!old || unit_cipher_new(old, range->old.cipher, "unit", &range->old, sizeof(range->old), &finishing.old, err));
	for (uint32_t i = 0; ok && i < range->n_blocks; i++)
		ok = finish_block(&finishing, range, i, err);
	unit_cipher_free(finishing.cipher);
	unit_cipher_free(finishing.old);
	secret_wipe(finishing.bytes, sizeof(finishing.bytes));
	return ok;
}

/* --- what a lost record has done ------------------------------------------------------------------------- */

static void take_point(struct conversion *c, const struct replay *replay)
{
	c->direction = replay->at.direction;
	c->phase = replay->at.phase;
	c->cursor = replay->at.cursor;
}

static bool may_be_lost(void *context, const struct replay *replay, struct error *err)
{
	take_point(context, replay);
	return lost_record_is_sought(context, err);
}

static bool holds(void *context, uint64_t logical)
{
	return lost_record_holds(context, logical);
}

bool conversion_replay_load(struct conversion *c, struct replay *replay, struct error *err)
{
	const struct replay_owner owner = { .context = c, .range = finish_range, .may_be_lost = may_be_lost, .holds = holds };

	if (!replay_load(&c->op, &owner, replay, err))
		return false;
	take_point(c, replay);
	c->lost.turned = replay->disk_epoch == replay->at.epoch + 1 && replay->disk_state == conversion_to(c)->other->state;
	return true;
}
