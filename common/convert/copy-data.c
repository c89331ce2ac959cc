/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data, the items that refer to them, and their checksums. */
#include "common/convert/copy-data.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/batch.h"
#include "common/convert/copy-quota.h"
#include "common/fs/csum-lookup.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"

/* --- bytes --------------------------------------------------------------------------------------------- */

/* Nobody can write a sector that cannot be read, nor choose between copies unless told to. */
static bool may_copy(const struct copying *k, struct error *err)
{
	const struct plain *const plain = k->plain;

	if (plain->worst == PLAIN_UNREAD) {
		error_set(err, ERROR_IO, "the data at %#" PRIx64 " cannot be read from any copy, and so cannot be copied", plain->first);
		return error_hint(err, "`convert --abort` undoes what was begun");
	}
	if (plain->worst == PLAIN_DIFFERS && !damage_carries(k->c)) {
		error_set(err, ERROR_CORRUPT, "the copies of the data at %#" PRIx64 ", which have no checksum, differ, and nothing tells which one is "
			  "right", plain->first);
		return error_hint(err, "`convert --resume --on-error=continue` takes the one that cat prints");
	}
	return true;
}

static bool copy_bytes(struct copying *k, uint64_t from, uint64_t to, uint64_t length, struct error *err)
{
	struct volume *const volume = k->c->volume;
	const bool reads_back = le32(k->c->op.state.flags) & CRYPT_STATE_READ_BACK;

	for (uint64_t at = 0; at < length; at += COPY_BUFFER) {
		const size_t len = length - at < COPY_BUFFER ? length - at : COPY_BUFFER;

		if (!plain_read(k->c, from + at, k->buffer, len, k->plain, err) || !may_copy(k, err) ||
		    !volume_write(volume, to + at, k->buffer, len, err) ||
		    (reads_back && (!volume_flush(volume, err) || !volume_read_back(volume, to + at, k->buffer, len, err))))
			return false;
	}
	k->data_written += length;
	return true;
}

/* --- checksums ------------------------------------------------------------------------------------------- */

struct csums {
	const struct volume *volume;
	uint64_t from;
	unsigned size;
	uint8_t *bytes;
	uint8_t *has;		/* for each sector */
};

static bool note_csums(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csum, struct error *err)
{
	struct csums *const csums = context;
	const size_t first = (logical - csums->from) / csums->volume->super.sector_size;

	(void)err;
	memcpy(csums->bytes + first * csums->size, csum, n_sectors * csums->size);
	memset(csums->has + first, 1, n_sectors);
	return true;
}

/* Kernels keep room for one more item in a leaf. */
static size_t csums_per_item(const struct csums *csums)
{
	return (csums->volume->super.node_size - sizeof(struct disk_header) - 2 * sizeof(struct disk_item)) / csums->size - 1;
}

static bool put_csums(struct copying *k, const struct csums *csums, uint64_t to, size_t n_sectors, struct error *err)
{
	const size_t most = csums_per_item(csums);

	for (size_t i = 0; i < n_sectors;) {
		const struct key key = { EXTENT_CSUM_ID, KEY_EXTENT_CSUM, to + i * csums->volume->super.sector_size };
		size_t n = 0;

		while (i + n < n_sectors && csums->has[i + n] && n < most)
			n++;
		if (n > 0 && !tree_insert(k->tx, CSUM_TREE_ID, &key, csums->bytes + i * csums->size, (uint32_t)(n * csums->size), err))
			return false;
		i += n > 0 ? n : 1;
	}
	return true;
}

static bool copy_csums(struct copying *k, uint64_t from, uint64_t to, uint64_t length, struct error *err)
{
	struct volume *const volume = k->c->volume;
	const size_t n_sectors = length / volume->super.sector_size;
	struct csums csums = { .volume = volume, .from = from, .size = csum_type_size(volume->super.csum_type) };
	bool ok;

	csums.bytes = malloc(n_sectors * csums.size);
	csums.has = calloc(n_sectors, 1);
	ok = (csums.bytes && csums.has) || error_memory(err);
	ok = ok && csum_lookup(volume, from, length, note_csums, &csums, err) && put_csums(k, &csums, to, n_sectors, err);
	free(csums.bytes);
	free(csums.has);
	return ok;
}

/* --- who refers to it ------------------------------------------------------------------------------------ */

/* Every item of the leaf that refers to the extent refers to its copy from now on. */
static bool move_leaf(struct copying *k, struct block *leaf, bool is_full, const struct extent_at *from, const struct extent_at *to, struct error *err)
{
	for (uint32_t i = 0; i < leaf->node.n_items; i++) {
		struct copy_file_extent file;
		struct extent_ref ref;

		if (!copy_file_extent(k, &leaf->node, i, &file, err))
			return false;
		if (!file.has_disk || file.logical != from->logical)
			continue;
		ref = copy_data_ref(&file, is_full ? leaf->logical : 0, leaf->node.owner);
		if (!transaction_edit(k->tx, leaf, err) || !extent_ref_add(k->tx, to, &ref, err) || !extent_ref_remove(k->tx, from, &ref, err))
			return false;
		((struct disk_file_extent *)(leaf->bytes + leaf_item_at(&leaf->node, i)))->disk_bytenr = to_le64(to->logical);
	}
	return block_refresh(leaf, err);
}

static bool move_leaves(struct copying *k, const struct copy_item *item, const struct extent_at *from, const struct extent_at *to, struct error *err)
{
	for (uint32_t i = 0; i < item->n_edges; i++) {
		cleanup_block struct block *leaf = NULL;
		bool is_full;

		if (!copy_parent(k, k->plan->extent_edge[item->first_edge + i], 0, &leaf, &is_full, err) ||
		    !move_leaf(k, leaf, is_full, from, to, err))
			return false;
	}
	return true;
}

static bool no_room(const struct copy_item *item, struct error *err)
{
	return error_set(err, ERROR_NO_SPACE, "no free range of %" PRIu64 " bytes for a copy of the data at %#" PRIx64, item->length, item->logical);
}

bool copy_extent(struct copying *k, const struct copy_item *item, struct error *err)
{
	const struct extent_at from = { .logical = item->logical, .length = item->length };
	struct extent_at to = from;
	struct extent_item extent;
	uint64_t owner;
	bool found;

	if (!allocator_take_data(k->c->allocator, item->length, &to.logical, &found, err))
		return false;
	if (!found)
		return no_room(item, err);
	if (!copy_bytes(k, from.logical, to.logical, item->length, err) || !extent_look(k->tx, &from, &extent, err) ||
	    !copy_quota_data_owner(k, item, &owner, err) || !transaction_use_data(k->tx, to.logical, to.length, err) ||
	    !extent_add(k->tx, &to, extent.generation, EXTENT_FLAG_DATA, NULL, owner, err) || !move_leaves(k, item, &from, &to, err) ||
	    !copy_csums(k, from.logical, to.logical, item->length, err) || !copy_quota_add(k, owner, extent.generation, item->length, err) ||
	    !extent_look(k->tx, &from, &extent, err))
		return false;
	return extent.refs > 0 || error_set(err, ERROR_CORRUPT, "nothing but the subvolumes to be sealed refers to the data at %#" PRIx64, item->logical);
}
