/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tree blocks and journal records held is in no memory any more after they were given back. */
#include "common/tree/journal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/sealed.h"

#define NEEDLE_LEN 64
#define PIECE (1u << 20)

static uint8_t piece[PIECE + NEEDLE_LEN];

/* Never in memory as a whole but where a test puts it. */
static uint8_t needle_byte(size_t i)
{
	return (uint8_t)(0x91 + 37 * i);
}

static unsigned count_in(const uint8_t *bytes, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i + NEEDLE_LEN <= len; i++) {
		size_t same = 0;

		while (same < NEEDLE_LEN && bytes[i + same] == needle_byte(same))
			same++;
		n += same == NEEDLE_LEN;
	}
	return n;
}

/* How often the needle is in the writable memory of this process, freed or not. */
static unsigned count_needles(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	const uint64_t own = (uint64_t)(uintptr_t)piece;
	char line[512];
	unsigned n = 0;

	assert_true(maps && memory >= 0);
	while (fgets(line, sizeof(line), maps)) {
		uint64_t begin, end;
		char access[5];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &begin, &end, access) != 3 || access[0] != 'r' || access[1] != 'w' ||
		    end - begin > (UINT64_C(1) << 30))	/* the shadow of a sanitizer */
			continue;
		for (uint64_t at = begin; at < end; at += PIECE) {
			const size_t wanted = end - at < sizeof(piece) ? end - at : sizeof(piece);
			const ssize_t got = at < own + sizeof(piece) && at + wanted > own ? 0 : pread(memory, piece, wanted, (off_t)at);

			n += got > 0 ? count_in(piece, (size_t)got) : 0;
			explicit_bzero(piece, sizeof(piece));
		}
	}
	fclose(maps);
	close(memory);
	return n;
}

static void insert_needle(void)
{
	uint8_t needle[NEEDLE_LEN];

	for (size_t i = 0; i < sizeof(needle); i++)
		needle[i] = needle_byte(i);
	sealed_insert_at(9, CRYPT_UNITS, 0, needle, sizeof(needle));
	explicit_bzero(needle, sizeof(needle));
}

static void wipes_tree_blocks(void **state)
{
	(void)state;
	sealed_set_up(NULL);
	insert_needle();
	assert_true(count_needles() > 0);
	sealed_tear_down(NULL);
	assert_int_equal(count_needles(), 0);
}

static void wipes_journal_records(void **state)
{
	const struct journal_point point = { .direction = CRYPT_TO_SEALED, .phase = CRYPT_PHASE_DATA };
	const uint8_t op_id[CRYPT_UUID_SIZE] = { 1 };
	struct crypt_range slot[CRYPT_JOURNAL_SLOTS];
	struct free_range range[CRYPT_JOURNAL_SLOTS];
	struct journal journal, reading;
	struct journal_record record[2];
	unsigned n;

	(void)state;
	sealed_set_up(NULL);
	sealed_ok(allocator_find_journals(sealed.allocator, CRYPT_JOURNAL_SLOTS, 1 << 20, 1 << 20, range, err));
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++)
		slot[i] = (struct crypt_range){ range[i].logical, range[i].length };
	insert_needle();
	sealed_ok(journal_open(sealed.volume, slot, op_id, sealed.schedule, &journal, err));
	sealed_ok(journal_commit(&journal, sealed.tx, &point, NULL, err));
	sealed_ok(journal_open(sealed.volume, slot, op_id, sealed.schedule, &reading, err));
	sealed_ok(journal_find(&reading, 0, NULL, record, &n, err));
	assert_int_equal(n, 1);
	assert_true(count_needles() >= 3);	/* block, buffer, record */
	journal_record_free(&record[0]);
	journal_close(&journal);
	journal_close(&reading);
	sealed_ok(transaction_begin(sealed.volume, sealed.allocator, &sealed.tx, err));
	sealed_tear_down(NULL);
	assert_int_equal(count_needles(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wipes_tree_blocks),
		cmocka_unit_test(wipes_journal_records),
	};

	/* Memory that is given back to the kernel could not be looked at. */
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	return cmocka_run_group_tests(tests, sealed_make, sealed_remove);
}
