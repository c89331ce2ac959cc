/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading during an unfinished conversion: lays its last records over the trees, in memory only, and reads what it converts with its key.
 */
#include "common/convert/look.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/continue-check.h"
#include "common/convert/conversion.h"
#include "common/convert/replay-data.h"
#include "common/convert/state.h"
#include "common/convert/torn.h"
#include "common/sealed/carried.h"
#include "common/sealed/extent-part.h"
#include "common/util/take.h"
#include "common/volume/warn.h"

/* --- without a key ------------------------------------------------------------------------------------------------ */

/* Applies the records without a key: they must be chained to the state, and every block must be a tree block. */
static bool replay_without_key(struct volume *volume, const struct crypt_state_tail *tail, struct error *err)
{
	struct conversion c = {
		.volume = volume,
		.direction = tail->direction,
		.phase = tail->phase,
		.cursor = tail->cursor,
		.header = { .domain = tail->domain },
	};
	cleanup_domain struct domain *domain = NULL;
	struct replay replay = { 0 };
	bool ok = true;

	/* Hashes need no key. */
	ok = tail->operation != CRYPT_OP_PURGE || key_schedule_new_keyless(&c.schedule, err);
	conversion_resume(&c, &tail->disk);
	memcpy(c.header.domain_uuid, tail->disk.domain_uuid, sizeof(c.header.domain_uuid));
	/* From FINISH on everything is in place, and the journal may be wiped. */
	if (tail->phase < CRYPT_PHASE_FINISH)
		ok = ok && conversion_open_journal(&c, err) && conversion_replay_load(&c, &replay, err);
	replay_free(&replay);
	/* Before anything is called plain text, it must be known which subvolumes are being converted. */
	ok = ok && (tail->operation == CRYPT_OP_LEGACY || tail->operation == CRYPT_OP_PURGE || conversion_is_cut(c.direction, c.phase, c.cursor) || domain_read(volume, tail->domain, &domain, err));
	conversion_close(&c);
	return ok;
}

bool convert_replay_in_memory(struct volume *volume, struct error *err)
{
	struct error unread = { 0 }, why = { 0 };
	struct crypt_state_tail tail;

	if (state_newest(volume, &tail, &unread) ? replay_without_key(volume, &tail, &why) : state_unreadable(volume, &unread, &why))
		return true;
	if (why.kind == ERROR_MEMORY) {
		*err = why;
		return false;
	}
	block_cache_drop_all(volume);
	return error_set(err, ERROR_UNFINISHED, "the last records of the unfinished conversion cannot be read: %s", why.text);
}

/* --- with its key --------------------------------------------------------------------------------------------------- */

struct convert_look {
	struct extent_source source;	/* must be first: the container is found through it */
	struct conversion c;
	struct mode_memory mode;
	bool accept_unsealed;
};

bool convert_look_vouches(const struct convert_look *look)
{
	return look->c.op.state.operation != CRYPT_OP_DECRYPT || !(le32(look->c.op.state.flags) & CRYPT_STATE_ACCEPTED);
}

/* The part of an extent that is wanted, for the walk over its units. */
struct request {
	struct convert_look *look;
	const struct file_item *item;
	uint64_t at, end;	/* in the extent: what is still missing */
	uint8_t *out;		/* where the byte at `at` goes */
};

static bool bad_bytes(const struct request *r, uint64_t end, const char *what, struct error *err)
{
	struct extent_part part;
	char *label = file_label(&r->look->c.list, r->item->subvolume, r->item->inode);

	if (!label)
		return error_memory(err);
	if (!extent_part_of(r->item->extent, r->item->file_offset, r->at, end, &part))
		part = (struct extent_part){ .first = r->item->file_offset, .last = r->item->file_offset + r->item->extent->num_bytes - 1 };
	error_set(err, ERROR_CORRUPT, "%.300s: bytes %" PRIu64 " to %" PRIu64 " %s (data at %" PRIu64 ")", label, part.first, part.last, what,
		  r->item->extent->disk_bytenr + r->at);
	free(label);
	return error_at(err, r->item->extent->disk_bytenr + r->at, end - r->at);
}

static bool bad_block(const struct request *r, const char *why, struct error *err)
{
	return bad_bytes(r, r->at + CRYPT_BLOCK, why, err);
}

