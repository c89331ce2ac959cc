/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Searches a whole image, holes skipped, for known plain text: tags of a run (see tag.h) and, where the image before sealing and ranges
 * of it are given, any 16 aligned bytes of those ranges.  Exit 0: found nothing, 1: found, 2: could not search.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/image/tag.h"

enum { MAX_SHOWN = 20, MAX_SEEDS = 8, FILTER_BITS = 23 };

struct map {
	const uint8_t *bytes;
	uint64_t size;
	int fd;
};

static struct map map_open(const char *path)
{
	struct map map = { .fd = open(path, O_RDONLY | O_CLOEXEC) };
	const off_t size = map.fd < 0 ? -1 : lseek(map.fd, 0, SEEK_END);

	if (size > 0)
		map.bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, map.fd, 0);
	if (size <= 0 || map.bytes == MAP_FAILED) {
		fprintf(stderr, "find-plain: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	map.size = size;
	return map;
}

static struct tag_key seeds[MAX_SEEDS];
static unsigned n_seeds;

/* --- what is searched for besides tags: groups of the plain image, by their number in it ---------------------- */

static struct {
	struct map plain;
	uint32_t *slot;		/* group number + 1, 0: free */
	uint8_t *filter;	/* a bit for each short hash of a group: it fits a cache, and few others pass */
	uint64_t n_slots, n_groups;
} known;

static uint64_t group_hash(const uint8_t *group)
{
	uint64_t half[2];

	memcpy(half, group, TAG_BYTES);
	return tag_mix(half[0] ^ tag_mix(half[1] + 0x9e3779b97f4a7c15));
}

static uint32_t short_hash(const uint8_t *group)
{
	uint64_t half[2];

	memcpy(half, group, TAG_BYTES);
	return (half[0] ^ half[1] << 7) * 0x9e3779b97f4a7c15 >> (64 - FILTER_BITS);
}

/* Tags are found without this, and groups that any file may hold (fewer than five different bytes) say nothing. */
static bool group_is_telling(const uint8_t *group)
{
	uint64_t seen[4] = { 0 };	/* a bit per value of a byte */
	static const uint8_t zeros[TAG_BYTES];
	uint32_t file, number;
	unsigned n = 0;

	if (memcmp(group, zeros, TAG_BYTES) == 0)
		return false;
	for (unsigned i = 0; i < TAG_BYTES; i++)
		seen[group[i] / 64] |= 1ull << group[i] % 64;
	for (unsigned i = 0; i < 4; i++)
		n += (unsigned)__builtin_popcountll(seen[i]);
	if (n < 5)
		return false;
	for (unsigned s = 0; s < n_seeds; s++)
		if (memcmp(group, &seeds[s].magic, sizeof(seeds[s].magic)) == 0 || tag_read_scrambled(&seeds[s], group, &file, &number))
			return false;
	return true;
}

static const uint8_t *known_group(uint32_t number)
{
	return known.plain.bytes + (uint64_t)number * TAG_BYTES;
}

static uint64_t known_slot(const uint8_t *group)
{
	uint64_t i = group_hash(group) & (known.n_slots - 1);

	while (known.slot[i] && memcmp(known_group(known.slot[i] - 1), group, TAG_BYTES) != 0)
		i = (i + 1) & (known.n_slots - 1);
	return i;
}

static void known_read(const char *plain, const char *ranges)
{
	FILE *file = fopen(ranges, "re");
	uint64_t at, length, total = 0;

	known.plain = map_open(plain);
	if (!file) {
		fprintf(stderr, "find-plain: %s: %s\n", ranges, strerror(errno));
		exit(2);
	}
	while (fscanf(file, "%" SCNu64 " %" SCNu64, &at, &length) == 2)
		total += length / TAG_BYTES;
	for (known.n_slots = 1024; known.n_slots < total * 2; known.n_slots *= 2)
		;
	known.slot = calloc(known.n_slots, sizeof(*known.slot));
	known.filter = calloc((1u << FILTER_BITS) / 8, 1);
	if (!known.slot || !known.filter || known.plain.size / TAG_BYTES >= UINT32_MAX) {
		fprintf(stderr, "find-plain: %s: too large\n", plain);
		exit(2);
	}
	rewind(file);
	while (fscanf(file, "%" SCNu64 " %" SCNu64, &at, &length) == 2)
		for (uint64_t end = at + length; at < end && at + TAG_BYTES <= known.plain.size; at += TAG_BYTES)
			if (group_is_telling(known.plain.bytes + at)) {
				const uint64_t i = known_slot(known.plain.bytes + at);

				known.n_groups += !known.slot[i];
				known.slot[i] = at / TAG_BYTES + 1;
				known.filter[short_hash(known.plain.bytes + at) / 8] |= 1u << short_hash(known.plain.bytes + at) % 8;
			}
	fclose(file);
}

/* --- the search ---------------------------------------------------------------------------------------------- */

static uint64_t n_found;

static void found(uint64_t at, const uint8_t *bytes, const char *what, uint64_t a, uint64_t b)
{
	if (n_found++ >= MAX_SHOWN)
		return;
	printf("%#" PRIx64 ": %s %" PRIu64 " %#" PRIx64 ":", at, what, a, b);
	for (unsigned i = 0; i < 8; i++)
		printf(" %02x", bytes[i]);
	printf("\n");
}

static void search_readable(const struct tag_key *key, const uint8_t *bytes, uint64_t length, uint64_t at)
{
	const uint8_t *hit = bytes, *end = bytes + length;

	while ((hit = memmem(hit, end - hit, &key->magic, sizeof(key->magic)))) {
		uint32_t place[2] = { 0, 0 };	/* group, file */

		if (end - hit >= TAG_BYTES)
			memcpy(place, hit + 8, 8);
		found(at + (hit - bytes), hit, "readable tag, file and byte", place[1], (uint64_t)place[0] * TAG_BYTES);
		hit += sizeof(key->magic);
	}
}

static void search_aligned(const uint8_t *bytes, uint64_t length, uint64_t at)
{
	for (uint64_t i = 0; i + TAG_BYTES <= length; i += TAG_BYTES) {
		uint32_t file, group;

		for (unsigned s = 0; s < n_seeds; s++)
			if (tag_read_scrambled(&seeds[s], bytes + i, &file, &group))
				found(at + i, bytes + i, "scrambled tag, file and byte", file, (uint64_t)group * TAG_BYTES);
		if (known.n_groups && known.filter[short_hash(bytes + i) / 8] & 1u << short_hash(bytes + i) % 8) {
			const uint32_t number = known.slot[known_slot(bytes + i)];

			if (number)
				found(at + i, bytes + i, "bytes of the plain image, group and byte", number - 1,
				      (uint64_t)(number - 1) * TAG_BYTES);
		}
	}
}

static void search(const struct map *image)
{
	uint64_t end = 0, searched = 0;

	while (end < image->size) {
		off_t data = lseek(image->fd, end, SEEK_DATA);
		uint64_t start;

		if (data < 0 && errno == ENXIO)
			break;
		start = data < 0 ? end : (uint64_t)data;	/* no SEEK_DATA here: all of it */
		data = lseek(image->fd, start, SEEK_HOLE);
		end = data < 0 ? image->size : (uint64_t)data;
		for (unsigned s = 0; s < n_seeds; s++)
			search_readable(&seeds[s], image->bytes + start, end - start, start);
		search_aligned(image->bytes + start, end - start, start);
		searched += end - start;
	}
	printf("searched %" PRIu64 " KiB for %u seeds and %" PRIu64 " groups: found %" PRIu64 "\n", searched / 1024, n_seeds,
	       known.n_groups, n_found);
}

int main(int argc, char **argv)
{
	const char *plain = NULL, *ranges = NULL;
	int c;

	while ((c = getopt(argc, argv, "s:p:r:")) != -1) {
		if (c == 's' && n_seeds < MAX_SEEDS)
			seeds[n_seeds++] = tag_key_of(strtoull(optarg, NULL, 0));
		else if (c == 'p')
			plain = optarg;
		else if (c == 'r')
			ranges = optarg;
		else
			return 2;
	}
	if (argc - optind != 1 || !plain != !ranges || (!plain && n_seeds == 0)) {
		fprintf(stderr, "usage: find-plain [-s SEED]... [-p PLAIN-IMAGE -r RANGES] IMAGE\n");
		return 2;
	}
	if (plain)
		known_read(plain, ranges);
	const struct map image = map_open(argv[optind]);

	search(&image);
	return n_found > 0;
}
