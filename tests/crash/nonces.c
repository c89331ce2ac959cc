/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two copies of one unfinished image go different ways: no nonce may meet two plain texts.
 * nonces IMAGE [PAIRS [SEED]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "common/fs/csum-lookup.h"
#include "common/sealed/domain.h"
#include "common/sealed/inline-map.h"
#include "common/sealed/unit-map.h"
#include "common/volume/mirror.h"
#include "format/journal.h"
#include "tests/crash/cut.h"
#include "tests/crash/oracle.h"

#define CHANGED_BYTES 16u	/* that are changed at a time */

static unsigned n_failures;

static void bad(const char *where, const char *what)
{
	fprintf(stderr, "FAILED: %s: %s\n", where, what);
	n_failures++;
}

/* --- units -------------------------------------------------------------------------------------------- */

struct unit {
	uint8_t nonce[CRYPT_NONCE_SIZE];
	uint64_t what;		/* of everything that the nonce was used for: U or I, and tags */
	uint64_t place, address;
	uint32_t blocks;
	bool is_inline, sealed;
	bool has_csum;		/* some of its blocks have a checksum */
};

struct units {
	struct unit *at;
	size_t n, room;
};

static void add(struct units *units, const struct unit *unit)
{
	if (units->n == units->room) {
		units->room = units->room ? units->room * 2 : 1024;
		units->at = reallocarray(units->at, units->room, sizeof(*units->at));
		if (!units->at)
			harness_fail("out of memory");
	}
	units->at[units->n++] = *unit;
}

static bool add_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct unit add_it = { .place = place, .address = unit->unit_id, .blocks = unit->blocks, .sealed = unit->sealed };

	(void)go, (void)err;
	memcpy(add_it.nonce, unit->u.nonce, sizeof(add_it.nonce));
	add_it.what = XXH64(unit->tags, (size_t)unit->blocks * CRYPT_TAG_SIZE, XXH64(&unit->u, sizeof(unit->u), 0));
	add(context, &add_it);
	return true;
}

static bool add_inline(void *context, const struct crypt_inline_unit *unit, uint64_t place, struct error *err)
{
	struct unit add_it = { .place = place, .is_inline = true, .sealed = unit->sealed };

	(void)err;
	memcpy(add_it.nonce, unit->disk.i.nonce, sizeof(add_it.nonce));
	add_it.what = XXH64(&unit->disk, sizeof(unit->disk), 0);
	add(context, &add_it);
	return true;
}

static void read_units(struct disk *disk, struct units *units)
{
	const struct volume_options options = { .unfinished = true };
	cleanup_volume struct volume *volume = NULL;
	cleanup_unit_map struct unit_map *map = NULL;
	struct error err = { 0 };
	uint16_t *numbers = NULL;
	size_t n;

	if (!volume_open(disk_device(disk, false), &options, &volume, &err) || !domain_numbers(volume, &numbers, &n, &err) || n != 1 ||
	    !unit_map_read(volume, numbers[0], &map, &err) || !unit_map_visit_all(map, add_unit, units, &err) ||
	    !inline_visit_all(volume, numbers[0], add_inline, units, &err))
		harness_fail("reading units: %s", err.text);
	free(numbers);
}

static int by_nonce(const void *a, const void *b)
{
	const struct unit *one = a, *two = b;

	return memcmp(one->nonce, two->nonce, sizeof(one->nonce));
}

static const struct unit *find_nonce(const struct units *sorted, const struct unit *unit)
{
	return bsearch(unit, sorted->at, sorted->n, sizeof(*unit), by_nonce);
}

/* Is each nonce of an image its unit's alone? */
static void check_own(const struct units *sorted, const char *where)
{
	for (size_t i = 0; i < sorted->n; i++) {
		if (!sorted->at[i].sealed)
			bad(where, "a unit of a finished image is not sealed");
		if (i > 0 && by_nonce(&sorted->at[i - 1], &sorted->at[i]) == 0)
			bad(where, "two units of one image have one nonce");
	}
}

