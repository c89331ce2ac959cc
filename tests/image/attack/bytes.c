/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes at logical addresses, with and without checksums; superblocks; what a conversion says of itself. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "format/journal.h"
#include "tests/image/attack/attack.h"

bool attack_raw_get(struct attack *attack, struct error *err)
{
	uint64_t logical, len;
	uint8_t *bytes;
	bool ok;

	if (!number(attack->argv[0], &logical, err) || !number(attack->argv[1], &len, err))
		return false;
	bytes = malloc(len ? len : 1);
	ok = bytes ? volume_read(attack->volume, logical, bytes, len, 0, err) : error_memory(err);
	if (ok)
		fwrite(bytes, 1, len, stdout);
	free(bytes);
	return ok;
}

bool attack_raw_put(struct attack *attack, struct error *err)
{
	uint8_t *bytes = NULL;
	uint64_t logical;
	size_t len;
	const bool ok = number(attack->argv[0], &logical, err) && bytes_of_file(attack->argv[1], &bytes, &len, err) &&
			volume_write(attack->volume, logical, bytes, len, err);

	free(bytes);
	return ok;
}

/* The stored checksum of one sector, where there is one. */
static bool fix_csum(struct attack *attack, uint64_t logical, const uint8_t *sector, struct error *err)
{
	const struct superblock *super = &attack->volume->super;
	const unsigned size = csum_type_size(super->csum_type);
	const struct key last = { EXTENT_CSUM_ID, KEY_EXTENT_CSUM, logical };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;

	if (!tree_open(attack->volume, CSUM_TREE_ID, &tree, err) || !tree_seek_last(&tree, &last, &iter, err))
		return false;
	if (!iter.valid || iter.key.objectid != EXTENT_CSUM_ID || iter.key.type != KEY_EXTENT_CSUM)
		return true;

	const uint64_t n = (logical - iter.key.offset) / super->sector_size;
	struct block *leaf = iter.path[0];

	if (n >= iter.item.left / size)
		return true;
	csum_compute(super->csum_type, sector, super->sector_size, leaf->bytes + leaf_item_at(&leaf->node, iter.slot[0]) + n * size);
	csum_block_update(super->csum_type, leaf->bytes, leaf->node.size);
	return volume_write(attack->volume, leaf->logical, leaf->bytes, leaf->node.size, err);
}

bool attack_data_put(struct attack *attack, struct error *err)
{
	const uint32_t sector = attack->volume->super.sector_size;
	uint8_t *bytes = NULL;
	uint64_t logical;
	size_t len = 0;
	bool ok = number(attack->argv[0], &logical, err) && bytes_of_file(attack->argv[1], &bytes, &len, err) &&
		  (len % sector == 0 || error_set(err, ERROR_USAGE, "%zu bytes are not whole sectors", len)) &&
		  volume_write(attack->volume, logical, bytes, len, err);

	for (size_t at = 0; ok && at < len; at += sector)
		ok = fix_csum(attack, logical + at, bytes + at, err);
	free(bytes);
	return ok;
}

/* --- superblocks ------------------------------------------------------------------------------------- */

static bool copy_read(const struct attack *attack, unsigned *first, unsigned *end, struct error *err)
{
	uint64_t n;

	*first = 0;
	*end = superblock_n_copies(attack->volume->device->size);
	if (strcmp(attack->argv[0], "all") == 0)
		return true;
	if (!number(attack->argv[0], &n, err))
		return false;
	if (n >= *end)
		return error_set(err, ERROR_USAGE, "the device has %u superblocks", *end);
	*first = (unsigned)n;
	*end = *first + 1;
	return true;
}

bool attack_super_get(struct attack *attack, struct error *err)
{
	uint8_t bytes[SUPER_SIZE];
	unsigned first, end;

	if (!copy_read(attack, &first, &end, err) ||
	    !device_read(attack->volume->device, bytes, sizeof(bytes), superblock_offset(first), err))
		return false;
	fwrite(bytes, 1, sizeof(bytes), stdout);
	return true;
}

static bool write_copy(const struct attack *attack, unsigned copy, uint8_t bytes[SUPER_SIZE], struct error *err)
{
	const struct le64 where = to_le64(superblock_offset(copy));

	memcpy(bytes + offsetof(struct disk_superblock, bytenr), &where, sizeof(where));
	csum_block_update(attack->volume->super.csum_type, bytes, SUPER_SIZE);
	return device_write(attack->volume->device, bytes, SUPER_SIZE, superblock_offset(copy), err);
}

bool attack_super_put(struct attack *attack, struct error *err)
{
	uint8_t *bytes = NULL;
	unsigned first, end;
	size_t len;
	bool ok = copy_read(attack, &first, &end, err) && bytes_of_file(attack->argv[1], &bytes, &len, err) &&
		  (len == SUPER_SIZE || error_set(err, ERROR_USAGE, "a superblock has %u bytes, not %zu", SUPER_SIZE, len));

	for (unsigned copy = first; ok && copy < end; copy++)
		ok = write_copy(attack, copy, bytes, err);
	free(bytes);
	return ok;
}

bool attack_super_poke(struct attack *attack, struct error *err)
{
	uint8_t super[SUPER_SIZE], *bytes = NULL;
	unsigned first, end;
	uint64_t at;
	size_t len;
	bool ok = copy_read(attack, &first, &end, err) && number(attack->argv[1], &at, err) &&
		  bytes_of_hex(attack->argv[2], &bytes, &len, err) &&
		  ((at < SUPER_SIZE && len <= SUPER_SIZE - at) || error_set(err, ERROR_USAGE, "a superblock has %u bytes", SUPER_SIZE));

	for (unsigned copy = first; ok && copy < end; copy++) {
		ok = device_read(attack->volume->device, super, sizeof(super), superblock_offset(copy), err);
		if (ok) {
			memcpy(super + at, bytes, len);
			ok = write_copy(attack, copy, super, err);
		}
	}
	free(bytes);
	return ok;
}

/* --- conversions --------------------------------------------------------------------------------------- */

bool attack_state(struct attack *attack, struct error *err)
{
	struct crypt_state_tail state;

	if (!crypt_state_read(attack->volume->super.disk.tail, &state, err))
		return false;
	printf("direction=%d phase=%d cursor=%" PRIu64 " sequence=%" PRIu64 " epoch=%" PRIu64 " keys=%" PRIu64 "\n", state.direction,
	       state.phase, state.cursor, state.sequence, state.epoch, state.keys.logical);
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
		struct disk_journal_header disk;
		struct cursor cursor = { (const uint8_t *)&disk, sizeof(disk), state.slot[i].logical };
		struct journal_header header = { 0 };
		struct error none;

		if (!volume_read(attack->volume, state.slot[i].logical, &disk, sizeof(disk), 0, err))
			return false;
		if (!journal_header_read(&cursor, &header, &none))
			header = (struct journal_header){ 0 };
		printf("slot=%" PRIu64 " size=%" PRIu64 " record=%" PRIu64 " length=%" PRIu64 " phase=%d cursor=%" PRIu64 " ranges=%" PRIu32 "\n",
		       state.slot[i].logical, state.slot[i].length, header.sequence, header.length, header.phase, header.cursor, header.n_ranges);
	}
	return true;
}
