/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Choosing cuts and applying them. */
#include "tests/crash/cut.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/journal.h"
#include "format/superblock.h"

uint64_t rng_next(struct rng *rng)
{
	uint64_t x = rng->state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return n ? rng_next(rng) % n : 0;
}

/* --- applying --------------------------------------------------------------------------------------- */

/* The ways a long write may have got stuck. */
enum tear { TEAR_RANDOM, TEAR_HEAD, TEAR_TAIL, TEAR_ONE_BLOCK_MISSING, TEAR_ONE_BLOCK_THERE, TEAR_PAGES, TEARS };

static void write_torn(struct disk *disk, const struct disk_write *write, struct rng *rng)
{
	const enum tear tear = (enum tear)rng_below(rng, TEARS);
	const uint64_t first = write->at / DISK_SECTOR, end = (write->at + write->len + DISK_SECTOR - 1) / DISK_SECTOR;
	const uint64_t middle = first + rng_below(rng, end - first + 1);
	const uint64_t block = (first + rng_below(rng, end - first)) * DISK_SECTOR / DISK_PAGE;
	bool page_lands = false;

	for (uint64_t sector = first; sector < end; sector++) {
		const uint64_t from = sector * DISK_SECTOR > write->at ? sector * DISK_SECTOR : write->at;
		const uint64_t to = (sector + 1) * DISK_SECTOR < write->at + write->len ? (sector + 1) * DISK_SECTOR : write->at + write->len;
		const bool in_block = sector * DISK_SECTOR / DISK_PAGE == block;
		const bool even = rng_below(rng, 2);
		bool lands = false;

		if (sector == first || sector % (DISK_PAGE / DISK_SECTOR) == 0)
			page_lands = even;
		switch (tear) {
		case TEAR_RANDOM:		lands = even; break;
		case TEAR_HEAD:			lands = sector < middle; break;
		case TEAR_TAIL:			lands = sector >= middle; break;
		case TEAR_ONE_BLOCK_MISSING:	lands = !in_block || even; break;
		case TEAR_ONE_BLOCK_THERE:	lands = in_block && even; break;
		default:			lands = page_lands; break;
		}
		if (lands)
			disk_write(disk, from, write->bytes + (from - write->at), to - from);
	}
}

static void write_whole(struct disk *disk, const struct disk_write *write)
{
	disk_write(disk, write->at, write->bytes, write->len);
}

/* Superblocks and journal records: what tells the others what to make of the rest. */
static bool is_special(const struct disk_log *log, size_t i)
{
	const struct disk_write *write = &log->write[i];

	for (unsigned n = 0; n < SUPER_COPIES; n++) {
		if (write->in_part == superblock_offset(n))
			return true;
	}
	return write->len >= 8 && memcmp(write->bytes, JOURNAL_MAGIC, 8) == 0;
}

/* Is write i on the disk, whatever happens, when the power goes after write `at`? */
static bool is_flushed(const struct disk_log *log, size_t i, size_t at)
{
	const unsigned part = log->write[i].part;

	return log->write[at].flushes[part] > log->write[i].flushes[part];
}

/* Devices can be differently far. */
static void choose_percents(struct rng *rng, bool several, unsigned percent[DISK_PARTS_MAX])
{
	static const unsigned likely[] = { 10, 50, 90, 0, 100 };
	const unsigned all = likely[rng_below(rng, 3)];
	const bool differ = several && rng_below(rng, 2);

	for (unsigned part = 0; part < DISK_PARTS_MAX; part++)
		percent[part] = differ ? likely[rng_below(rng, 5)] : all;
}

static void apply_subset(const struct disk_log *log, size_t at, struct rng *rng, struct disk *disk)
{
	unsigned percent[DISK_PARTS_MAX];
	/* Often a record or superblock lands whole while what went before it does not. */
	const bool keep_special = rng_below(rng, 2);
	size_t *order = calloc(at + 1, sizeof(*order)), n = 0;

	if (!order)
		harness_fail("out of memory");
	choose_percents(rng, disk->n_parts > 1, percent);
	for (size_t i = 0; i <= at; i++) {
		if (is_flushed(log, i, at)) {
			write_whole(disk, &log->write[i]);
			continue;
		}

		const size_t j = rng_below(rng, n + 1);

		order[n] = order[j];
		order[j] = i;
		n++;
	}
	for (size_t i = 0; i < n; i++) {
		const struct disk_write *const write = &log->write[order[i]];
		const bool keep = keep_special && is_special(log, order[i]) && percent[write->part] > 0;

		if (rng_below(rng, 100) >= percent[write->part] && !keep)
			continue;
		if (percent[write->part] < 100 && rng_below(rng, 4) == 0 && !keep)
			write_torn(disk, write, rng);
		else
			write_whole(disk, write);
	}
	free(order);
}

