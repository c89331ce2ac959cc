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
#include "common/fs/data-check.h"
#include "common/fs/inode-names.h"
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
	batch->old_tags = c->old.schedule ? malloc(room * CRYPT_TAG_SIZE) : NULL;
	batch->item = malloc(c->volume->super.node_size);
	batch->keep = calloc(room, sizeof(*batch->keep));
	if (!batch->data || !batch->range || !batch->tags || !batch->item || !batch->keep || (c->old.schedule && !batch->old_tags)) {
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
	free(batch->old_tags);
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

	if (!csum_get(c->volume, address, delta, &has, err))
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

	if (!csum_get(batch->c->volume, address, value, &has, err))
		return false;
	xor_csum(value, delta);
	return !has || csum_put(batch->c->volume, batch->tx, address, value, err);
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
		if (!keep[i] && !csum_update(batch->c->volume, batch->tx, address + at, batch_data(batch) + at, (size_t)n * CRYPT_BLOCK, err))
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

bool batch_add(struct batch *batch, uint64_t address, const struct disk_crypt_u *u, uint32_t n_blocks, const struct crypt_unit *old,
	       struct error *err)
{
	struct journal_range *range = &batch->range[batch->n_ranges];
	bool *keep = batch->keep + batch->n_tags;

	for (uint32_t i = 0; i < n_blocks; i++)
		keep[i] = batch->block[i].keep;
	if (!add_csums(batch, address, keep, n_blocks, err))
		return false;
	memset(batch->block, 0, sizeof(batch->block));
	*range = (struct journal_range){ .address = address, .u = *u, .n_blocks = n_blocks, .tags = batch_tags(batch) };
	if (old) {
		uint8_t *tags = batch->old_tags + batch->n_tags * CRYPT_TAG_SIZE;

		memcpy(tags, old->tags, (size_t)n_blocks * CRYPT_TAG_SIZE);
		range->old = old->u;
		range->old_tags = tags;
	}
	batch->n_ranges++;
	batch->n_tags += n_blocks;
	return true;
}

bool batch_commit(struct batch *batch, uint64_t cursor, struct error *err)
{
	struct conversion *c = batch->c;
	struct transaction *tx = batch->tx;
	const struct journal_data data = { .range = batch->range, .n_ranges = batch->n_ranges, .bytes = batch->data, .keep = batch->keep };

	batch->tx = NULL;
	if (!conversion_commit_data(c, tx, cursor, &data, err))
		return false;
	batch->n_ranges = batch->n_tags = 0;
	return transaction_begin(c->volume, c->allocator, &batch->tx, err);
}

/* --- plain text -------------------------------------------------------------------------------- */

static void set_state(struct plain *plain, uint64_t address, enum plain_state state)
{
	uint8_t *at = &plain->state[(address - plain->address) / plain->c->volume->super.sector_size];

	if (state <= *at)
		return;
	*at = state;
	if (state <= plain->worst)
		return;
	plain->worst = state;
	plain->first = address;
}

/* Reads each sector from some mirror. */
static void read_some_mirror(struct plain *plain, size_t len)
{
	const uint32_t sector_size = plain->c->volume->super.sector_size;
	struct error why = { 0 };

	if (volume_read_any(plain->c->volume, plain->address, plain->bytes, len, &why))
		return;
	for (size_t at = 0; at < len; at += sector_size) {
		if (volume_read_any(plain->c->volume, plain->address + at, plain->bytes + at, sector_size, &why))
			continue;
		memset(plain->bytes + at, 0, sector_size);
		set_state(plain, plain->address + at, PLAIN_UNREAD);
	}
}

/* Reads a sector without checksum from the copy that was decided on, if copies differ. */
static void take_decided(struct plain *plain, uint64_t address, uint8_t *sector)
{
	const uint32_t sector_size = plain->c->volume->super.sector_size;
	struct error why = { 0 };
	unsigned mirror;
	bool is_known;

	if (!differing_at(plain->c, address, &mirror, &is_known))
		return;
	if (!is_known)
		set_state(plain, address, PLAIN_DIFFERS);
	if (!volume_read(plain->c->volume, address, sector, sector_size, mirror, &why)) {
		memset(sector, 0, sector_size);
		set_state(plain, address, PLAIN_UNREAD);
	}
}

static bool plain_run(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	struct plain *plain = context;
	const struct superblock *super = &plain->c->volume->super;
	const unsigned size = csum_type_size(csums ? super->csum_type : CSUM_CRC32C);
	uint8_t *to = plain->csums + plain->csums_len, *sector = plain->bytes + (logical - plain->address);

	(void)err;
	plain->csums_len += n_sectors * size;
	if (csums)
		memcpy(to, csums, n_sectors * size);
	for (; !csums && n_sectors > 0; n_sectors--, logical += super->sector_size, sector += super->sector_size, to += size) {
		take_decided(plain, logical, sector);
		csum_compute(CSUM_CRC32C, sector, super->sector_size, to);
	}
	return true;
}

static bool no_mirror_matches(void *context, uint64_t logical, const uint8_t *sector, const uint8_t *csum, struct error *err)
{
	(void)sector, (void)csum, (void)err;
	set_state(context, logical, PLAIN_BAD);
	return true;
}

bool plain_read(const struct conversion *c, uint64_t address, uint8_t *bytes, size_t len, struct plain *plain, struct error *err)
{
	struct data_check check = {
		.volume = c->volume, .logical = address, .bytes = bytes, .len = len, .run = plain_run, .wrong = no_mirror_matches, .context = plain,
	};

	plain->c = c;
	plain->address = address;
	plain->bytes = bytes;
	plain->csums_len = 0;
	plain->worst = PLAIN_RIGHT;
	memset(plain->state, PLAIN_RIGHT, sizeof(plain->state));
	if (c->volume->super.sector_size > CRYPT_BLOCK)
		return error_set(err, ERROR_REFUSED, "the sector size is %" PRIu32, c->volume->super.sector_size);
	if (!volume_n_mirrors(c->volume, address, &check.n_mirrors, err))
		return false;
	read_some_mirror(plain, len);
	return data_check(&check, err);
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
