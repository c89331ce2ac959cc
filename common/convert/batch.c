/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Collects units into one record, and reads plain text that can be trusted. */
#include "common/convert/batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/commit.h"
#include "common/convert/csum-update.h"
#include "common/convert/differing.h"
#include "common/fs/csum-lookup.h"
#include "common/fs/path.h"
#include "common/sealed/extent-also.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"

#define BATCH_BLOCKS (BATCH_BYTES / CRYPT_BLOCK)

bool batch_open(struct conversion *c, struct batch *batch, struct error *err)
{
	const size_t wanted = c->ui ? c->ui->batch_bytes / CRYPT_BLOCK : 0;
	const size_t data = c->scan->data_bytes / CRYPT_BLOCK;
	const size_t most = data < BATCH_BLOCKS ? data : BATCH_BLOCKS;	/* no more are needed */
	const size_t max = wanted && wanted < most ? wanted : most;
	const size_t room = max > CRYPT_UNIT_BLOCKS_MAX ? max : CRYPT_UNIT_BLOCKS_MAX;

	*batch = (struct batch){ .c = c, .max_blocks = max, .data_size = room * CRYPT_BLOCK };
	batch->data = malloc(batch->data_size);
	batch->range = calloc(room, sizeof(*batch->range));
	batch->tags = malloc(room * CRYPT_TAG_SIZE);
	batch->item = malloc(c->volume->super.node_size);
	batch->keep = calloc(room, sizeof(*batch->keep));
	if (!batch->data || !batch->range || !batch->tags || !batch->item || !batch->keep) {
		batch_close(batch);
		return error_memory(err);
	}
	if (!transaction_begin(c->volume, c->allocator, &batch->tx, err)) {
		batch_close(batch);
		return false;
	}
	return true;
}

void batch_close(struct batch *batch)
{
	if (batch->tx)
		transaction_drop(batch->tx);
	wiped_free(batch->data, batch->data_size);
	free(batch->range);
	free(batch->tags);
	free(batch->item);
	free(batch->keep);
	*batch = (struct batch){ 0 };
}

bool batch_has_room(const struct batch *batch, uint32_t n_blocks)
{
	const struct superblock *super = &batch->c->volume->super;
	/* The unit's own leaf and the csum leaves, which are at least half full, plus one at each edge. */
	const size_t n_leaves = 3 + (size_t)n_blocks * csum_type_size(super->csum_type) / (super->node_size / 2);

	return (batch->n_tags == 0 || batch->n_tags + n_blocks <= batch->max_blocks) &&
	       conversion_has_room(batch->c, batch->tx, n_leaves, batch->n_ranges + 1, batch->n_tags + n_blocks);
}

uint8_t *batch_data(const struct batch *batch)
{
	return batch->data + batch->n_tags * CRYPT_BLOCK;
}

uint8_t *batch_tags(const struct batch *batch)
{
	return batch->tags + batch->n_tags * CRYPT_TAG_SIZE;
}

static void xor_csum(uint8_t *value, const uint8_t *with)
{
	for (unsigned i = 0; i < CSUM_SIZE; i++)
		value[i] ^= with[i];
}

bool csum_delta(struct conversion *c, uint64_t address, const uint8_t *bytes, uint8_t delta[CSUM_SIZE], struct error *err)
{
	const unsigned type = c->volume->super.csum_type;
	uint8_t computed[CSUM_SIZE] = { 0 };
	bool has;

	if (!csum_get(c, address, delta, &has, err))
		return false;
	csum_compute(type, bytes, CRYPT_BLOCK, computed);
	memset(computed + csum_type_size(type), 0, CSUM_SIZE - csum_type_size(type));
	xor_csum(delta, computed);
	return true;
}

/* The new checksum of a carried-over block is as far off as the old one was. */
static bool carry_csum(struct batch *batch, uint64_t address, const uint8_t delta[CSUM_SIZE], struct error *err)
{
	uint8_t value[CSUM_SIZE];
	bool has;

	if (!csum_get(batch->c, address, value, &has, err))
		return false;
	xor_csum(value, delta);
	return !has || csum_put(batch->c, batch->tx, address, value, err);
}