/* All of them, but only one copy of what goes to several mirrors. */
static void apply_mirrors(const struct disk_log *log, size_t at, struct rng *rng, struct disk *disk)
{
	bool *missing = calloc(at + 1, sizeof(*missing));

	if (!missing)
		harness_fail("out of memory");
	for (size_t i = 0; i <= at; i++) {
		for (size_t j = i + 1; j <= at && !missing[i] && !is_flushed(log, i, at); j++) {
			const struct disk_write *one = &log->write[i], *other = &log->write[j];

			if (!is_flushed(log, j, at) && one->len == other->len && memcmp(one->bytes, other->bytes, one->len) == 0 && !missing[j])
				missing[rng_below(rng, 2) ? i : j] = true;
		}
	}
	for (size_t i = 0; i <= at; i++) {
		if (!missing[i])
			write_whole(disk, &log->write[i]);
	}
	free(missing);
}

void cut_apply(const struct disk *start, const struct disk_log *log, const struct cut *cut, struct disk *after)
{
	struct rng rng = { cut->seed };

	disk_clone(start, after);
	if (cut->kind == CUT_SUBSET && cut->at < log->n) {
		apply_subset(log, cut->at, &rng, after);
		return;
	}
	if (cut->kind == CUT_MIRRORS && cut->at < log->n) {
		apply_mirrors(log, cut->at, &rng, after);
		return;
	}
	for (size_t i = 0; i < cut->at; i++)
		write_whole(after, &log->write[i]);
	if (cut->kind == CUT_TORN && cut->at < log->n)
		write_torn(after, &log->write[cut->at], &rng);
}

/* --- choosing --------------------------------------------------------------------------------------- */

static bool is_turning_point(const struct disk_log *log, size_t at)
{
	if (at == 0 || at >= log->n)
		return true;
	return is_special(log, at) || is_special(log, at - 1) || log->write[at].epoch != log->write[at - 1].epoch;
}

#define EDGE 10	/* writes */

struct candidate {
	struct cut cut;
	unsigned rank;
	uint64_t order;
};

static int compare(const void *a, const void *b)
{
	const struct candidate *one = a, *two = b;

	if (one->rank != two->rank)
		return one->rank < two->rank ? -1 : 1;
	return one->order < two->order ? -1 : one->order > two->order;
}

struct cut *cuts_choose(const struct disk_log *log, size_t n, struct rng *rng)
{
	/* Prefixes and torn writes everywhere, then subsets, as many at each place as are needed. */
	const size_t places = log->n + 1, rounds = 2 + (n > 2 * places ? (n - 1) / places - 1 : 1);
	struct candidate *candidate = calloc(places * (rounds + 1), sizeof(*candidate));
	struct cut *cuts = calloc(n, sizeof(*cuts));
	size_t n_candidates = 0;

	if (!candidate || !cuts)
		harness_fail("out of memory");
	for (size_t round = 0; round < rounds; round++) {
		for (size_t at = 0; at < places; at++) {
			const enum cut_kind kind = round == 0 ? CUT_PREFIX : round == 1 ? CUT_TORN : CUT_SUBSET;
			const uint64_t order = rng_next(rng);
			/* Where not all have room: the very beginning and end, then turning points as often as all others. */
			const bool is_edge = round == 0 && (at < EDGE || at + EDGE > log->n);
			const unsigned rank = n >= 3 * places ? (unsigned)round : is_edge ? 0u : 1u + (!is_turning_point(log, at) && order % 4 != 0);

			if (round > 0 && at == log->n)
				continue;
			candidate[n_candidates++] = (struct candidate){ { kind, at, rng_next(rng) }, rank, order >> 2 };
		}
	}
	/* One mirror of everything since the flush before: where the next flush was about to begin. */
	for (size_t at = 0; at < log->n; at++) {
		if (at + 1 == log->n || log->write[at].epoch != log->write[at + 1].epoch)
			candidate[n_candidates++] = (struct candidate){ { CUT_MIRRORS, at, rng_next(rng) }, n >= 3 * places ? 2 : 1, rng_next(rng) >> 2 };
	}
	qsort(candidate, n_candidates, sizeof(*candidate), compare);
	for (size_t i = 0; i < n; i++)
		cuts[i] = i < n_candidates ? candidate[i].cut : cut_any(log, rng);
	free(candidate);
	return cuts;
}

struct cut cut_any(const struct disk_log *log, struct rng *rng)
{
	struct cut cut = { .kind = (enum cut_kind)rng_below(rng, CUT_KINDS) };

	cut.at = rng_below(rng, log->n + (cut.kind == CUT_PREFIX));
	/* Half of them at the next superblock or record, which are few among all writes. */
	for (bool turn = rng_below(rng, 2); turn && cut.at + 1 < log->n && !is_special(log, cut.at);)
		cut.at++;
	cut.seed = rng_next(rng);
	return cut;
}

void cut_text(const struct cut *cut, char text[CUT_TEXT_SIZE])
{
	static const char *const names[CUT_KINDS] = { "prefix", "torn", "subset", "one mirror" };

	snprintf(text, CUT_TEXT_SIZE, "%s at write %zu (%#" PRIx64 ")", names[cut->kind], cut->at, cut->seed);
}