/* Data units before boundary were durable before the two went apart; no other nonce may be in both. */
static size_t check_pair(const struct units *a, const struct units *b, uint64_t boundary, bool inlines_too, const char *where)
{
	size_t n_common = 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct unit *unit = &a->at[i], *other = find_nonce(b, unit);
		const bool durable = unit->is_inline ? inlines_too : unit->place < boundary;

		if (other && other->what != unit->what)
			bad(where, "one nonce, two different units");
		if (other && !durable)
			bad(where, "a nonce that was not durable is in both copies");
		if (!other && durable && !unit->is_inline)
			bad(where, "a unit that was durable is not in both copies");
		n_common += other != NULL;
	}
	return n_common;
}

/* --- going different ways ----------------------------------------------------------------------------- */

static bool any_csum(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	bool *has = context;

	(void)logical, (void)n_sectors, (void)csums, (void)err;
	*has = true;
	return true;
}

static void flip(struct disk *disk, struct volume *volume, uint64_t logical)
{
	struct error err = { 0 };
	const struct chunk *chunk;
	uint8_t bytes[CHANGED_BYTES];

	if (!volume_chunk(volume, logical, &chunk, &err))
		harness_fail("%s", err.text);
	for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk); mirror++) {
		disk_read(disk, chunk_physical(chunk, logical, mirror), bytes, sizeof(bytes));
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] ^= 0x5a;
		disk_write(disk, chunk_physical(chunk, logical, mirror), bytes, sizeof(bytes));
	}
}

static void note_csums(struct disk *plain, struct units *layout)
{
	cleanup_volume struct volume *volume = NULL;
	struct error err = { 0 };

	if (!volume_open(disk_device(plain, false), NULL, &volume, &err))
		harness_fail("%s", err.text);
	for (size_t i = 0; i < layout->n; i++) {
		struct unit *unit = &layout->at[i];

		if (!unit->is_inline &&
		    !csum_lookup(volume, unit->address, (uint64_t)unit->blocks * CRYPT_BLOCK, any_csum, &unit->has_csum, &err))
			harness_fail("%s", err.text);
	}
}

/* Other plain text in up to a few units that the conversion has not come to and that have no checksum; how many. */
static unsigned change_plain(struct disk *disk, const struct units *layout, uint64_t boundary)
{
	const struct volume_options options = { .unfinished = true };
	cleanup_volume struct volume *volume = NULL;
	struct error err = { 0 };
	unsigned n = 0;

	if (!volume_open(disk_device(disk, false), &options, &volume, &err))
		harness_fail("%s", err.text);
	for (size_t i = 0; i < layout->n && n < 3; i++) {
		const struct unit *unit = &layout->at[i];
		if (unit->is_inline || unit->place < boundary || unit->has_csum)
			continue;
		flip(disk, volume, unit->address);
		n++;
	}
	return n;
}

struct counts {
	unsigned n_pairs, n_changed, n_lost_records, n_refused;
	size_t n_common, n_units;
};

static void sort(struct units *units)
{
	qsort(units->at, units->n, sizeof(*units->at), by_nonce);
}

/* One cut, two copies. */
static void try_pair(const struct disk *plain, const struct disk_log *log, const struct units *layout, const struct keys *keys,
		     const struct cut *cut, struct counts *counts)
{
	struct units units[2] = { 0 };
	struct disk state, copy[2];
	struct error err = { 0 };
	struct verdict v;
	char where[CUT_TEXT_SIZE];

	cut_text(cut, where);
	cut_apply(plain, log, cut, &state);
	if (!oracle_judge(&state, keys, &v, &err))
		harness_fail("%s: %s", where, err.text);
	if (v.unfinished && !v.restorable && v.phase <= CRYPT_PHASE_LEAVES && v.phase >= CRYPT_PHASE_DATA) {
		const uint64_t boundary = v.phase == CRYPT_PHASE_DATA ? v.cursor : UNIT_PLACE_END;
		bool ok = true;

		disk_clone(&state, &copy[0]);
		disk_clone(&state, &copy[1]);
		counts->n_changed += change_plain(&copy[1], layout, boundary);
		for (unsigned i = 0; i < 2; i++) {
			ok = run_continue(&copy[i], CONVERT_RESUME, keys, false, NEVER, &err) && ok;
			if (!ok)
				bad(where, err.text);
			else
				read_units(&copy[i], &units[i]);
			sort(&units[i]);
		}
		if (ok) {
			check_own(&units[0], where);
			check_own(&units[1], where);
			counts->n_common += check_pair(&units[0], &units[1], boundary, v.phase == CRYPT_PHASE_LEAVES, where);
			counts->n_units += units[0].n;
			counts->n_pairs++;
		}
		disk_free(&copy[0]);
		disk_free(&copy[1]);
	}
	disk_free(&state);
	free(units[0].at);
	free(units[1].at);
}

