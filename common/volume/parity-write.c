/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes to rows so that parity stays right for what is not written. */
#include "common/volume/parity-write.h"

#include <inttypes.h>

#include "common/volume/mirror.h"
#include "common/volume/parity-row.h"
#include "common/volume/warn.h"

/* The part of a range that lies in one row. */
struct part {
	struct parity_row *row;
	uint32_t begin, end;		/* in the data of the row */
	const uint8_t *bytes;		/* of it; NULL: there are none */
	uint16_t columns;		/* that it touches */
};

static bool open_part(struct volume *volume, const struct chunk *chunk, uint64_t logical, const uint8_t *bytes, uint64_t len, bool from_medium,
		      struct part *part, struct error *err)
{
	*part = (struct part){ .bytes = bytes };
	if (!parity_row_open(volume, chunk, logical, from_medium, &part->row, err))
		return false;

	const uint32_t size = part->row->at.n_data * ROW_STRIPE;

	part->begin = (uint32_t)(logical - part->row->at.logical);
	part->end = len < size - part->begin ? part->begin + (uint32_t)len : size;
	return true;
}

/* What the part has of data i, inside its stripe. */
static bool covers(const struct part *part, unsigned i, uint32_t *from, uint32_t *to)
{
	const uint32_t begin = i * ROW_STRIPE, end = begin + ROW_STRIPE;

	if (part->end <= begin || part->begin >= end)
		return false;
	*from = part->begin > begin ? part->begin - begin : 0;
	*to = part->end < end ? part->end - begin : ROW_STRIPE;
	return true;
}

static const uint8_t *bytes_at(const struct part *part, unsigned i, uint32_t from)
{
	return part->bytes + (i * ROW_STRIPE + from - part->begin);
}

static bool load_part(struct part *part, struct error *err)
{
	uint32_t least = ROW_STRIPE, most = 0, from, to;

	for (unsigned i = 0; i < part->row->at.n_data; i++)
		if (covers(part, i, &from, &to)) {
			least = from < least ? from : least;
			most = to > most ? to : most;
			part->columns |= row_sectors(part->row, from, to);
		}
	return parity_row_load(part->row, least, most, err);
}

/* --- making parity ----------------------------------------------------------------------------------------------- */

/* Is a sector of the column in this state? Those that are written do not count. */
static bool has_state(const struct part *part, uint32_t at, enum sector_state state)
{
	const struct parity_row *row = part->row;
	uint32_t from, to;

	for (unsigned i = 0; i < row->at.n_data; i++)
		if (row->state[i][at / row->volume->super.sector_size] == state &&
		    !(part->bytes && covers(part, i, &from, &to) && from < at + row->volume->super.sector_size && at < to))
			return true;
	return false;
}

/* One column: what is written, and what it replaces, are added to parity as it is, if it is there. */
static void add_difference(const struct part *part, uint8_t *const *data, uint32_t at)
{
	struct parity_row *row = part->row;
	const uint32_t size = row->volume->super.sector_size;
	uint8_t *mixed[CHUNK_STRIPES_PARITY_MAX];
	uint32_t from, to;

	for (unsigned i = 0; i < row->at.n_data; i++)
		mixed[i] = covers(part, i, &from, &to) && from < at + size && at < to ? data[i] : row_member(row->disk, i);
	parity_row_encode(row, mixed, at, at + size, row->made);
	for (unsigned parity = 0; parity < row->at.n_parity; parity++) {
		const uint8_t *disk = row_member(row->disk, row->at.n_data + parity), *sum = row_member(row->sum, parity);
		const bool is_there = !(row->unread[row->at.n_data + parity] & row_sectors(row, at, at + size));
		uint8_t *made = row_member(row->made, parity);

		for (uint32_t j = at; is_there && j < at + size; j++)
			made[j] ^= disk[j] ^ sum[j];
	}
}

