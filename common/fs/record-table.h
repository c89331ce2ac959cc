/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing array of records, each found by the 64-bit number it begins with: millions of addresses at
 * about 8 bytes each beside the records themselves.
 */
#ifndef COMMON_FS_RECORD_TABLE_H
#define COMMON_FS_RECORD_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "format/error.h"

/* Initialise with { .record_size = sizeof(struct ...) }; the first member of a record is its uint64_t. */
struct record_table {
	size_t record_size;
	void *record;		/* n records, in order of arrival */
	size_t n, capacity;
	uint32_t *slot;		/* position + 1 of a record; 0: empty */
	size_t n_slots;
	uint64_t seed;		/* so that nobody can choose numbers that collide */
};

/* The record of a number, valid until the next add; NULL where there is none. */
void *record_table_find(const struct record_table *table, uint64_t number);

/* Appends a record, zeroed but for its number, which must not be there yet. */
bool record_table_add(struct record_table *table, uint64_t number, void **record, struct error *err) must_use;

/* Hands the records over (free() them), sorted by their numbers; the table is empty afterwards. */
void *record_table_take_sorted(struct record_table *table);

void record_table_free(struct record_table *table);
#define cleanup_record_table __attribute__((cleanup(record_table_free)))

#endif /* COMMON_FS_RECORD_TABLE_H */