/* --- records ------------------------------------------------------------------------------------------ */

/* The ranges of the record that write i of the log is; false: it is none, or has none. */
static bool ranges_of(const struct disk_log *log, size_t i, uint32_t node_size, struct journal_range *range, size_t max, size_t *n)
{
	const struct disk_write *write = &log->write[i];
	struct cursor at = { write->bytes, write->len, 0 };
	struct journal_header header;
	struct error ignored;

	*n = 0;
	if (write->len < sizeof(struct disk_journal_header) || memcmp(write->bytes, JOURNAL_MAGIC, 8) != 0 ||
	    !journal_header_read(&at, &header, &ignored))
		return false;
	for (uint32_t j = 0; j < header.n_changed; j++) {
		struct journal_changed changed;

		if (!journal_changed_next(&at, node_size, &changed, &ignored))
			harness_fail("a recorded record cannot be read: %s", ignored.text);
	}
	for (uint32_t j = 0; j < header.n_new; j++) {
		struct journal_new new_block;

		if (!journal_new_next(&at, &new_block, &ignored))
			harness_fail("a recorded record cannot be read: %s", ignored.text);
	}
	for (uint32_t j = 0; j < header.n_ranges && *n < max; j++) {
		if (!journal_range_next(&at, header.has_old, &range[(*n)++], &ignored))
			harness_fail("a recorded record cannot be read: %s", ignored.text);
	}
	return *n > 0;
}

static bool is_whole(const struct disk *disk, const struct disk_write *write)
{
	uint8_t *bytes = malloc(write->len);
	bool whole;

	if (!bytes)
		harness_fail("out of memory");
	disk_read(disk, write->at, bytes, write->len);
	whole = memcmp(bytes, write->bytes, write->len) == 0;
	free(bytes);
	return whole;
}

/* A record that was not committed: its nonces are never used again. */
static void try_lost_record(const struct disk *plain, const struct disk_log *log, const struct keys *keys, size_t i,
			    const struct journal_range *range, size_t n, struct rng *rng, struct counts *counts)
{
	const struct cut cut = { CUT_TORN, i, rng_next(rng) };
	struct units units = { 0 };
	struct error err = { 0 };
	struct disk disk;

	cut_apply(plain, log, &cut, &disk);
	if (is_whole(&disk, &log->write[i])) {
		disk_free(&disk);
		return;		/* every part happened to land */
	}
	if (!run_continue(&disk, CONVERT_RESUME, keys, false, NEVER, &err)) {
		bad("a record cut off", err.text);
	} else {
		read_units(&disk, &units);
		sort(&units);
		for (size_t j = 0; j < n; j++) {
			struct unit lost = { 0 };

			memcpy(lost.nonce, range[j].u.nonce, sizeof(lost.nonce));
			if (find_nonce(&units, &lost))
				bad("a record cut off", "its nonce is used");
		}
		counts->n_lost_records++;
	}
	disk_free(&disk);
	free(units.at);
}

