/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The extent source of a sealed subvolume. It authenticates every block before it hands out a byte of it. */
#include "common/sealed/domain-reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/sealed/domain-reader-inside.h"
#include "common/sealed/extent-part.h"
#include "common/volume/mirror.h"
#include "common/volume/warn.h"

/* The current request, for messages and for the walk over units. */
struct request {
	struct domain_reader *reader;
	const struct file_item *item;
	uint64_t address;		/* of the extent */
	uint64_t at, end;		/* in the extent: the bytes still wanted */
	uint8_t *out;			/* receives the byte at `at` */
	bool is_sealed;
	struct unit_group group;	/* the units that seal it */
};

/* --- messages ----------------------------------------------------------------------------------------------- */

/* Names the file and the bytes of it that [from, to) of the extent are. Always returns false. */
static bool bad_bytes(const struct request *r, uint64_t from, uint64_t to, const char *why, struct error *err)
{
	struct extent_part part;
	char *label = file_label(r->reader->list, r->item->subvolume, r->item->inode);

	if (!label)
		return error_memory(err);
	if (!extent_part_of(r->item->extent, r->item->file_offset, from, to, &part))
		part = (struct extent_part){ .first = r->item->file_offset, .last = r->item->file_offset + r->item->extent->num_bytes - 1 };
	error_set(err, ERROR_CORRUPT, "%.300s: bytes %" PRIu64 " to %" PRIu64 " %s (data at %" PRIu64 ")", label, part.first, part.last, why,
		  r->address + from);
	free(label);
	return error_at(err, r->address + from, to - from);
}

/* damaged: it was sealed and its tag fails, which is never accepted. */
static bool bad_inline(const struct domain_reader *reader, const struct file_item *item, bool damaged, struct error *err)
{
	char *label = file_label(reader->list, item->subvolume, item->inode);

	if (!label)
		return error_memory(err);
	error_set(err, ERROR_CORRUPT, "%.300s: its %zu bytes in the tree %s", label, item->extent->payload.left,
		  damaged ? "fail authentication" : "are not sealed: written later, or damaged");
	free(label);
	return !damaged && error_hint(err, "--accept-unsealed takes them as they are");
}

/* --- units ---------------------------------------------------------------------------------------------------- */

static void drop_at_hand(struct unit_at_hand *at_hand)
{
	unit_cipher_free(at_hand->cipher);
	at_hand->cipher = NULL;
}

static bool take_at_hand(struct request *r, const struct crypt_unit *unit, uint64_t place, struct error *err)
{
	struct unit_at_hand *at_hand = &r->reader->at_hand;

	drop_at_hand(at_hand);
	if (!unit->sealed)
		return bad_bytes(r, r->at, r->end, "were never sealed", err);
	if (!unit_cipher_new(r->reader->domain->schedule, unit->cipher, "unit", &unit->u, sizeof(unit->u), &at_hand->cipher, err))
		return false;
	at_hand->group_id = r->group.unit_id;
	at_hand->place = place;
	at_hand->unit = *unit;
	memcpy(at_hand->tags, unit->tags, (size_t)unit->blocks * CRYPT_TAG_SIZE);
	at_hand->unit.tags = at_hand->tags;
	return true;
}

/* Warns once per extent: a device that was away is wrong in each of its blocks. */
static bool tell_mirror(struct request *r, unsigned good, struct error *err)
{
	struct volume *volume = r->item->subvolume->volume;
	char place[MIRROR_TEXT_SIZE];
	bool is_new;

	if (!set64_add(&r->reader->told, r->address, &is_new, err))
		return false;
	if (is_new)
		volume_warn_at(volume, r->address + r->at, CRYPT_BLOCK,
			       "data at %" PRIu64 ": mirror 1 fails authentication, mirror %u is right and is used (%s); said once for this extent",
			       r->address + r->at, good + 1, volume_mirror_text(volume, r->address + r->at, 0, place));
	return true;
}

/*
 * Opens block i of the current unit. Its ciphertext, from the first mirror that could be read, is at
 * r->out. If it fails, tries the other mirrors.
 */
static bool open_block(struct request *r, uint32_t i, bool is_read, struct error *err)
{
	struct unit_at_hand *at_hand = &r->reader->at_hand;
	const struct crypt_unit *unit = &at_hand->unit;
	const struct unit_here here = { at_hand->cipher, unit, r->address + unit->offset_in_extent };
	struct volume *volume = r->item->subvolume->volume;
	unsigned mirror, n_mirrors;
	bool authentic = false;

	if (is_read && !unit_cipher_open(at_hand->cipher, i, r->out, CRYPT_BLOCK, r->out, unit->tags + (size_t)i * CRYPT_TAG_SIZE,
					 &authentic, err))
		return false;
	if (authentic)
		return true;
	if (!unit_block_read(volume, unit_cipher_open, &here, i, r->out, &mirror, err) ||
	    !volume_n_mirrors(volume, r->address, &n_mirrors, err))
		return false;
	if (mirror == BLOCK_NOWHERE)
		return bad_bytes(r, r->at, r->at + CRYPT_BLOCK, n_mirrors > 1 ? "fail authentication on every mirror" : "fail authentication",
				 err);
	return mirror == 0 || tell_mirror(r, mirror, err);
}

