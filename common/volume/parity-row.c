/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads rows, and finds out which of their sectors are right. */
#include "common/volume/parity-row.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/erasure_code.h>

#include "common/crypto/secret.h"
#include "common/volume/csum.h"
#include "common/volume/devices.h"

/* --- room -------------------------------------------------------------------------------------------------------- */

/* disk and truth, sum and made of two parities, and spare */
static size_t room_bytes(unsigned n)
{
	return (2 * (size_t)n + 5) * ROW_STRIPE;
}

void parity_row_free(struct volume *volume)
{
	struct parity_row *row = volume->parity;

	if (!row)
		return;
	wiped_free(row->disk, room_bytes(row->n_room));
	free(row);
	volume->parity = NULL;
}

bool parity_row_reserve(struct volume *volume, struct error *err)
{
	struct parity_row *row;
	unsigned n = 0;

	for (size_t i = 0; i < volume->n_chunks; i++)
		if (stripe_n_parity(&volume->chunks[i]) > 0 && volume->chunks[i].n_stripes > n)
			n = volume->chunks[i].n_stripes;
	if (n == 0 || (volume->parity && volume->parity->n_room >= n))
		return true;
	parity_row_free(volume);
	row = calloc(1, sizeof(*row));
	if (!row)
		return error_memory(err);
	row->disk = malloc(room_bytes(n));
	if (!row->disk) {
		free(row);
		return error_memory(err);
	}
	row->n_room = n;
	row->truth = row_member(row->disk, n);
	row->sum = row_member(row->truth, n);
	row->made = row_member(row->sum, 2);
	row->spare = row_member(row->made, 2);
	volume->parity = row;
	return true;
}

bool parity_row_open(struct volume *volume, const struct chunk *chunk, uint64_t logical, bool from_medium, struct parity_row **row,
		     struct error *err)
{
	if ((!volume->parity || volume->parity->n_room < chunk->n_stripes) && !parity_row_reserve(volume, err))
		return false;
	*row = volume->parity;
	(*row)->volume = volume;
	(*row)->chunk = chunk;
	(*row)->at = stripe_row(chunk, logical);
	(*row)->from_medium = from_medium;
	(*row)->is_judged = false;
	(*row)->from = (*row)->to = 0;
	return true;
}

uint16_t row_sectors(const struct parity_row *row, uint32_t from, uint32_t to)
{
	const uint32_t size = row->volume->super.sector_size;

	return (uint16_t)((1u << ((to - 1) / size + 1)) - (1u << from / size));
}

struct device *row_device(const struct parity_row *row, unsigned member, uint64_t *physical)
{
	const struct chunk_stripe *stripe = &row->chunk->stripe[stripe_of_row(row->chunk, &row->at, member)];
	const struct volume_device *device = volume_device_find(row->volume, stripe->devid, stripe->dev_uuid);

	*physical = stripe->physical + row->at.offset;
	return device ? device->device : NULL;
}

/* --- sums ---------------------------------------------------------------------------------------------------------- */

void parity_row_encode(struct parity_row *row, uint8_t *const *data, uint32_t from, uint32_t to, uint8_t *made)
{
	const unsigned n = row->at.n_data;
	uint8_t *source[CHUNK_STRIPES_PARITY_MAX], *parity[2] = { made + from, row_member(made, 1) + from };

	if (row->n_tables != n) {
		uint8_t factor[2 * CHUNK_STRIPES_PARITY_MAX];

		for (unsigned i = 0; i < n; i++) {
			factor[i] = 1;
			factor[n + i] = stripe_weight(i);
		}
		ec_init_tables((int)n, 2, factor, row->tables);
		row->n_tables = n;
	}
	for (unsigned i = 0; i < n; i++)
		source[i] = data[i] + from;
	ec_encode_data((int)(to - from), (int)n, (int)row->at.n_parity, row->tables, source, parity);
}

