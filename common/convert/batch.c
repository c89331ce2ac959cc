/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Collecting units into one record, and reading plain text that can be trusted. */
#include "common/convert/batch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/fs/file-data.h"
#include "common/fs/path.h"

#define BATCH_BLOCKS (BATCH_BYTES / CRYPT_BLOCK)

bool batch_open(struct conversion *c, struct batch *batch, struct error *err)
{
	const size_t wanted = c->ui ? c->ui->batch_bytes / CRYPT_BLOCK : 0;
	const size_t data = c->scan->data_bytes / CRYPT_BLOCK;
	const size_t most = data < BATCH_BLOCKS ? data : BATCH_BLOCKS;	/* there is no more */
	const size_t max = wanted && wanted < most ? wanted : most;
	const size_t room = max > CRYPT_UNIT_BLOCKS_MAX ? max : CRYPT_UNIT_BLOCKS_MAX;

	*batch = (struct batch){ .c = c, .max_blocks = max, .data_size = room * CRYPT_BLOCK };
	batch->data = malloc(batch->data_size);
	batch->range = calloc(room, sizeof(*batch->range));
	batch->tags = malloc(room * CRYPT_TAG_SIZE);
	batch->item = malloc(c->volume->super.node_size);
	if (!batch->data || !batch->range || !batch->tags || !batch->item) {
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
	*batch = (struct batch){ 0 };
}

bool batch_has_room(const struct batch *batch, uint32_t n_blocks)
{
	const struct superblock *super = &batch->c->volume->super;
	/* The unit's own leaf, and the csum leaves: at least half full, one more at each edge. */
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

bool batch_add(struct batch *batch, uint64_t address, const struct disk_crypt_u *u, uint32_t n_blocks, struct error *err)
{
	if (!csum_update(batch->c, batch->tx, address, batch_data(batch), (size_t)n_blocks * CRYPT_BLOCK, err))
		return false;
	batch->range[batch->n_ranges++] = (struct journal_range){ address, *u, n_blocks, batch_tags(batch) };
	batch->n_tags += n_blocks;
	return true;
}

bool batch_commit(struct batch *batch, uint64_t cursor, struct error *err)
{
	struct conversion *c = batch->c;
	struct transaction *tx = batch->tx;
	const uint8_t *data = batch->data;

	batch->tx = NULL;
	if (!conversion_commit(c, tx, c->phase, cursor, batch->range, batch->n_ranges, err))
		return false;
	for (size_t i = 0; i < batch->n_ranges; i++) {
		const size_t len = (size_t)batch->range[i].n_blocks * CRYPT_BLOCK;

		if (!volume_write(c->volume, batch->range[i].address, data, len, err))
			return false;
		data += len;
	}
	batch->n_ranges = batch->n_tags = 0;
	return transaction_begin(c->volume, c->allocator, &batch->tx, err);
}

/* --- plain text -------------------------------------------------------------------------------- */

struct stored {
	uint64_t logical;
	uint32_t sector_size;
	unsigned csum_size;
	const uint8_t *csum[CRYPT_UNIT_BLOCKS_MAX];	/* into values; NULL: none stored */
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

static bool sector_matches(const struct volume *volume, const uint8_t *bytes, const uint8_t *csum, unsigned csum_size)
{
	uint8_t computed[CSUM_SIZE];

	csum_compute(volume->super.csum_type, bytes, volume->super.sector_size, computed);
	return memcmp(computed, csum, csum_size) == 0;
}

bool plain_read(struct volume *volume, uint64_t address, uint8_t *bytes, size_t len, uint8_t *csums, size_t *csums_len, bool *damaged,
		struct error *err)
{
	const uint32_t sector_size = volume->super.sector_size;
	struct stored stored = {
		.logical = address,
		.sector_size = sector_size,
		.csum_size = csum_type_size(volume->super.csum_type),
	};
	const struct chunk *chunk;

	*damaged = false;
	*csums_len = 0;
	if (!volume_chunk(volume, address, &chunk, err) || !csum_lookup(volume, address, len, keep_csums, &stored, err) ||
	    !volume_read(volume, address, bytes, len, 0, err))
		return false;
	for (size_t i = 0; i < len / sector_size; i++) {
		uint8_t *sector = bytes + i * sector_size;
		const uint8_t *csum = stored.csum[i];
		unsigned mirror = 1;

		if (!csum) {
			csum_compute(CSUM_CRC32C, sector, sector_size, csums + *csums_len);
			*csums_len += csum_type_size(CSUM_CRC32C);
			continue;
		}
		for (; !sector_matches(volume, sector, csum, stored.csum_size); mirror++) {
			if (mirror >= chunk_n_mirrors(chunk)) {
				*damaged = true;
				return error_set(err, ERROR_CORRUPT, "the data at %#" PRIx64 " match their checksum on no mirror",
						 address + i * sector_size);
			}
			if (!volume_read(volume, address + i * sector_size, sector, sector_size, mirror, err))
				return false;
		}
		memcpy(csums + *csums_len, csum, stored.csum_size);
		*csums_len += stored.csum_size;
	}
	return true;
}

bool name_file(struct conversion *c, const struct crypt_unit *unit, struct error *err)
{
	struct error ignored;
	struct tree tree;
	char *path = NULL;

	if (tree_open(c->volume, unit->root, &tree, &ignored) && inode_path(&tree, unit->inode, &path, &ignored))
		error_prefix(err, "subvolume %" PRIu64 ": %s", unit->root, path);
	free(path);
	return false;
}
