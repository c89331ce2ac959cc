/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fingerprint FILE: one hash of what a sparse file reads as.  Holes cost nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define BLOCK 4096

static int fail(const char *name)
{
	perror(name);
	return 1;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

/* Zeros count as holes: whether reserved space shows as one depends on what the page cache has of it. */
static int hash_piece(int file, off_t at, off_t end, XXH3_state_t *state)
{
	static uint8_t buffer[1 << 20];

	while (at < end) {
		const size_t want = end - at < (off_t)sizeof(buffer) ? (size_t)(end - at) : sizeof(buffer);
		const ssize_t n = pread(file, buffer, want, at);

		if (n <= 0)
			return -1;
		for (ssize_t k = 0; k < n; k += BLOCK) {
			const size_t len = n - k < BLOCK ? (size_t)(n - k) : BLOCK;
			const uint64_t place = (uint64_t)(at + k);

			if (is_zero(buffer + k, len))
				continue;
			XXH3_128bits_update(state, &place, sizeof(place));
			XXH3_128bits_update(state, buffer + k, len);
		}
		at += n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 1;

	const int file = open(argv[1], O_RDONLY);
	XXH3_state_t *state = XXH3_createState();
	struct stat st;
	off_t at = 0;

	if (file < 0 || !state || fstat(file, &st) != 0)
		return fail(argv[1]);
	XXH3_128bits_reset(state);
	XXH3_128bits_update(state, &st.st_size, sizeof(st.st_size));
	while (at < st.st_size && (at = lseek(file, at, SEEK_DATA)) >= 0) {
		const off_t end = lseek(file, at, SEEK_HOLE);

		if (end < 0 || hash_piece(file, at, end, state) != 0)
			return fail(argv[1]);
		at = end;
	}
	if (at < 0 && errno != ENXIO)	/* ENXIO: no data behind */
		return fail(argv[1]);

	const XXH128_hash_t hash = XXH3_128bits_digest(state);

	printf("%016llx%016llx\n", (unsigned long long)hash.high64, (unsigned long long)hash.low64);
	XXH3_freeState(state);
	return 0;
}
