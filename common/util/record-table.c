/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing array of records with an index of positions: open addressing, at most four fifths full. */
#include "common/util/record-table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/util/array.h"
#include "common/util/mix64.h"

#define FIRST_SLOTS 64

static uint8_t *record_at(const struct record_table *table, size_t i)
{
	return (uint8_t *)table->record + i * table->record_size;
}

static uint64_t number_at(const struct record_table *table, size_t i)
{
	uint64_t number;

	memcpy(&number, record_at(table, i), sizeof(number));
	return number;
}

/* Returns the slot where a number belongs. n_slots need not be a power of two, so the index can grow by only half. */
static size_t first_slot(const struct record_table *table, uint64_t number)
{
	return (size_t)(((unsigned __int128)mix64(number ^ table->seed) * table->n_slots) >> 64);
}

static size_t find_slot(const struct record_table *table, uint64_t number)
{
	size_t i = first_slot(table, number);

	while (table->slot[i] != 0 && number_at(table, table->slot[i] - 1) != number)
		i = i + 1 < table->n_slots ? i + 1 : 0;
	return i;
}

void *record_table_find(const struct record_table *table, uint64_t number)
{
	if (table->n_slots == 0)
		return NULL;

	const uint32_t position = table->slot[find_slot(table, number)];

	return position ? record_at(table, position - 1) : NULL;
}

/* The records hold everything, so the old index is freed before the new one is made. There are never two. */
static bool grow_index(struct record_table *table, struct error *err)
{
	const size_t n_slots = table->n_slots ? table->n_slots + table->n_slots / 2 : FIRST_SLOTS;

	/* A seed of zeros would still be correct, only slower with numbers chosen to collide. */
	if (table->n_slots == 0 && getrandom(&table->seed, sizeof(table->seed), GRND_NONBLOCK) != sizeof(table->seed))
		table->seed = 0;
	free(table->slot);
	table->n_slots = 0;
	table->slot = calloc(n_slots, sizeof(*table->slot));
	if (!table->slot)
		return error_memory(err);
	table->n_slots = n_slots;
	for (size_t i = 0; i < table->n; i++)
		table->slot[find_slot(table, number_at(table, i))] = (uint32_t)(i + 1);
	return true;
}

static bool grow_records(struct record_table *table, struct error *err)
{
	void *record = array_grown(table->record, &table->capacity, table->record_size, err);

	table->record = record ? record : table->record;
	return record;
}

bool record_table_add(struct record_table *table, uint64_t number, void **record, struct error *err)
{
	if (table->n >= UINT32_MAX - 1)
		return error_set(err, ERROR_MEMORY, "more than %u records", UINT32_MAX - 1);
	if (5 * (table->n + 1) > 4 * table->n_slots && !grow_index(table, err))
		return false;
	if (table->n == table->capacity && !grow_records(table, err))
		return false;

	uint8_t *const new_record = record_at(table, table->n);
	const size_t slot = find_slot(table, number);

	memset(new_record, 0, table->record_size);
	memcpy(new_record, &number, sizeof(number));
	table->slot[slot] = (uint32_t)++table->n;
	*record = new_record;
	return true;
}

static void swap(const struct record_table *table, size_t a, size_t b)
{
	uint8_t *const x = record_at(table, a), *const y = record_at(table, b);

	for (size_t i = 0; i < table->record_size; i++) {
		const uint8_t byte = x[i];

		x[i] = y[i];
		y[i] = byte;
	}
}

/* Sinks record `root` in the heap of the first n records to where both records below it are smaller. */
static void sink(const struct record_table *table, size_t root, size_t n)
{
	for (size_t child = 2 * root + 1; child < n; child = 2 * root + 1) {
		if (child + 1 < n && number_at(table, child) < number_at(table, child + 1))
			child++;
		if (number_at(table, root) >= number_at(table, child))
			return;
		swap(table, root, child);
		root = child;
	}
}

/* Uses a heap sort, because qsort() takes half as much memory again. */
void *record_table_take_sorted(struct record_table *table)
{
	void *record;

	free(table->slot);
	table->slot = NULL;
	table->n_slots = 0;
	for (size_t i = table->n / 2; i > 0; i--)
		sink(table, i - 1, table->n);
	for (size_t n = table->n; n > 1; n--) {
		swap(table, 0, n - 1);
		sink(table, 0, n - 1);
	}
	/* Give back unused room. If that fails, keep it. */
	record = table->n ? reallocarray(table->record, table->n, table->record_size) : NULL;
	if (!record)
		record = table->record;
	*table = (struct record_table){ .record_size = table->record_size };
	return record;
}

void record_table_free(struct record_table *table)
{
	free(table->record);
	free(table->slot);
	*table = (struct record_table){ .record_size = table->record_size };
}