/* The number of blocks from i on that are treated alike: all kept, or all not. */
static uint32_t alike(const bool *keep, uint32_t i, uint32_t n_blocks)
{
	uint32_t n = 1;

	while (i + n < n_blocks && keep[i + n] == keep[i])
		n++;
	return n;
}

static bool add_csums(struct batch *batch, uint64_t address, const bool *keep, uint32_t n_blocks, struct error *err)
{
	for (uint32_t i = 0, n; i < n_blocks; i += n) {
		const uint64_t at = (uint64_t)i * CRYPT_BLOCK;

		n = alike(keep, i, n_blocks);
		if (!keep[i] && !csum_update(batch->c, batch->tx, address + at, batch_data(batch) + at, (size_t)n * CRYPT_BLOCK, err))
			return false;
		for (uint32_t j = i; j < i + n; j++) {
			const struct batch_block *block = &batch->block[j];
			const uint64_t sector = address + (uint64_t)j * CRYPT_BLOCK;

			if ((block->keep && !csum_spoil(batch->c, batch->tx, sector, err)) ||
			    (block->carry && !carry_csum(batch, sector, block->delta, err)))
				return false;
		}
	}
	return true;
}

bool batch_add(struct batch *batch, uint64_t address, const struct disk_crypt_u *u, uint32_t n_blocks, struct error *err)
{
	bool *keep = batch->keep + batch->n_tags;

	for (uint32_t i = 0; i < n_blocks; i++)
		keep[i] = batch->block[i].keep;
	if (!add_csums(batch, address, keep, n_blocks, err))
		return false;
	memset(batch->block, 0, sizeof(batch->block));
	batch->range[batch->n_ranges++] = (struct journal_range){ address, *u, n_blocks, batch_tags(batch) };
	batch->n_tags += n_blocks;
	return true;
}

bool batch_commit(struct batch *batch, uint64_t cursor, struct error *err)
{
	struct conversion *c = batch->c;
	struct transaction *tx = batch->tx;
	const struct journal_data data = { batch->range, batch->n_ranges, batch->data, batch->keep };

	batch->tx = NULL;
	if (!conversion_commit_data(c, tx, cursor, &data, err))
		return false;
	batch->n_ranges = batch->n_tags = 0;
	return transaction_begin(c->volume, c->allocator, &batch->tx, err);
}

/* --- plain text -------------------------------------------------------------------------------- */

struct stored {
	uint64_t logical;
	uint32_t sector_size;
	unsigned csum_size;
	const uint8_t *csum[CRYPT_UNIT_BLOCKS_MAX];	/* points into values; NULL: none stored */
	uint8_t values[CRYPT_UNIT_BLOCKS_MAX * CSUM_SIZE];
};

static bool keep_csums(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	struct stored *stored = context;

	(void)err;
	for (size_t i = 0; i < n_sectors; i++) {
		const size_t at = (logical - stored->logical) / stored->sector_size + i;
		uint8_t *value = stored->values + at * CSUM_SIZE;

		memcpy(value, csums + i * stored->csum_size, stored->csum_size);
		stored->csum[at] = value;
	}
	return true;
}

/* Reads everything from mirror 1. Bytes that cannot be read there become zeros. */
static void read_first_mirror(struct volume *volume, uint64_t address, uint8_t *bytes, size_t len, bool *unread)
{
	const uint32_t sector_size = volume->super.sector_size;
	struct error why = { 0 };
	const bool is_read = volume_read(volume, address, bytes, len, 0, &why);

	for (size_t i = 0; i < len / sector_size; i++) {
		unread[i] = !is_read && !volume_read(volume, address + i * sector_size, bytes + i * sector_size, sector_size, 0, &why);
		if (unread[i])
			memset(bytes + i * sector_size, 0, sector_size);
	}
}

static bool is_right(const struct volume *volume, const struct stored *stored, size_t i, const uint8_t *sector)
{
	return !stored->csum[i] || csum_matches(volume->super.csum_type, sector, stored->sector_size, stored->csum[i]);
}