/* Makes the parity that the row has once the part is written. data: for each, where it is then. */
static void make_parity(const struct part *part, uint8_t **data)
{
	struct parity_row *row = part->row;
	const uint32_t size = row->volume->super.sector_size;
	uint32_t from, to;

	for (unsigned i = 0; i < row->at.n_data; i++) {
		data[i] = row_member(row->is_judged ? row->truth : row->disk, i);
		if (!part->bytes || !covers(part, i, &from, &to))
			continue;
		data[i] = row_member(row->truth, i);
		if (!row->is_judged)
			memcpy(data[i] + row->from, row_member(row->disk, i) + row->from, row->to - row->from);
		memcpy(data[i] + from, bytes_at(part, i, from), to - from);
	}
	parity_row_encode(row, data, row->from, row->to, row->made);
	for (uint32_t at = row->from; row->is_judged && part->bytes && at < row->to; at += size) {
		const uint16_t column = row_sectors(row, at, at + size);

		if (part->columns & row->unequal & column && has_state(part, at, SECTOR_WRONG))
			add_difference(part, data, at);
	}
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static bool write_member(const struct parity_row *row, unsigned member, const uint8_t *bytes, uint32_t from, uint32_t to, struct error *err)
{
	uint64_t physical;
	struct device *device = row_device(row, member, &physical);

	if (!device)
		return row->volume->is_degraded ||
		       error_set(err, ERROR_REFUSED, "devid %" PRIu64 " is missing",
				 row->chunk->stripe[stripe_of_row(row->chunk, &row->at, member)].devid);
	return device_write(device, bytes + from, to - from, physical + from, err);
}

/* Writes those columns of a member. */
static bool write_columns(const struct parity_row *row, unsigned member, const uint8_t *bytes, uint16_t columns, struct error *err)
{
	const uint32_t size = row->volume->super.sector_size;

	for (uint32_t at = 0, end; at < ROW_STRIPE; at = end) {
		const bool is_one = columns & row_sectors(row, at, at + size);

		for (end = at + size; end < ROW_STRIPE && !(columns & row_sectors(row, end, end + size)) == !is_one;)
			end += size;
		if (is_one && !write_member(row, member, bytes, at, end, err))
			return false;
	}
	return true;
}

static bool write_parity(const struct parity_row *row, uint16_t columns, struct error *err)
{
	for (unsigned parity = 0; parity < row->at.n_parity; parity++)
		if (!write_columns(row, row->at.n_data + parity, row_member(row->made, parity), columns, err))
			return false;
	return true;
}

/* Nothing of a whole row needs to be read. */
static bool write_whole(struct part *part, struct error *err)
{
	struct parity_row *row = part->row;
	uint8_t *data[CHUNK_STRIPES_PARITY_MAX];

	for (unsigned i = 0; i < row->at.n_data; i++) {
		data[i] = row_member(row->truth, i);
		memcpy(data[i], bytes_at(part, i, 0), ROW_STRIPE);
	}
	parity_row_encode(row, data, 0, ROW_STRIPE, row->made);
	for (unsigned i = 0; i < row->at.n_data; i++)
		if (!write_member(row, i, data[i], 0, ROW_STRIPE, err))
			return false;
	return write_parity(row, UINT16_MAX, err);
}

static bool write_part(struct part *part, struct error *err)
{
	struct parity_row *row = part->row;
	uint8_t *data[CHUNK_STRIPES_PARITY_MAX];
	uint32_t from, to;

	if (part->end - part->begin == row->at.n_data * ROW_STRIPE)
		return write_whole(part, err);
	if (!load_part(part, err) || (row->unequal & part->columns && !parity_row_judge(row, err)))
		return false;
	make_parity(part, data);
	for (unsigned i = 0; i < row->at.n_data; i++)
		if (covers(part, i, &from, &to) && !write_columns(row, i, data[i], row_sectors(row, from, to), err))
			return false;
	return write_parity(row, part->columns, err);
}

bool parity_write(struct volume *volume, const struct chunk *chunk, uint64_t logical, const uint8_t *bytes, size_t len, struct error *err)
{
	for (size_t n; len > 0; logical += n, bytes += n, len -= n) {
		struct part part;

		if (!open_part(volume, chunk, logical, bytes, len, false, &part, err) || !write_part(&part, err))
			return false;
		n = part.end - part.begin;
	}
	return true;
}

/* --- reading back --------------------------------------------------------------------------------------------------- */

/* bytes: what [from, to) of the member must be */
static bool read_back_member(const struct parity_row *row, unsigned member, const uint8_t *bytes, uint32_t from, uint32_t to, struct error *err)
{
	uint64_t physical;
	struct device *device = row_device(row, member, &physical);
	bool again;

	if (!device)
		return write_member(row, member, bytes, from, to, err);
	if (!device_read_back(device, bytes, to - from, physical + from, &again, err))
		return false;
	if (again)
		volume_warn(row->volume, "%s: what was written at %#" PRIx64 " had not reached the device, or was changed, and was "
			    "written again", device->name, physical + from);
	return true;
}

static bool read_back_data(struct part *part, struct error *err)
{
	struct parity_row *row = part->row;
	uint32_t from, to;

	for (unsigned i = 0; i < row->at.n_data; i++) {
		uint8_t *disk = row_member(row->disk, i);

		if (!covers(part, i, &from, &to) ||
		    (!(row->unread[i] & row_sectors(row, from, to)) && memcmp(disk + from, bytes_at(part, i, from), to - from) == 0))
			continue;
		if (!read_back_member(row, i, bytes_at(part, i, from), from, to, err))
			return false;
		memcpy(disk + from, bytes_at(part, i, from), to - from);
		row->unread[i] &= (uint16_t)~row_sectors(row, from, to);
	}
	parity_row_compare(row);
	return true;
}

/* Parity that only seems wrong, because it has the right bytes of a sector that went bad, is what make_parity() makes, and stays. */
static bool read_back_parity(struct part *part, struct error *err)
{
	struct parity_row *row = part->row;
	const uint32_t size = row->volume->super.sector_size;
	uint8_t *data[CHUNK_STRIPES_PARITY_MAX];

	if (!parity_row_judge(row, err))
		return false;
	make_parity(part, data);
	for (uint32_t at = 0; at < ROW_STRIPE; at += size) {
		if (!(part->columns & row->unequal & row_sectors(row, at, at + size)))
			continue;
		for (unsigned parity = 0; parity < row->at.n_parity; parity++)
			if (!read_back_member(row, row->at.n_data + parity, row_member(row->made, parity) + at, at, at + size, err))
				return false;
	}
	return true;
}

bool parity_read_back(struct volume *volume, const struct chunk *chunk, uint64_t logical, const uint8_t *bytes, size_t len, struct error *err)
{
	for (size_t n; len > 0; logical += n, bytes += n, len -= n) {
		struct part part;

		if (!open_part(volume, chunk, logical, bytes, len, true, &part, err) || !load_part(&part, err) || !read_back_data(&part, err) ||
		    (part.row->unequal & part.columns && !read_back_parity(&part, err)))
			return false;
		n = part.end - part.begin;
	}
	return true;
}

/* --- in order ----------------------------------------------------------------------------------------------------------- */

static void tell(const struct parity_row *row, unsigned i, uint32_t at, const char *what)
{
	const uint64_t logical = row->at.logical + (uint64_t)i * ROW_STRIPE + at;
	char place[MIRROR_TEXT_SIZE];

	volume_warn_at(row->volume, logical, row->volume->super.sector_size, "data at %" PRIu64 " (%s): %s", logical,
		       volume_mirror_text(row->volume, logical, 0, place), what);
}

/* Writes what parity has where it belongs. */
static bool write_restored(struct parity_row *row, bool *changed, struct error *err)
{
	const uint32_t size = row->volume->super.sector_size;

	for (unsigned i = 0; i < row->at.n_data; i++)
		for (uint32_t at = 0; at < ROW_STRIPE; at += size) {
			const uint8_t *truth = row_member(row->truth, i);

			if (row->state[i][at / size] != SECTOR_RESTORED)
				continue;
			if (!write_member(row, i, truth, at, at + size, err))
				return false;
			tell(row, i, at, "was bad, and was written again as parity has it");
			memcpy(row_member(row->disk, i) + at, truth + at, size);
			row->unread[i] &= (uint16_t)~row_sectors(row, at, at + size);
			*changed = true;
		}
	parity_row_compare(row);
	return true;
}

static void tell_lost(const struct parity_row *row, uint32_t at)
{
	for (unsigned i = 0; i < row->at.n_data; i++)
		if (row->state[i][at / row->volume->super.sector_size] == SECTOR_WRONG)
			tell(row, i, at, "are bad, and parity does not have them either");
}

static bool settle_part(struct part *part, enum parity_doubt doubt, bool *changed, struct error *err)
{
	struct parity_row *row = part->row;
	const uint32_t size = row->volume->super.sector_size;
	uint8_t *data[CHUNK_STRIPES_PARITY_MAX];
	uint16_t make = 0;

	if (!load_part(part, err))
		return false;
	if (!(row->unequal & part->columns))
		return true;
	if (!parity_row_judge(row, err) || !write_restored(row, changed, err))
		return false;
	for (uint32_t at = 0; at < ROW_STRIPE; at += size) {
		const uint16_t column = row_sectors(row, at, at + size);
		const bool is_lost = has_state(part, at, SECTOR_WRONG);

		if (!(row->unequal & part->columns & column) ||
		    (doubt == PARITY_KEEP && (is_lost || has_state(part, at, SECTOR_UNKNOWN))))
			continue;
		if (is_lost)
			tell_lost(row, at);
		make |= column;
	}
	if (make == 0)
		return true;
	make_parity(part, data);
	*changed = true;
	return write_parity(row, make, err);
}

bool volume_settle_parity(struct volume *volume, uint64_t logical, uint64_t len, enum parity_doubt doubt, bool *changed, struct error *err)
{
	for (uint64_t n; len > 0; logical += n, len -= n) {
		const struct chunk *chunk;
		struct part part;

		if (!volume_chunk(volume, logical, &chunk, err))
			return false;
		n = chunk->length - (logical - chunk->logical);
		n = n < len ? n : len;
		if (stripe_n_parity(chunk) == 0)
			continue;
		if (!open_part(volume, chunk, logical, NULL, n, doubt == PARITY_MAKE, &part, err))
			return false;
		n = part.end - part.begin;
		/* Where a superblock is, there is nothing else in the whole row, and its bytes are no parity. */
		if (!volume_range_is_reserved(volume, logical, 1) && !settle_part(&part, doubt, changed, err))
			return false;
	}
	return true;
}

bool volume_stripe_row(const struct volume *volume, uint64_t logical, uint64_t *start, uint64_t *len, struct error *err)
{
	const struct chunk *chunk;

	if (!volume_chunk(volume, logical, &chunk, err))
		return false;
	if (stripe_n_parity(chunk) == 0) {
		*len = volume->super.sector_size;
		*start = logical - (logical - chunk->logical) % *len;
		return true;
	}

	const struct stripe_row row = stripe_row(chunk, logical);
	const uint64_t left = chunk->length - (row.logical - chunk->logical), size = row.n_data * chunk->stripe_len;

	*start = row.logical;
	*len = size < left ? size : left;
	return true;
}