/* If nothing vouches for data without a unit, they are reported, and returned only if the caller asked for them. */
static bool check_unsealed(const struct request *r, struct error *err)
{
	if (convert_look_vouches(r->look))
		return true;
	if (!r->look->accept_unsealed)
		return bad_bytes(r, r->end, "are not sealed: they were written later", err) || error_hint(err,
			"--accept-unsealed takes them as they are");
	extent_part_doubt(r->item, r->at, r->end, UNSEALED_TEXT);
	return true;
}

/* Reads what the unit has of it. If it has tags, they tell which side each block is on. */
static bool read_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct request *r = context;
	const uint64_t unit_end = unit->offset_in_extent + (uint64_t)unit->blocks * CRYPT_BLOCK;
	const uint64_t end = r->end < unit_end ? r->end : unit_end;
	struct conversion *c = &r->look->c;
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;

	(void)place;
	if (r->at >= unit_end)
		return true;
	if (!unit->sealed) {
		if (!plain_source.read(&plain_source, r->item, r->at, r->out, end - r->at, err))
			return false;
		r->out += end - r->at;
		r->at = end;
	} else if (!unit_cipher_new(c->schedule, unit->cipher, "unit", &unit->u, sizeof(unit->u), &cipher, err)) {
		return false;
	}
	for (; r->at < end; r->at += CRYPT_BLOCK, r->out += CRYPT_BLOCK) {
		const uint32_t i = (uint32_t)((r->at - unit->offset_in_extent) / CRYPT_BLOCK);
		const struct sided_block block = { cipher, i, unit->tags + (size_t)i * CRYPT_TAG_SIZE, &side_plain, NULL, NULL };
		bool found;

		if (!torn_read(c->volume, &block, r->item->extent->disk_bytenr + r->at, r->out, &found, err))
			return false;
		if (!found || bad_block_is(c, unit->unit_id, i, BAD_CARRIED))
			return bad_block(r, found ? CARRIED_TEXT : "fail authentication", err);
	}
	*go = r->at < r->end;
	return true;
}

static bool look_read(struct extent_source *source, const struct file_item *item, uint64_t offset, void *bytes, size_t len,
		      struct error *err)
{
	struct convert_look *look = (struct convert_look *)source;
	const uint64_t address = item->extent->disk_bytenr;
	struct request r = { look, item, offset, offset + len, bytes };
	struct unit_group group;

	/* While the units are still being placed, nothing is sealed. Data without a unit were written after sealing and stay. */
	if (!look->c.units || !unit_map_at(look->c.units, address, &group))
		return check_unsealed(&r, err) && plain_source.read(&plain_source, item, offset, bytes, len, err);
	if (offset % CRYPT_BLOCK != 0 || len % CRYPT_BLOCK != 0 || offset > group.extent_len || len > group.extent_len - offset)
		return error_set(err, ERROR_CORRUPT, "inode %" PRIu64 ": %zu bytes at %" PRIu64 " are outside the extent %#" PRIx64, item->inode,
				 len, offset, address);
	if (unit_map_visit(look->c.units, &group, read_unit, &r, err) && (r.at == r.end || bad_block(&r, "fail authentication", err)))
		return true;
	secret_wipe(bytes, len);
	return false;
}

