/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Before a decryption changes anything: is every block that it will open authentic on some mirror? */
#include "common/convert/check-units.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/conversion.h"
#include "common/convert/old-side.h"
#include "common/convert/torn.h"
#include "common/sealed/csum-absent.h"
#include "common/sealed/extent-also.h"
#include "common/sealed/unit-hints.h"
#include "common/volume/mirror.h"

struct checking {
	struct conversion *c;
	const struct scan_extent *extent;
	uint8_t *bytes;		/* a unit as read from mirror 1 */
	bool tells, adds;	/* tells: report what is skipped; adds: while sealing, when blocks may be written */
	bool is_as_read;	/* the last block looked at is the one from mirror 1 */
	struct unit_hints hints;
};

static bool bad_part(void *context, const struct extent_part *part, struct error *err)
{
	const struct checking *checking = context;
	struct conversion *c = checking->c;
	const struct tree *subvolume = &c->scan->tree[checking->extent->member];
	char *label = file_label(&c->list, subvolume, checking->extent->inode), also[EXTENT_ALSO_SIZE];

	if (!label)
		return error_memory(err);
	extent_also_in(&c->list, checking->extent->logical, subvolume->id, checking->extent->inode, also);
	error_set(err, ERROR_CORRUPT, "%.300s: bytes %" PRIu64 " to %" PRIu64 "%s fail authentication on every mirror%s", label, part->first,
		  part->last, part->unused ? " of an extent" : "", also);
	free(label);
	return error_hint(err, "%s--skip-damaged leaves the damaged blocks as they are and converts everything else",
			  checking->adds ? "" : "nothing was changed; `btrfs-crypt verify` lists everything that fails; ");
}

static bool bad_block(const struct checking *checking, const struct crypt_unit *unit, uint32_t i, struct error *err)
{
	struct conversion *c = checking->c;
	const uint64_t begin = unit->offset_in_extent + (uint64_t)i * CRYPT_BLOCK, at = checking->extent->logical + begin;

	if (!damage_skips(c))
		return extent_parts(c->scan, checking->extent, begin, begin + CRYPT_BLOCK, bad_part, (void *)checking, err);
	if (checking->adds)
		return bad_block_add(c, unit->unit_id, i, BAD_SKIPPED, at, err) && bad_block_spoil_later(c, at, err);
	c->bad.n_found++;
	return !checking->tells || bad_block_tell(c, unit->unit_id, BAD_SKIPPED, at, err);
}

/* A lost write leaves plain text or a mixture. The tag tells which, and the block is completed from there. */
static bool finish_block(const struct checking *checking, struct unit_cipher *cipher, const struct crypt_unit *unit, uint32_t i,
			 uint8_t *block, bool *found, struct error *err)
{
	struct volume *volume = checking->c->volume;
	const uint64_t at = checking->extent->logical + unit->offset_in_extent + (uint64_t)i * CRYPT_BLOCK;
	struct sided_block torn = { cipher, i, unit->tags + (size_t)i * CRYPT_TAG_SIZE, conversion_to(checking->c), NULL, NULL };
	struct old_unit old = { 0 };
	bool ok = true;

	if (checking->c->old.schedule) {
		ok = old_unit_open(checking->c, unit, at - (uint64_t)i * CRYPT_BLOCK, &old, err);
		torn.old = old.cipher;
		torn.old_tag = old.tags + (size_t)i * CRYPT_TAG_SIZE;
	}
	ok = ok && torn_read(volume, &torn, at, block, found, err) && (!*found || volume_read_back(volume, at, block, CRYPT_BLOCK, err));
	old_unit_close(&old);
	return ok;
}

static bool check_block(struct checking *checking, struct unit_cipher *cipher, const struct crypt_unit *unit, uint32_t i,
			bool is_read, struct error *err)
{
	uint8_t *block = checking->bytes + (size_t)i * CRYPT_BLOCK;
	const struct unit_here here = { cipher, unit, checking->extent->logical + unit->offset_in_extent };
	unsigned mirror;
	bool authentic = false;

	checking->is_as_read = false;
	if (bad_block_is(checking->c, unit->unit_id, i, BAD_SKIPPED))
		return true;
	if (is_read && !unit_cipher_open(cipher, i, block, CRYPT_BLOCK, block, unit->tags + (size_t)i * CRYPT_TAG_SIZE, &authentic, err))
		return false;
	checking->is_as_read = authentic;
	if (authentic)
		return true;
	if (!unit_block_read(checking->c->volume, unit_cipher_open, &here, i, block, &mirror, err))
		return false;
	if (mirror != BLOCK_NOWHERE)
		return true;
	if (checking->adds && (!finish_block(checking, cipher, unit, i, block, &authentic, err) || authentic))
		return authentic;
	return bad_block(checking, unit, i, err);
}