/* The tag is right, but the block was bad before it was sealed: that is as bad as plain text with a wrong checksum. */
static bool check_carried(struct request *r, uint32_t i, struct error *err)
{
	bool carried;

	if (!carried_has(&r->reader->carried, r->reader->domain, r->reader->at_hand.unit.unit_id, i, &carried, err))
		return false;
	if (!carried)
		return true;
	if (!r->item->subvolume->volume->tolerance.is_tolerant)
		return bad_bytes(r, r->at, r->at + CRYPT_BLOCK, CARRIED_TEXT, err);
	extent_part_doubt(r->item, r->at, r->at + CRYPT_BLOCK, CARRIED_TEXT);
	return true;
}

/* Reads what is wanted of the current unit. */
static bool read_at_hand(struct request *r, struct error *err)
{
	const struct crypt_unit *unit = &r->reader->at_hand.unit;
	const uint64_t unit_end = unit->offset_in_extent + (uint64_t)unit->blocks * CRYPT_BLOCK;
	const uint64_t end = r->end < unit_end ? r->end : unit_end;
	struct error unread = { 0 };
	const bool is_read = volume_read_any(r->item->subvolume->volume, r->address + r->at, r->out, end - r->at, &unread);

	for (; r->at < end; r->at += CRYPT_BLOCK, r->out += CRYPT_BLOCK) {
		const uint32_t i = (uint32_t)((r->at - unit->offset_in_extent) / CRYPT_BLOCK);

		if (!open_block(r, i, is_read, err) || !check_carried(r, i, err))
			return false;
	}
	return true;
}

/* Does the unit belong to the extent that is being read? */
static bool is_of_group(const struct request *r)
{
	const struct unit_at_hand *at_hand = &r->reader->at_hand;

	return at_hand->cipher && at_hand->group_id == r->group.unit_id;
}

static bool is_at_hand(const struct request *r)
{
	const struct unit_at_hand *at_hand = &r->reader->at_hand;
	const uint64_t begin = at_hand->unit.offset_in_extent;

	return is_of_group(r) && r->at >= begin && r->at - begin < (uint64_t)at_hand->unit.blocks * CRYPT_BLOCK;
}

static bool read_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct request *r = context;

	if (r->at - unit->offset_in_extent >= (uint64_t)unit->blocks * CRYPT_BLOCK)
		return true;	/* ends before what is wanted */
	if (!take_at_hand(r, unit, place, err) || !read_at_hand(r, err))
		return false;
	*go = r->at < r->end;
	return true;
}

static bool read_sealed(struct request *r, struct error *err)
{
	const struct unit_at_hand *at_hand = &r->reader->at_hand;
	struct unit_group from = r->group;

	if (is_at_hand(r) && !read_at_hand(r, err))
		return false;
	if (r->at == r->end)
		return true;
	if (is_of_group(r) && at_hand->unit.offset_in_extent < r->at)
		from.place = at_hand->place;	/* no need to walk from the first unit */
	if (!inode_prover_visit(r->reader->prover, &from, read_unit, r, err))
		return false;
	return r->at == r->end || bad_bytes(r, r->at, r->end, "have no tag", err);
}

/* --- the source ------------------------------------------------------------------------------------------------- */

/* If the digest of the whole is right, it proves the units of all extents at once. */
static bool find_group(struct request *r, struct error *err)
{
	struct domain_reader *reader = r->reader;
	struct item_at_hand *last = &reader->item;
	const struct file_extent *e = r->item->extent;

	if (reader->is_whole) {
		r->is_sealed = unit_map_at(reader->view.units, e->disk_bytenr, &r->group);
		return true;
	}
	if (last->inode != r->item->inode || last->subvolume != r->item->subvolume->id || last->file_offset != r->item->file_offset ||
	    last->address != e->disk_bytenr || last->length != e->disk_num_bytes || last->type != e->type ||
	    last->other_encoding != e->other_encoding) {
		if (!inode_prover_units(reader->prover, r->item, &r->group, &r->is_sealed, err))
			return false;
		*last = (struct item_at_hand){ r->item->subvolume->id, r->item->inode, r->item->file_offset, e->disk_bytenr, e->disk_num_bytes,
					       e->type, e->other_encoding, r->group, r->is_sealed };
	}
	r->group = last->group;
	r->is_sealed = last->is_sealed;
	return true;
}

static bool reader_read(struct extent_source *source, const struct file_item *item, uint64_t offset, void *bytes, size_t len,
			struct error *err)
{
	struct domain_reader *reader = (struct domain_reader *)source;
	struct request r = {
		.reader = reader,
		.item = item,
		.address = item->extent->disk_bytenr,
		.at = offset,
		.end = offset + len,
		.out = bytes,
	};