/* Reads sector i from the first mirror after mirror 1 that is right. If none is, keeps the bytes of the lowest readable mirror. */
static bool other_mirrors(struct volume *volume, const struct stored *stored, size_t i, unsigned n_mirrors, uint8_t *sector, bool *unread)
{
	uint8_t other[CRYPT_BLOCK];
	bool right = false;

	for (unsigned mirror = 1; mirror < n_mirrors && !right; mirror++) {
		struct error why = { 0 };

		if (!volume_read(volume, stored->logical + i * stored->sector_size, other, stored->sector_size, mirror, &why))
			continue;
		right = is_right(volume, stored, i, other);
		if (right || *unread)
			memcpy(sector, other, stored->sector_size);
		*unread = false;
	}
	secret_wipe(other, sizeof(other));
	return right;
}

static void keep_for_nonce(struct plain *plain, const struct stored *stored, size_t i, const uint8_t *sector)
{
	uint8_t *at = plain->csums + plain->csums_len;

	if (stored->csum[i])
		memcpy(at, stored->csum[i], stored->csum_size);
	else
		csum_compute(CSUM_CRC32C, sector, stored->sector_size, at);
	plain->csums_len += stored->csum[i] ? stored->csum_size : csum_type_size(CSUM_CRC32C);
}

/* Reads a sector without checksum from the copy that was decided on, if copies differ. */
static void take_decided(const struct conversion *c, uint64_t address, uint8_t *sector, size_t i, struct plain *plain)
{
	const uint32_t sector_size = c->volume->super.sector_size;
	struct error why = { 0 };
	unsigned mirror;
	bool is_known;

	if (!differing_at(c, address, &mirror, &is_known))
		return;
	plain->differs[i] = !is_known;
	if (!is_known && plain->n_differing++ == 0)
		plain->first_differing = address;
	if (mirror == 0)
		return;
	plain->unread[i] = !volume_read(c->volume, address, sector, sector_size, mirror, &why);
	if (plain->unread[i])
		memset(sector, 0, sector_size);
}

bool plain_read(const struct conversion *c, uint64_t address, uint8_t *bytes, size_t len, struct plain *plain, struct error *err)
{
	struct volume *volume = c->volume;
	const uint32_t sector_size = volume->super.sector_size;
	struct stored stored = {
		.logical = address,
		.sector_size = sector_size,
		.csum_size = csum_type_size(volume->super.csum_type),
	};
	unsigned n_mirrors;

	plain->csums_len = plain->n_bad = plain->n_unread = plain->n_differing = 0;
	if (sector_size > CRYPT_BLOCK)
		return error_set(err, ERROR_REFUSED, "the sector size is %" PRIu32, sector_size);
	if (!volume_n_mirrors(volume, address, &n_mirrors, err) || !csum_lookup(volume, address, len, keep_csums, &stored, err))
		return false;
	read_first_mirror(volume, address, bytes, len, plain->unread);
	for (size_t i = 0; i < len / sector_size; i++) {
		const uint64_t at = address + i * sector_size;
		uint8_t *sector = bytes + i * sector_size;
		bool *unread = &plain->unread[i];

		plain->differs[i] = false;
		if (!stored.csum[i])
			take_decided(c, at, sector, i, plain);
		plain->bad[i] = (*unread || !is_right(volume, &stored, i, sector)) &&
				!other_mirrors(volume, &stored, i, n_mirrors, sector, unread);
		if (plain->bad[i] && plain->n_bad++ == 0)
			plain->first_bad = at;
		if (*unread && plain->n_unread++ == 0)
			plain->first_unread = at;
		keep_for_nonce(plain, &stored, i, sector);
	}
	return true;
}

bool name_file(struct conversion *c, const struct crypt_unit *unit, struct error *err)
{
	char *path = NULL, also[EXTENT_ALSO_SIZE];
	struct unit_group group;
	struct error ignored;
	struct tree tree;

	if (tree_open(c->volume, unit->root, &tree, &ignored) && inode_path(&tree, unit->inode, &path, &ignored)) {
		error_prefix(err, "subvolume %" PRIu64 ": %.200s", unit->root, path);
		if (unit_map_of(c->units, unit->unit_id, &group) && group.address != 0) {
			struct error what = *err;

			extent_also_in(&c->list, group.address, unit->root, unit->inode, also);
			snprintf(err->text, sizeof(err->text), "%.*s%.200s", (int)(sizeof(err->text) - 201), what.text, also);
		}
	}
	free(path);
	return false;
}
