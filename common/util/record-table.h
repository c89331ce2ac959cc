/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing array of records, each found by the 64-bit number at its beginning. For millions of addresses, with about 8 bytes each in
 * addition to the records.
 */
#ifndef COMMON_UTIL_RECORD_TABLE_H
#define COMMON_UTIL_RECORD_TABLE_H

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
	uint64_t seed;		/* so that nobody can choose colliding numbers */
};

/* The record with this number, valid until the next add. NULL: there is none. */
void *record_table_find(const struct record_table *table, uint64_t number);

/* Appends a record, zeroed except for its number, which must be new. */
bool record_table_add(struct record_table *table, uint64_t number, void **record, struct error *err) must_use;

/* Hands over the records (free() them), sorted by their numbers. The table is then empty. */
void *record_table_take_sorted(struct record_table *table);

void record_table_free(struct record_table *table);

#endif /* COMMON_UTIL_RECORD_TABLE_H */