	if (!find_group(&r, err))
		return false;
	if (!r.is_sealed && item->extent->other_encoding == SEAL_MARK)
		return bad_bytes(&r, offset, offset + len, "are marked as sealed, but no tag matches", err);
	if (!r.is_sealed && !reader->accept_unsealed)
		return bad_bytes(&r, offset, offset + len, "are not sealed: written later", err) ||
		       error_hint(err, "--accept-unsealed takes them as they are");
	if (!r.is_sealed)
		extent_part_doubt(item, r.at, r.end, UNSEALED_TEXT);
	if (!r.is_sealed)
		return plain_source.read(&plain_source, item, offset, bytes, len, err);
	if (offset % CRYPT_BLOCK != 0 || len % CRYPT_BLOCK != 0 || offset > r.group.extent_len || len > r.group.extent_len - offset)
		return bad_bytes(&r, offset, offset + len, "are outside the sealed extent", err);
	if (read_sealed(&r, err))
		return true;
	secret_wipe(bytes, len);
	return false;
}

static bool find_inline(const struct domain_reader *reader, const struct inline_payload *payload, uint8_t *out, bool *found, bool *had,
			struct error *err)
{
	const struct inline_search search = { reader->view.inlines, reader->domain->schedule, payload, PAYLOAD_SEALED, out };
	struct crypt_inline_unit unit;

	*had = false;
	if (!reader->is_whole)
		return inode_prover_inline(reader->prover, payload, &unit, out, found, err) &&
		       (*found || inode_prover_had_inline(reader->prover, payload, had, err));
	return inline_map_find(&search, &unit, found, err) &&
	       (*found || inline_map_has(reader->view.inlines, payload, had, err));
}

bool domain_reader_inline(struct extent_source *source, const struct file_item *item, uint8_t *out, bool *is_sealed, struct error *err)
{
	struct domain_reader *reader = (struct domain_reader *)source;
	struct inline_payload payload = { .kind = INLINE_DATA, .inode = item->inode, .offset = item->file_offset, .bytes = item->extent->payload,
					  .root = reader->member };
	uint32_t mode;
	bool had;

	if (!inode_mode(&reader->mode, item->subvolume, item->inode, &mode, err))
		return false;
	if (S_ISLNK(mode))
		payload.kind = INLINE_SYMLINK;
	return find_inline(reader, &payload, out, is_sealed, &had, err) && (*is_sealed || !had || bad_inline(reader, item, true, err));
}

static bool reader_read_inline(struct extent_source *source, const struct file_item *item, uint8_t *out, struct error *err)
{
	struct domain_reader *reader = (struct domain_reader *)source;
	bool is_sealed;

	if (item->extent->payload.left == 0)
		return true;
	if (!domain_reader_inline(source, item, out, &is_sealed, err))
		return false;
	if (is_sealed)
		return true;
	if (!reader->accept_unsealed)
		return bad_inline(reader, item, false, err);

	const struct report doubt = { .kind = REPORT_DOUBTFUL, .inode = item->inode, .end = item->extent->ram_bytes, .text = UNSEALED_TEXT };

	report_to(&item->subvolume->volume->reporter, &doubt);
	return plain_source.read_inline(&plain_source, item, out, err);
}

/* --- the reader ------------------------------------------------------------------------------------------------------ */

void domain_reader_close(struct domain_reader *reader)
{
	if (!reader)
		return;
	volume_remove_proof(reader->domain->volume, &reader->list_proof);
	drop_at_hand(&reader->at_hand);
	carried_free(&reader->carried);
	set64_free(&reader->told);
	inode_prover_free(reader->prover);
	domain_view_close(&reader->view);
	free(reader);
}

static bool find_member(struct domain_reader *reader, const struct subvolume *subvolume, struct error *err)
{
	uint64_t *sources = NULL;

	if (!domain_sources(reader->domain, reader->list, &sources, err))
		return false;
	reader->member = sources[subvolume - reader->list->at];
	if (reader->member == 0 && reader->domain->n_members == 1)
		reader->member = reader->domain->members[0].id;
	free(sources);
	return true;
}

bool domain_reader_open(struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume,
			const struct domain_reader_options *options, struct domain_reader **result,
			struct extent_source **source, struct error *err)
{
	struct domain_reader *reader;

	if (domain->header.state != CRYPT_STATE_SEALED)
		return domain_is_unfinished_error(domain, err);
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return error_memory(err);
	reader->source = (struct extent_source){ .read = reader_read, .read_inline = reader_read_inline };
	reader->domain = domain;
	reader->list = list;
	reader->subvolume = subvolume->id;
	reader->accept_unsealed = options->accept_unsealed;
	if (!find_member(reader, subvolume, err) || !inode_prover_new(domain, &reader->prover, err)) {
		domain_reader_close(reader);
		return false;
	}
	reader->list_proof.proves = domain_reader_proves_list;
	volume_add_proof(domain->volume, &reader->list_proof);
	*result = reader;
	*source = &reader->source;
	return true;
}
