/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data are remembered as aligned groups of 16 bytes, inline payloads by their first 16 bytes at any place. */
#include "tests/crash/leak.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/sealed/payloads.h"
#include "common/tree/allocator.h"
#include "common/volume/mirror.h"

enum { GROUP = 16, TELLING = 5 };
/* Bits of the filter of groups: it fits a cache, which their hashes do not, and lets a few in a hundred pass that are none. */
enum { FILTER_BITS = 22 };
/* Of so many pages it is remembered that they are clean: the disks after two power cuts have most pages in common. */
enum { CLEAN_BITS = 17 };

/* Where plain text may be. */
enum page_kind {
	SEARCHED = 0,
	OF_OTHERS,	/* data of subvolumes outside the set */
	IF_CHANGED,	/* free data space, which sealing leaves as it found it */
};

struct leaks {
	const struct disk *plain;
	uint8_t *kind;		/* of each page */
	uint64_t *group;	/* hashes of data groups; 0: free */
	size_t n_slots, n_groups;
	uint8_t *group_filter;	/* of the first 8 bytes of groups */
	uint8_t *filter;	/* of the first 8 bytes of needles: one bit each of 65536 */
	uint8_t (*needle)[GROUP];
	size_t n_needles, room;
	uint64_t *clean;	/* hashes of pages, each at the place that the hash says; 0: none */
};

/* Anything might hold what has fewer different bytes. */
static bool is_telling(const uint8_t *group)
{
	unsigned n = 0;

	for (unsigned i = 0; i < GROUP && n < TELLING; i++)
		n += memchr(group, group[i], i) == NULL;
	return n == TELLING;
}

static uint64_t *slot_of(const struct leaks *leaks, const uint8_t *group)
{
	const uint64_t hash = XXH64(group, GROUP, 0) | 1;
	size_t i = hash >> 1 & (leaks->n_slots - 1);

	while (leaks->group[i] != 0 && leaks->group[i] != hash)
		i = (i + 1) & (leaks->n_slots - 1);
	return &leaks->group[i];
}

/* Of the first 8 bytes */
static uint32_t short_hash(const uint8_t *bytes, unsigned bits)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return (uint32_t)(word * 0x9e3779b97f4a7c15 >> (64 - bits));
}

static bool passes(const uint8_t *filter, uint32_t hash)
{
	return filter[hash / 8] & 1u << hash % 8;
}

static void let_pass(uint8_t *filter, uint32_t hash)
{
	filter[hash / 8] |= (uint8_t)(1u << hash % 8);
}

/* --- learning --------------------------------------------------------------------------------------- */

static void set_kind(struct leaks *leaks, const struct chunk *chunk, uint64_t logical, uint64_t len, enum page_kind kind)
{
	for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk); mirror++)
		memset(leaks->kind + chunk_physical(chunk, logical, mirror) / DISK_PAGE, (int)kind, len / DISK_PAGE);
}

static bool learn_groups(struct leaks *leaks, struct volume *volume, struct error *err)
{
	struct allocator *allocator;

	if (!allocator_open(volume, &allocator, err))
		return false;
	for (size_t i = 0; i < allocator_n_groups(allocator); i++) {
		const struct group *group = allocator_group(allocator, i);
		const struct chunk *chunk;

		if (!volume_chunk(volume, group->logical, &chunk, err)) {
			allocator_close(allocator);
			return false;
		}
		if (!(group->flags & GROUP_METADATA) && group->flags & GROUP_DATA)
			set_kind(leaks, chunk, group->logical, group->length, IF_CHANGED);
	}
	allocator_close(allocator);
	return true;
}

/* Room that was preallocated over old tree blocks: what such a block says, others say rightly. */
static bool is_old_tree_block(const struct volume *volume, const uint8_t *page)
{
	return memcmp(page + offsetof(struct disk_header, fsid), volume->super.metadata_fsid, FSID_SIZE) == 0;
}

static bool learn_extent(struct leaks *leaks, struct volume *volume, const struct scan_extent *extent, bool of_set, struct error *err)
{
	const struct chunk *chunk;
	uint8_t *bytes = malloc(extent->length);
	bool ok = bytes && volume_chunk(volume, extent->logical, &chunk, err) &&
		  volume_read(volume, extent->logical, bytes, extent->length, 0, err);

	if (ok)
		set_kind(leaks, chunk, extent->logical, extent->length, of_set ? SEARCHED : OF_OTHERS);
	for (size_t at = 0; ok && of_set && at < extent->length; at += GROUP) {
		if (!is_telling(bytes + at) || is_old_tree_block(volume, bytes + at / DISK_PAGE * DISK_PAGE))
			continue;
		if (2 * ++leaks->n_groups > leaks->n_slots)
			harness_fail("more data than the search for plain text has room for");
		*slot_of(leaks, bytes + at) = XXH64(bytes + at, GROUP, 0) | 1;
		let_pass(leaks->group_filter, short_hash(bytes + at, FILTER_BITS));
	}
	free(bytes);
	return ok;
}

