/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proves that the records of a purge, for which no key vouches, do nothing else. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/disk-epoch.h"
#include "common/convert/purge-inside.h"
#include "common/convert/replay.h"
#include "common/util/array.h"
#include "common/util/take.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "common/volume/tolerance.h"

#define state_error(...) error_set(err, ERROR_STATE, __VA_ARGS__)
#define TORN_BYTES 512u		/* what a power cut writes whole or not at all */

struct image {			/* of a block, as a record has it */
	uint64_t logical;
	const uint8_t *bytes;	/* borrowed; NULL: a new block, of which it has the hash */
	const uint8_t *sha256;
};
struct images {			/* ascending: first those of changed blocks, then those of new ones */
	struct image *at;
	size_t n, room, n_changed;
};

struct checking {
	struct purging *p;
	struct journal_record record[2];
	struct images before, after;	/* of the record without the change, and with it */
	const struct journal_header *headers[2];	/* likewise */
	struct block **block;		/* laid over the trees, held */
	size_t n_blocks;
	bool is_damaged;		/* what is wrong is in a subvolume, of which the records say nothing */
};

/* --- reading ------------------------------------------------------------------------------------------------------------- */

static bool add(struct images *images, struct image image, struct error *err)
{
	if (images->n > images->n_changed && images->at[images->n - 1].logical >= image.logical)
		return state_error("a journal record does not name its blocks in order");
	if (!ARRAY_ROOM(images->at, images->n, images->room, err))
		return false;
	images->at[images->n++] = image;
	return true;
}

static bool add_changed(void *context, const struct journal_changed *changed, struct error *err)
{
	return add(context, (struct image){ .logical = changed->logical, .bytes = changed->bytes }, err);
}

static bool add_new(void *context, const struct journal_new *new_block, struct error *err)
{
	return add(context, (struct image){ .logical = new_block->logical, .sha256 = new_block->sha256 }, err);
}

static bool read_images(const struct checking *c, const struct journal_record *record, struct images *images, struct error *err)
{
	static const struct journal_visitor changed = { .on_changed = add_changed }, fresh = { .on_new = add_new };

	if (record->header.n_ranges > 0 || record->header.n_carried > 0)
		return state_error("a journal record changes data, which this operation does not");
	if (!journal_record_visit(&c->p->op.journal, record, &changed, images, err))
		return false;
	images->n_changed = images->n;
	return journal_record_visit(&c->p->op.journal, record, &fresh, images, err);
}

/* Records 1 and 2, or, if it is being undone, 2 and 3. Those with an even number have the change. */
static bool read_records(struct checking *c, struct error *err)
{
	struct operation *const op = &c->p->op;
	const uint64_t known = le64(op->state.sequence);
	unsigned n;

	if (!journal_find(&op->journal, known > 0 ? known - 1 : 0, &(struct journal_proof){ disk_epoch_proves, op }, c->record, &n, err))
		return false;
	if (n != 2 || c->record[1].header.sequence > 3)
		return state_error("the journal has not the two records that it should have");

	const unsigned with = c->record[1].header.sequence % 2 == 0;

	c->headers[0] = &c->record[!with].header;
	c->headers[1] = &c->record[with].header;
	if (!read_images(c, &c->record[!with], &c->before, err) || !read_images(c, &c->record[with], &c->after, err))
		return false;
	return (c->before.n == c->before.n_changed && c->before.n == c->after.n_changed) ||
	       state_error("a journal record changes %zu blocks, but the other one has %zu", c->after.n_changed, c->before.n);
}

/* --- what is on the disk ------------------------------------------------------------------------------------------------ */

/* The gap of a block is zeroed when it is written, and its checksum covers the gap. */
static bool is_same_part(const uint8_t *a, const uint8_t *b, size_t from, size_t to, uint32_t gap_at, uint32_t gap)
{
	if (from < CSUM_SIZE)
		from = CSUM_SIZE;
	for (; from < to; from++) {
		if (a[from] != b[from] && !(from >= gap_at && from - gap_at < gap))
			return false;
	}
	return true;
}

static bool is_mixture(const struct block *before, const uint8_t *after, const uint8_t *bytes)
{
	uint32_t gap_at;
	const uint32_t gap = node_gap(&before->node, &gap_at);

	for (size_t at = 0; at < before->node.size; at += TORN_BYTES) {
		if (!is_same_part(bytes, before->bytes, at, at + TORN_BYTES, gap_at, gap) &&
		    !is_same_part(bytes, after, at, at + TORN_BYTES, 0, 0))
			return false;
	}
	return true;
}

/* One mirror must consist of parts of both, and none may be anything else that is valid. */
static bool check_place(const struct checking *c, const struct block *before, const uint8_t *after, struct error *err)
{
	struct volume *const volume = c->p->volume;
	const uint32_t size = volume->super.node_size;
	uint8_t *const bytes = malloc(size);
	unsigned n_mirrors, n_right = 0;
	bool ok = bytes ? volume_n_mirrors(volume, before->logical, &n_mirrors, err) : error_memory(err);

	for (unsigned mirror = 0; ok && mirror < n_mirrors; mirror++) {
		struct error unread;

		if (!volume_read(volume, before->logical, bytes, size, mirror, &unread))
			continue;
		if (is_mixture(before, after, bytes))
			n_right++;
		else if (csum_block_matches(volume->super.csum_type, bytes, size))
			ok = state_error("tree block %" PRIu64 " is neither what the journal says was found there, nor what it changes that into", before->logical);
	}
	wiped_free(bytes, size);
	return ok && (n_right > 0 || state_error("no mirror of tree block %" PRIu64 " is what the journal says", before->logical));
}