static bool check_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct checking *checking = context;
	struct conversion *c = checking->c;
	const uint64_t address = checking->extent->logical + unit->offset_in_extent;
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	uint8_t first[sizeof(unit->first)];
	struct error unread;
	bool is_read;

	(void)place, (void)go;
	if (!unit->sealed)
		return error_set(err, ERROR_CORRUPT, "the data recorded at %#" PRIx64 " were never sealed", unit->unit_id);
	if (!unit_cipher_new(c->schedule, unit->cipher, "unit", &unit->u, sizeof(unit->u), &cipher, err))
		return false;
	is_read = volume_read(c->volume, address, checking->bytes, (size_t)unit->blocks * CRYPT_BLOCK, 0, &unread);
	memcpy(first, checking->bytes, sizeof(first));
	for (uint32_t i = 0; i < unit->blocks; i++) {
		if (!check_block(checking, cipher, unit, i, is_read, err))
			return false;
		if (i == 0 && !unit_hints_check(&checking->hints, c->scan, checking->extent, unit, checking->is_as_read ? first : NULL, err))
			return false;
	}
	return true;
}

static bool check_extent(struct checking *checking, struct error *err)
{
	struct conversion *c = checking->c;
	struct unit_group group;

	return !unit_map_at(c->units, checking->extent->logical, &group) || unit_map_visit(c->units, &group, check_unit, checking, err);
}

#define MAKE_ANEW "`btrfs check --init-csum-tree` makes checksums anew"

/* Always false; err says what is missing. */
static bool absent(const struct conversion *c, const struct tree *subvolume, uint64_t inode, const struct extent_part *part, uint64_t logical,
		   struct error *err)
{
	char *label = file_label(&c->list, subvolume, inode);

	if (!label)
		return error_memory(err);
	error_set(err, ERROR_CORRUPT, "%.300s: bytes %" PRIu64 " to %" PRIu64 " have no checksum in the csum tree, but should have one "
		"(data at %" PRIu64 ")",
		  label, part->first, part->last, logical);
	free(label);
	return false;
}

static bool refuse_absent(void *context, const struct tree *subvolume, uint64_t inode, const struct extent_part *part, uint64_t logical,
			  struct error *err)
{
	return absent(context, subvolume, inode, part, logical, err) ||
	       error_hint(err, "nothing was changed; a kernel cannot read them; " MAKE_ANEW);
}

/* The tags tell what is sealed, so going on loses nothing more. Once all is converted, this is the only damage left. */
static bool absent_later(void *context, const struct tree *subvolume, uint64_t inode, const struct extent_part *part, uint64_t logical,
			 struct error *err)
{
	struct conversion *c = context;
	struct error what = { 0 };

	if (absent(c, subvolume, inode, part, logical, &what) || what.kind != ERROR_CORRUPT) {
		*err = what;
		return false;
	}
	if (!damage_skips(c) && c->phase < CRYPT_PHASE_FINISH) {
		*err = what;
		return error_hint(err, "nothing was changed; --skip-damaged goes on without them");
	}
	conversion_note(c, "%s", what.text);
	if (c->not_whole.kind == ERROR_NONE) {
		c->not_whole = what;
		error_hint(&c->not_whole, "a kernel cannot read them; " MAKE_ANEW);
	}
	return true;
}

bool csums_complete(struct conversion *c, struct error *err)
{
	return csum_absent(c->scan, false, refuse_absent, c, err);
}

bool csums_kept(struct conversion *c, struct error *err)
{
	return csum_absent(c->scan, false, absent_later, c, err);
}

bool extent_check_sealed(struct conversion *c, size_t extent, struct error *err)
{
	const size_t size = (size_t)CRYPT_UNIT_BLOCKS_MAX * CRYPT_BLOCK;
	struct checking checking = { .c = c, .extent = &c->scan->extent[extent], .adds = true, .bytes = malloc(size) };
	const bool ok = checking.bytes ? check_extent(&checking, err) : error_memory(err);

	wiped_free(checking.bytes, size);
	return ok;
}

bool units_check(struct conversion *c, bool tell, struct error *err)
{
	const size_t size = (size_t)CRYPT_UNIT_BLOCKS_MAX * CRYPT_BLOCK;
	struct checking checking = { .c = c, .tells = tell, .bytes = malloc(size) };
	bool ok = checking.bytes || error_memory(err);
	uint64_t done = 0;

	for (size_t i = 0; ok && i < c->scan->n_extents; i++) {
		checking.extent = &c->scan->extent[i];
		ok = conversion_may_begin(c, err) && check_extent(&checking, err);
		done += checking.extent->length;
		conversion_progress(c, done, c->scan->data_bytes);
	}
	if (ok)
		unit_hints_tell(&checking.hints, c->volume);
	wiped_free(checking.bytes, size);
	return ok;
}
