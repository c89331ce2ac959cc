/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps the entries of one directory, and sorts them. */
#include "cmd/ls-sort.h"

#include <stdlib.h>
#include <string.h>

#include "common/util/array.h"

bool ls_order_choose(const char *sort, bool reverse, enum ls_order *order, struct error *err)
{
	static const char *const names[] = { [LS_UNSORTED] = "none", [LS_BY_NAME] = "name", [LS_BY_SIZE] = "size", [LS_BY_TIME] = "time" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!sort || strcmp(sort, names[i]) == 0) {
			*order = (enum ls_order)i;
			return !reverse || i != LS_UNSORTED || error_set(err, ERROR_USAGE, "--reverse is for --sort=name, size or time, -S and -t");
		}
	}
	return error_set(err, ERROR_USAGE, "--sort takes none, name, size or time");
}

bool ls_entries_add(struct ls_entries *entries, const struct ls_entry *entry, struct error *err)
{
	struct ls_entry *added;

	entries->bytes += sizeof(*entry) * 2 + entry->name_len + 32;	/* 32: of the allocator; twice: while the list grows */
	if (entries->bytes > LS_SORT_MAX) {
		error_set(err, ERROR_REFUSED, "the directory has more entries than can be sorted in %u MiB", LS_SORT_MAX >> 20);
		return error_hint(err, "--sort=none lists it in the order of its index");
	}
	if (!ARRAY_ROOM(entries->at, entries->n, entries->n_room, err))
		return false;
	added = &entries->at[entries->n];
	*added = *entry;
	added->name = malloc(entry->name_len + 1);
	if (!added->name)
		return error_memory(err);
	memcpy(added->name, entry->name, entry->name_len);
	entries->n++;
	return true;
}

static int by_name(const void *a, const void *b)
{
	const struct ls_entry *x = a, *y = b;
	const int order = memcmp(x->name, y->name, x->name_len < y->name_len ? x->name_len : y->name_len);

	return order ? order : x->name_len < y->name_len ? -1 : x->name_len > y->name_len;
}

static int by_size(const void *a, const void *b)
{
	const struct ls_entry *x = a, *y = b;

	return x->size != y->size ? (x->size > y->size ? -1 : 1) : by_name(a, b);
}

static int by_time(const void *a, const void *b)
{
	const struct ls_entry *x = a, *y = b;

	if (x->mtime.sec != y->mtime.sec)
		return x->mtime.sec > y->mtime.sec ? -1 : 1;
	return x->mtime.nsec != y->mtime.nsec ? (x->mtime.nsec > y->mtime.nsec ? -1 : 1) : by_name(a, b);
}

void ls_entries_sort(struct ls_entries *entries, enum ls_order order, bool reverse)
{
	struct ls_entry *at = entries->at;

	if (order != LS_UNSORTED && entries->n > 1)
		qsort(at, entries->n, sizeof(*at), order == LS_BY_SIZE ? by_size : order == LS_BY_TIME ? by_time : by_name);
	for (size_t i = 0, j = entries->n; reverse && i + 1 < j; i++) {
		const struct ls_entry other = at[--j];

		at[j] = at[i];
		at[i] = other;
	}
}

void ls_entries_free(struct ls_entries *entries)
{
	for (size_t i = 0; i < entries->n; i++)
		free(entries->at[i].name);
	free(entries->at);
	*entries = (struct ls_entries){ 0 };
}