/* --- doing it again ------------------------------------------------------------------------------------------------------ */

static bool lay_over(struct checking *c, const struct image *image, struct error *err)
{
	struct volume *const volume = c->p->volume;
	const uint32_t size = volume->super.node_size;
	struct block *block;

	if (!replay_target_fits(&c->p->op, image->logical, size, GROUP_METADATA, err) || !block_new(volume, image->logical, &block, err))
		return false;
	c->block[c->n_blocks++] = block;
	block->is_new = false;
	block_set_changed(block, false);
	memcpy(block->bytes, image->bytes, size);
	return (csum_block_matches(volume->super.csum_type, block->bytes, size) && block_refresh(block, err) &&
		memcmp(block->node.fsid, volume->super.metadata_fsid, FSID_SIZE) == 0) ||
	       state_error("a journal record's block for %#" PRIx64 " is no tree block of this filesystem", image->logical);
}

static bool lay_all_over(struct checking *c, struct error *err)
{
	struct superblock *const super = &c->p->volume->super;

	c->block = calloc(c->before.n + 1, sizeof(*c->block));
	if (!c->block)
		return error_memory(err);
	block_cache_drop_all(c->p->volume);
	for (size_t i = 0; i < c->before.n; i++) {
		if (!lay_over(c, &c->before.at[i], err))
			return false;
		if (c->before.at[i].logical != c->after.at[i].logical)
			return state_error("tree block %" PRIu64 " is in one journal record only", c->before.at[i].logical);
		if (!check_place(c, c->block[i], c->after.at[i].bytes, err))
			return false;
	}
	superblock_set_root_level(super, c->headers[0]->root_level);
	superblock_set_bytes_used(super, c->headers[0]->bytes_used);
	return true;
}

static bool is_same_new(const struct image *image, const struct block *block, bool *same, struct error *err)
{
	uint8_t sha256[32];

	if (!crypto_sha256(block->bytes, block->node.size, sha256, err))
		return false;
	*same = image->logical == block->logical && memcmp(image->sha256, sha256, sizeof(sha256)) == 0;
	return true;
}

/* Is the settled transaction the record with the change? */
static bool compare(const struct checking *c, const struct transaction *tx, struct error *err)
{
	const struct superblock *const super = &c->p->volume->super;
	const size_t n = transaction_n_changed(tx), n_new = transaction_n_new(tx);
	bool same = n == c->after.n_changed && n_new == c->after.n - n && c->headers[1]->root_level == super->root_level &&
		    c->headers[1]->bytes_used == super->bytes_used;

	for (size_t i = 0; same && i < n; i++) {
		const struct block *const block = transaction_changed(tx, i);

		same = block->logical == c->after.at[i].logical && memcmp(block->bytes, c->after.at[i].bytes, block->node.size) == 0;
	}
	for (size_t i = 0; same && i < n_new; i++) {
		if (!is_same_new(&c->after.at[n + i], transaction_new(tx, i), &same, err))
			return false;
	}
	return same || state_error("the journal does not do what removing sealing %u does", c->p->header.domain);
}

static bool do_again(struct checking *c, struct error *err)
{
	struct purging *const p = c->p;
	cleanup_domain struct domain *domain = NULL;
	struct transaction *tx;
	bool ok;

	if (!domain_check_finished(p->volume, NULL, err) || !domain_read(p->volume, p->header.domain, &domain, err))
		return false;
	if (memcmp(domain->header.domain_uuid, p->header.domain_uuid, CRYPT_UUID_SIZE) != 0 || domain->header.state != CRYPT_STATE_SEALED)
		return state_error("sealing %u is not the one that the unfinished operation removes", p->header.domain);
	if (!purging_scan(p, err)) {
		c->is_damaged = err->kind == ERROR_CORRUPT;
		return false;
	}
	if (!purging_check_unneeded(p, domain, err) || !operation_reserve(&p->op, &p->allocator, err) ||
	    !transaction_begin(p->volume, p->allocator, &tx, err))
		return false;
	ok = purging_edit(p, tx, err) && compare(c, tx, err);
	transaction_drop(tx);
	return ok;
}

bool purging_check_records(struct purging *p, struct error *err)
{
	struct checking c = { .p = p };
	bool ok = read_records(&c, err) && lay_all_over(&c, err) && do_again(&c, err);

	if (!ok && !error_is_machine(err) && !c.is_damaged)
		err->kind = ERROR_STATE;
	for (size_t i = 0; i < c.n_blocks; i++)
		block_put(c.block[i]);
	free(c.block);
	free(c.before.at);
	free(c.after.at);
	for (unsigned i = 0; i < 2; i++)
		journal_record_free(&c.record[i]);
	allocator_close(TAKE(p->allocator));
	scan_free(TAKE(p->scan));
	subvolume_list_free(&p->list);
	block_cache_drop_all(p->volume);
	return ok;
}
