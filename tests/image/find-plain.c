/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Searches a whole image, holes skipped, for known plain text: tags of a run (see tag.h) and, where the image before sealing and ranges
 * of it are given, any 16 aligned bytes of those ranges that its other ranges do not hold as well (two streams compressed from alike
 * data share bytes).  Exit 0: found nothing, 1: found, 2: could not search.
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

enum { MAX_SHOWN = 20, MAX_SEEDS = 8 };
static const uint32_t COMMON = 1u << 31;

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

/* --- what is searched for besides tags: groups of the plain image, by their number in it ---------------------- */

static struct {
	struct map plain;
	uint32_t *slot;		/* group number + 1, 0: free; COMMON set: is elsewhere too */
	uint64_t n_slots, n_groups;
} known;

static uint64_t group_hash(const uint8_t *group)
{
	uint64_t half[2];

	memcpy(half, group, TAG_BYTES);
	return tag_mix(half[0] ^ tag_mix(half[1] + 0x9e3779b97f4a7c15));
}

/* Groups that any file may hold say nothing: fewer than five different bytes. */
static bool group_is_telling(const uint8_t *group)
{
	uint8_t seen[TAG_BYTES];
	unsigned n = 0;

	for (unsigned i = 0; i < TAG_BYTES && n < 5; i++)
		if (!memchr(seen, group[i], n))
			seen[n++] = group[i];
	return n == 5;
}

static const uint8_t *known_group(uint32_t number)
{
	return known.plain.bytes + (uint64_t)number * TAG_BYTES;
}

static uint64_t known_slot(const uint8_t *group)
{
	uint64_t i = group_hash(group) & (known.n_slots - 1);

	while (known.slot[i] && memcmp(known_group((known.slot[i] & ~COMMON) - 1), group, TAG_BYTES) != 0)
		i = (i + 1) & (known.n_slots - 1);
	return i;
}

static void known_add(const uint8_t *group, uint64_t at)
{
	const uint64_t i = known_slot(group);

	if (!group_is_telling(group) || known.slot[i])
		return;
	known.slot[i] = at / TAG_BYTES + 1;
	known.n_groups++;
}

static void known_remove(const uint8_t *group, uint64_t at)
{
	const uint64_t i = known_slot(group);

	(void)at;
	if (!known.slot[i] || known.slot[i] & COMMON)
		return;
	known.slot[i] |= COMMON;
	known.n_groups--;
}

/* Calls visit for each group of the ranges in a file ("offset length" lines); returns how many there are. */
static uint64_t each_group(const char *ranges, void (*visit)(const uint8_t *group, uint64_t at))
{
	FILE *file = fopen(ranges, "re");
	uint64_t at, length, n = 0;

	if (!file) {
		fprintf(stderr, "find-plain: %s: %s\n", ranges, strerror(errno));
		exit(2);
	}
	while (fscanf(file, "%" SCNu64 " %" SCNu64, &at, &length) == 2)
		for (uint64_t end = at + length; at < end && at + TAG_BYTES <= known.plain.size; at += TAG_BYTES, n++)
			if (visit)
				visit(known.plain.bytes + at, at);
	fclose(file);
	return n;
}

static void known_read(const char *plain, const char *ranges, const char *others)
{
	known.plain = map_open(plain);

	const uint64_t total = each_group(ranges, NULL);

	for (known.n_slots = 1024; known.n_slots < total * 2; known.n_slots *= 2)
		;
	known.slot = calloc(known.n_slots, sizeof(*known.slot));
	if (!known.slot || known.plain.size / TAG_BYTES >= COMMON) {
		fprintf(stderr, "find-plain: %s: too large\n", plain);
		exit(2);
	}
	each_group(ranges, known_add);
	if (others)
		each_group(others, known_remove);
}

/* --- the search ---------------------------------------------------------------------------------------------- */

static struct tag_key seeds[MAX_SEEDS];
static unsigned n_seeds;
static uint64_t n_found;

static void found(uint64_t at, const char *what, uint64_t a, uint64_t b)
{
	if (n_found++ < MAX_SHOWN)
		printf("%#" PRIx64 ": %s %" PRIu64 " %#" PRIx64 "\n", at, what, a, b);
}

static void search_readable(const struct tag_key *key, const uint8_t *bytes, uint64_t length, uint64_t at)
{
	const uint8_t *hit = bytes, *end = bytes + length;

	while ((hit = memmem(hit, end - hit, &key->magic, sizeof(key->magic)))) {
		uint32_t place[2] = { 0, 0 };	/* group, file */

		if (end - hit >= TAG_BYTES)
			memcpy(place, hit + 8, 8);
		found(at + (hit - bytes), "readable tag, file and byte", place[1], (uint64_t)place[0] * TAG_BYTES);
		hit += sizeof(key->magic);
	}
}

static void search_aligned(const uint8_t *bytes, uint64_t length, uint64_t at)
{
	for (uint64_t i = 0; i + TAG_BYTES <= length; i += TAG_BYTES) {
		uint32_t file, group;

		for (unsigned s = 0; s < n_seeds; s++)
			if (tag_read_scrambled(&seeds[s], bytes + i, &file, &group))
				found(at + i, "scrambled tag, file and byte", file, (uint64_t)group * TAG_BYTES);
		if (known.n_groups) {
			const uint32_t number = known.slot[known_slot(bytes + i)];

			if (number && !(number & COMMON))
				found(at + i, "bytes of the plain image, group and byte", number - 1,
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
	const char *plain = NULL, *ranges = NULL, *others = NULL;
	int c;

	while ((c = getopt(argc, argv, "s:p:r:x:")) != -1) {
		if (c == 's' && n_seeds < MAX_SEEDS)
			seeds[n_seeds++] = tag_key_of(strtoull(optarg, NULL, 0));
		else if (c == 'p')
			plain = optarg;
		else if (c == 'r')
			ranges = optarg;
		else if (c == 'x')
			others = optarg;
		else
			return 2;
	}
	if (argc - optind != 1 || !plain != !ranges || (!plain && n_seeds == 0)) {
		fprintf(stderr, "usage: find-plain [-s SEED]... [-p PLAIN-IMAGE -r RANGES [-x OTHER-RANGES]] IMAGE\n");
		return 2;
	}
	if (plain)
		known_read(plain, ranges, others);
	const struct map image = map_open(argv[optind]);

	search(&image);
	return n_found > 0;
}