static bool learn_payload(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err)
{
	struct leaks *leaks = context;

	(void)leaf;
	if (payload->bytes.left < GROUP || !is_telling(payload->bytes.at))
		return true;
	if (leaks->n_needles == leaks->room) {
		leaks->room = leaks->room ? leaks->room * 2 : 256;
		leaks->needle = reallocarray(leaks->needle, leaks->room, sizeof(*leaks->needle));
		if (!leaks->needle)
			return error_memory(err);
	}
	let_pass(leaks->filter, short_hash(payload->bytes.at, 16));
	memcpy(leaks->needle[leaks->n_needles++], payload->bytes.at, GROUP);
	return true;
}

static bool learn(struct leaks *leaks, struct disk *plain, const struct members *members, struct error *err)
{
	cleanup_volume struct volume *volume = NULL;
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_scan struct scan *all = NULL, *set = NULL;
	uint64_t ids[64];

	if (!disk_open(plain, false, NULL, &volume, err) || !subvolume_list_read(volume, &list, err) ||
	    !learn_groups(leaks, volume, err))
		return false;
	if (list.n > sizeof(ids) / sizeof(ids[0]))
		harness_fail("too many subvolumes");
	for (size_t i = 0; i < list.n; i++)
		ids[i] = list.at[i].id;
	if (!scan_run(volume, ids, list.n, &all, err) || !scan_run(volume, members->id, members->n, &set, err))
		return false;
	for (size_t i = 0; i < all->n_extents; i++) {
		if (!learn_extent(leaks, volume, &all->extent[i], scan_extent_at(set, all->extent[i].logical) != NULL, err))
			return false;
	}
	return payloads_visit(set, learn_payload, leaks, err);
}

static int compare_needles(const void *a, const void *b)
{
	return memcmp(a, b, GROUP);
}

struct leaks *leaks_learn(struct disk *plain, const struct members *members)
{
	struct leaks *leaks = calloc(1, sizeof(*leaks));
	struct error err = { 0 };

	if (!leaks)
		harness_fail("out of memory");
	*leaks = (struct leaks){ .plain = plain, .n_slots = 2 << 20 };
	leaks->kind = calloc(plain->n_pages, 1);
	leaks->group = calloc(leaks->n_slots, sizeof(*leaks->group));
	leaks->filter = calloc(65536 / 8, 1);
	leaks->group_filter = calloc((1u << FILTER_BITS) / 8, 1);
	leaks->clean = calloc(1u << CLEAN_BITS, sizeof(*leaks->clean));
	if (!leaks->kind || !leaks->group || !leaks->filter || !leaks->group_filter || !leaks->clean)
		harness_fail("out of memory");
	if (!learn(leaks, plain, members, &err))
		harness_fail("learning the plain text: %s", err.text);
	if (leaks->n_groups < 1000 || leaks->n_needles < 10)
		harness_fail("the image has too little plain text to search for");
	qsort(leaks->needle, leaks->n_needles, GROUP, compare_needles);
	return leaks;
}

void leaks_free(struct leaks *leaks)
{
	free(leaks->kind);
	free(leaks->group);
	free(leaks->filter);
	free(leaks->group_filter);
	free(leaks->needle);
	free(leaks->clean);
	free(leaks);
}

/* --- searching -------------------------------------------------------------------------------------- */

/* The page, and as much of the next one as a needle that begins in it may need. */
static bool page_is_clean(const struct leaks *leaks, const uint8_t *page, const uint8_t *next, unsigned *at)
{
	uint8_t bytes[DISK_PAGE + GROUP] = { 0 };

	memcpy(bytes, page, DISK_PAGE);
	if (next)
		memcpy(bytes + DISK_PAGE, next, GROUP);

	const uint64_t hash = XXH3_64bits(bytes, sizeof(bytes)) | 1;
	uint64_t *clean = &leaks->clean[hash >> (64 - CLEAN_BITS)];

	if (*clean == hash)
		return true;
	for (*at = 0; *at < DISK_PAGE; *at += GROUP) {
		if (passes(leaks->group_filter, short_hash(bytes + *at, FILTER_BITS)) && *slot_of(leaks, bytes + *at) != 0 && is_telling(bytes + *at))
			return false;
	}
	for (*at = 0; *at < DISK_PAGE; ++*at) {
		if (passes(leaks->filter, short_hash(bytes + *at, 16)) &&
		    bsearch(bytes + *at, leaks->needle, leaks->n_needles, GROUP, compare_needles))
			return false;
	}
	*clean = hash;
	return true;
}

bool leaks_none(const struct leaks *leaks, const struct disk *disk, uint64_t *at)
{
	for (size_t i = 0; i < disk->n_pages; i++) {
		unsigned in_page;

		if (disk_page_is_lost(disk, i))
			continue;
		if (disk_page_is_zero(disk, i) || leaks->kind[i] == OF_OTHERS)
			continue;
		if (leaks->kind[i] == IF_CHANGED && memcmp(disk->page[i], leaks->plain->page[i], DISK_PAGE) == 0)
			continue;
		if (!page_is_clean(leaks, disk->page[i], i + 1 < disk->n_pages ? disk->page[i + 1] : NULL, &in_page)) {
			*at = (uint64_t)i * DISK_PAGE + in_page;
			return false;
		}
	}
	return true;
}