void parity_row_compare(struct parity_row *row)
{
	const uint32_t size = row->volume->super.sector_size;
	uint8_t *data[CHUNK_STRIPES_PARITY_MAX];

	for (unsigned i = 0; i < row->at.n_data; i++)
		data[i] = row_member(row->disk, i);
	parity_row_encode(row, data, row->from, row->to, row->sum);
	row->unequal = 0;
	for (unsigned i = 0; i < row->at.n_data + row->at.n_parity; i++)
		row->unequal |= row->unread[i];
	for (unsigned parity = 0; parity < row->at.n_parity; parity++) {
		const uint8_t *disk = row_member(row->disk, row->at.n_data + parity), *sum = row_member(row->sum, parity);

		for (uint32_t at = row->from; at < row->to; at += size)
			if (memcmp(disk + at, sum + at, size) != 0)
				row->unequal |= row_sectors(row, at, at + size);
	}
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

static bool read_part(const struct parity_row *row, struct device *device, uint8_t *bytes, uint32_t len, uint64_t physical, struct error *err)
{
	return row->from_medium ? device_read_medium(device, bytes, len, physical, err) : device_read(device, bytes, len, physical, err);
}

static bool read_member(struct parity_row *row, unsigned i, struct error *err)
{
	const uint32_t size = row->volume->super.sector_size;
	uint8_t *bytes = row_member(row->disk, i);
	uint64_t physical;
	struct device *device = row_device(row, i, &physical);
	struct error unread;

	row->unread[i] = 0;
	if (!device) {
		memset(bytes + row->from, 0, row->to - row->from);
		row->unread[i] = row_sectors(row, row->from, row->to);
		return true;
	}
	if (read_part(row, device, bytes + row->from, row->to - row->from, physical + row->from, &unread))
		return true;
	for (uint32_t at = row->from; at < row->to; at += size) {
		if (read_part(row, device, bytes + at, size, physical + at, &unread))
			continue;
		if (unread.kind != ERROR_IO) {
			*err = unread;
			return false;
		}
		memset(bytes + at, 0, size);
		row->unread[i] |= row_sectors(row, at, at + size);
	}
	return true;
}

bool parity_row_load(struct parity_row *row, uint32_t from, uint32_t to, struct error *err)
{
	const uint32_t size = row->volume->super.sector_size;

	row->from = from / size * size;
	row->to = (to + size - 1) / size * size;
	for (unsigned i = 0; i < row->at.n_data + row->at.n_parity; i++)
		if (!read_member(row, i, err))
			return false;
	parity_row_compare(row);
	return true;
}

/* --- judging ----------------------------------------------------------------------------------------------------------- */

/* What a way to read, as of mirror.h, yields for a part of a member. False: it needs what cannot be read. */
static bool candidate(const struct parity_row *row, unsigned i, uint32_t from, uint32_t len, unsigned mirror, uint8_t *out)
{
	uint8_t tables[32 * CHUNK_STRIPES_PARITY_MAX], *source[CHUNK_STRIPES_PARITY_MAX];
	struct stripe_sum sum;

	stripe_sum(row->chunk, row->at.logical + (uint64_t)i * ROW_STRIPE + from, mirror, &sum);
	for (unsigned k = 0; k < sum.n; k++) {
		const unsigned member = stripe_in_row(row->chunk, &row->at, sum.stripe[k]);

		if (row->unread[member] & row_sectors(row, from, from + len))
			return false;
		source[k] = row_member(row->disk, member) + from;
	}
	ec_init_tables((int)sum.n, 1, sum.factor, tables);
	ec_encode_data((int)len, (int)sum.n, 1, tables, source, &out);
	return true;
}

static void set_state(struct parity_row *row, unsigned i, uint32_t from, uint32_t len, enum sector_state state)
{
	const uint32_t size = row->volume->super.sector_size;

	memset(&row->state[i][from / size], state, len / size);
}

typedef bool part_test(const struct parity_row *row, uint64_t logical, const uint8_t *bytes, const void *context);

/* Looks for a right one among the ways to compute a part of a member. */
static bool restore(struct parity_row *row, unsigned i, uint32_t from, uint32_t len, part_test *is_right, const void *context)
{
	const uint64_t logical = row->at.logical + (uint64_t)i * ROW_STRIPE + from;

	for (unsigned mirror = 1; mirror < chunk_n_mirrors(row->chunk); mirror++) {
		if (!candidate(row, i, from, len, mirror, row->spare) || !is_right(row, logical, row->spare, context))
			continue;
		memcpy(row_member(row->truth, i) + from, row->spare, len);
		set_state(row, i, from, len, SECTOR_RESTORED);
		return true;
	}
	return false;
}

static void judge_part(struct parity_row *row, unsigned i, uint32_t from, uint32_t len, part_test *is_right, const void *context,
		       enum sector_state otherwise)
{
	const uint16_t sectors = row_sectors(row, from, from + len);
	const uint64_t logical = row->at.logical + (uint64_t)i * ROW_STRIPE + from;

	if (!(row->unread[i] & sectors) && is_right(row, logical, row_member(row->disk, i) + from, context))
		set_state(row, i, from, len, SECTOR_RIGHT);
	else if (!(row->unequal & sectors) || !restore(row, i, from, len, is_right, context))
		set_state(row, i, from, len, otherwise);
}

static bool has_csum(const struct parity_row *row, uint64_t logical, const uint8_t *bytes, const void *context)
{
	(void)logical;
	return csum_matches(row->volume->super.csum_type, bytes, row->volume->super.sector_size, context);
}

static bool judge_data(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	struct parity_row *row = context;
	const uint32_t size = row->volume->super.sector_size;
	const unsigned csum_size = csum_type_size(row->volume->super.csum_type);

	(void)err;
	for (; n_sectors > 0; n_sectors--, logical += size, csums += csum_size) {
		const uint64_t at = logical - row->at.logical;

		judge_part(row, (unsigned)(at / ROW_STRIPE), at % ROW_STRIPE, size, has_csum, csums, SECTOR_WRONG);
	}
	return true;
}

static bool is_node(const struct parity_row *row, uint64_t logical, const uint8_t *bytes, const void *context)
{
	const struct superblock *super = &row->volume->super;
	const struct disk_header *header = (const void *)bytes;

	(void)context;
	return le64(header->bytenr) == logical && volume_has_fsid(row->volume, header->fsid) &&
	       csum_block_matches(super->csum_type, bytes, super->node_size);
}

/* Finds the tree blocks of a member. What is none may be free. */
static void judge_nodes(struct parity_row *row, unsigned i, uint32_t len)
{
	const struct superblock *super = &row->volume->super;

	for (uint32_t at = 0, step; super->node_size <= len && at <= len - super->node_size; at += step) {
		judge_part(row, i, at, super->node_size, is_node, NULL, SECTOR_UNKNOWN);
		step = row->state[i][at / super->sector_size] == SECTOR_UNKNOWN ? super->sector_size : super->node_size;
	}
}

static bool is_any(const struct parity_row *row, uint64_t logical, const uint8_t *bytes, const void *context)
{
	(void)row, (void)logical, (void)bytes, (void)context;
	return true;
}

/* Nothing tells whether these are right, but parity alone has them. */
static void judge_unread(struct parity_row *row, unsigned i)
{
	const uint32_t size = row->volume->super.sector_size;

	for (uint32_t at = 0; at < ROW_STRIPE; at += size)
		if (row->unread[i] & row_sectors(row, at, at + size) && row->state[i][at / size] == SECTOR_UNKNOWN)
			judge_part(row, i, at, size, is_any, NULL, SECTOR_WRONG);
}

bool parity_row_judge(struct parity_row *row, struct error *err)
{
	const struct chunk *chunk = row->chunk;
	struct volume *volume = row->volume;
	const uint64_t end = chunk->logical + chunk->length;

	if (!parity_row_load(row, 0, ROW_STRIPE, err))
		return false;
	row->is_judged = true;
	memcpy(row->truth, row->disk, (size_t)row->at.n_data * ROW_STRIPE);
	memset(row->state, SECTOR_UNKNOWN, sizeof(row->state));
	for (unsigned i = 0; i < row->at.n_data; i++) {
		const uint64_t logical = row->at.logical + (uint64_t)i * ROW_STRIPE;
		const uint32_t len = logical >= end ? 0 : end - logical < ROW_STRIPE ? (uint32_t)(end - logical) : ROW_STRIPE;

		if (chunk->type & (GROUP_METADATA | GROUP_SYSTEM))
			judge_nodes(row, i, len);
		if (chunk->type & GROUP_DATA && volume->csum_lookup && len > 0 && !volume->csum_lookup(volume, logical, len, judge_data, row, err))
			return false;
		if (len > 0)
			judge_unread(row, i);
	}
	return true;
}