/* The record is durable, its data are not there yet and are changed meanwhile: that must not be sealed under its nonces. */
static void try_changed_range(const struct disk *plain, const struct disk_log *log, const struct keys *keys, size_t i,
			      const struct journal_range *range, struct rng *rng, struct counts *counts)
{
	const struct volume_options options = { .unfinished = true };
	const struct cut cut = { CUT_PREFIX, i + 1, 0 };
	cleanup_volume struct volume *volume = NULL;
	struct error err = { 0 };
	struct disk disk;

	cut_apply(plain, log, &cut, &disk);
	if (!volume_open(disk_device(&disk, false), &options, &volume, &err))
		harness_fail("%s", err.text);
	flip(&disk, volume, range->address + rng_below(rng, range->n_blocks) * CRYPT_BLOCK + rng_below(rng, CRYPT_BLOCK / CHANGED_BYTES) * CHANGED_BYTES);
	for (int goal = CONVERT_RESUME; goal <= CONVERT_ABORT; goal += CONVERT_ABORT - CONVERT_RESUME) {
		if (run_continue(&disk, (enum convert_goal)goal, keys, false, NEVER, &err) || err.kind != ERROR_CORRUPT)
			bad("plain text changed under a durable record", "is not refused as damage");
		else if (disk.n_writes != 0)
			bad("plain text changed under a durable record", "is refused, and something is written");
		else
			counts->n_refused++;
	}
	disk_free(&disk);
}

/* Is a record of these ranges the newest one when the writes up to here are on the disk? */
static void try_records(const struct disk *plain, const struct disk_log *log, const struct keys *keys, uint32_t node_size, struct rng *rng,
			struct counts *counts)
{
	static struct journal_range range[4096];

	for (size_t i = 0; i < log->n; i++) {
		size_t n;

		/* Where the journal has mirrors, the last copy: then both are there, or one is torn. */
		if (!ranges_of(log, i, node_size, range, sizeof(range) / sizeof(range[0]), &n) ||
		    (i + 1 < log->n && log->write[i + 1].len == log->write[i].len &&
		     memcmp(log->write[i + 1].bytes, log->write[i].bytes, log->write[i].len) == 0))
			continue;
		try_changed_range(plain, log, keys, i, &range[rng_below(rng, n)], rng, counts);
		if (i == 0 || log->write[i - 1].len != log->write[i].len)
			try_lost_record(plain, log, keys, i, range, n, rng, counts);
	}
}

int main(int argc, char **argv)
{
	const unsigned n_pairs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 60;
	struct rng rng = { argc > 3 ? strtoull(argv[3], NULL, 0) : 1 };
	struct counts counts = { 0 };
	struct units layout = { 0 };
	struct disk_log log = { 0 };
	struct error err = { 0 };
	struct disk plain, sealed;
	struct keys keys;
	uint8_t bytes[SUPER_SIZE];
	struct superblock super;

	if (argc < 2 || !secret_init(&err))
		harness_fail("usage: nonces IMAGE [PAIRS [SEED]]");
	keys_new(&keys);
	disk_load(argv[1], &plain);
	disk_read(&plain, superblock_offset(0), bytes, sizeof(bytes));
	if (!superblock_read(bytes, superblock_offset(0), &super, &err))
		harness_fail("%s", err.text);
	disk_clone(&plain, &sealed);
	sealed.log = &log;
	if (!run_encrypt(&sealed, &keys, NEVER, NULL, &err))
		harness_fail("%s", err.text);
	sealed.log = NULL;
	read_units(&sealed, &layout);
	note_csums(&plain, &layout);
	for (unsigned tries = 0; counts.n_pairs < n_pairs && tries < 20 * n_pairs && n_failures == 0; tries++) {
		const struct cut cut = cut_any(&log, &rng);

		try_pair(&plain, &log, &layout, &keys, &cut, &counts);
	}
	if (n_failures == 0)
		try_records(&plain, &log, &keys, super.node_size, &rng, &counts);
	printf("%u pairs of copies, %zu units each on average, %zu of them durable before; %u units with other plain text; %u records lost, "
	       "%u changes under a record refused; %u failures\n", counts.n_pairs, counts.n_units / (counts.n_pairs ? counts.n_pairs : 1),
	       counts.n_common / (counts.n_pairs ? counts.n_pairs : 1), counts.n_changed, counts.n_lost_records, counts.n_refused, n_failures);
	return n_failures > 0 || counts.n_pairs < n_pairs || counts.n_changed == 0 || counts.n_lost_records == 0 || counts.n_refused == 0;
}