static bool look_read_inline(struct extent_source *source, const struct file_item *item, uint8_t *out, struct error *err)
{
	struct convert_look *look = (struct convert_look *)source;
	const struct conversion *c = &look->c;
	struct inline_payload payload = {
		.kind = INLINE_DATA, .inode = item->inode, .offset = item->file_offset, .bytes = item->extent->payload,
	};
	struct crypt_inline_unit unit;
	bool sealed = false, plain = false, has = false;
	uint32_t mode;

	if (!c->inlines || payload.bytes.left == 0)
		return plain_source.read_inline(&plain_source, item, out, err);
	if (!inode_mode(&look->mode, item->subvolume, item->inode, &mode, err))
		return false;
	if (S_ISLNK(mode))
		payload.kind = INLINE_SYMLINK;
	if (!inline_map_find(&(struct inline_search){ c->inlines, c->schedule, &payload, PAYLOAD_SEALED, out }, &unit, &sealed, err))
		return false;
	if (sealed)
		return true;
	if (!inline_map_find(&(struct inline_search){ c->inlines, c->schedule, &payload, PAYLOAD_PLAIN, NULL }, &unit, &plain, err) ||
	    !inline_map_lists(c->inlines, &payload, &has, err))
		return false;
	if (has && !plain)
		return error_set(err, ERROR_CORRUPT, "inode %" PRIu64 ": its %zu bytes in the tree fail authentication", item->inode,
				 payload.bytes.left);
	if (!plain && !convert_look_vouches(look)) {
		const struct report doubt = { .kind = REPORT_DOUBTFUL, .inode = item->inode, .end = item->extent->ram_bytes, .text = UNSEALED_TEXT };

		if (!look->accept_unsealed)
			return error_set(err, ERROR_CORRUPT, "inode %" PRIu64 ": its %zu bytes in the tree are not sealed: they "
				"were written later", item->inode,
					 payload.bytes.left) || error_hint(err, "--accept-unsealed takes them as they are");
		report_to(&item->subvolume->volume->reporter, &doubt);
	}
	return plain_source.read_inline(&plain_source, item, out, err);
}

/* Takes units and inline units if continue_take() did not need them. */
static bool take_rest(struct conversion *c, struct error *err)
{
	if (c->phase == CRYPT_PHASE_STRUCTURE && conversion_to(c)->is_sealed)
		return true;
	if (!c->units && (!unit_map_read(c->volume, c->header.domain, &c->units, err) ||
			  !unit_map_join(c->units, c->scan, c->schedule, conversion_boundary(c), err)))
		return false;
	return c->inlines || inline_map_read(c->volume, c->header.domain, &c->inlines, err);
}

/* Checks state, records and what the conversion began with, as a resume does, but writes nothing. */
static bool take(struct conversion *c, struct error *err)
{
	struct replay replay = { 0 };
	bool ok;

	if (!operation_fits(&c->op, err))
		return false;
	if (c->op.state.phase >= CRYPT_PHASE_FINISH) {
		c->direction = c->op.state.direction;
		c->phase = c->op.state.phase;
		c->header.epoch = le64(c->op.state.epoch);
		return subvolume_list_read(c->volume, &c->list, err) && continue_take_finished(c, err) && bad_blocks_read(c, err) &&
		       take_rest(c, err);
	}
	ok = conversion_open_journal(c, err) && conversion_replay_load(c, &replay, err) && subvolume_list_read(c->volume, &c->list, err) &&
	     (conversion_is_cut(c->direction, c->phase, c->cursor) ||
	      (continue_take(c, err) && bad_blocks_read(c, err) && continue_check_extents(c, &replay, err) && take_rest(c, err)));
	replay_free(&replay);
	return ok;
}

bool convert_look_open(struct volume *volume, const struct key_source *key, bool accept_unsealed, struct convert_look **result,
		       struct extent_source **source, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;
	struct convert_look *look = calloc(1, sizeof(*look));
	struct crypt_state_tail tail;
	struct error ignored;
	bool ok;

	if (!look)
		return error_memory(err);
	look->source = (struct extent_source){ .read = look_read, .read_inline = look_read_inline };
	look->c.volume = volume;
	look->accept_unsealed = accept_unsealed;
	ok = state_open(volume, key, &tail, &domain, err) &&
	     (tail.operation != CRYPT_OP_KEYS || error_set(err, ERROR_UNFINISHED, "its key slots are being changed")) &&
	     (tail.operation != CRYPT_OP_REKEY || error_set(err, ERROR_UNFINISHED, "its volume key is being changed"));
	if (ok) {
		look->c.header = domain->header;
		look->c.schedule = TAKE(domain->schedule);
		conversion_resume(&look->c, &tail.disk);
		ok = take(&look->c, err);
	}
	if (ok) {
		*result = look;
		*source = &look->source;
		return true;
	}
	convert_look_close(look);
	/* For subvolumes that are not being converted, as everything above may have been dropped. */
	(void)!convert_replay_in_memory(volume, &ignored);
	return false;
}

void convert_look_close(struct convert_look *look)
{
	if (look)
		conversion_close(&look->c);
	free(look);
}
