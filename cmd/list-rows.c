/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters, paths and order of a list of subvolumes. */
#include "cmd/list-rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uuid/uuid.h>

#include "common/util/escape.h"

/* --- filters ----------------------------------------------------------------------------------------------------- */

static bool usage(const char *option, const char *given, const char *what, struct error *err)
{
	char text[128];

	escape_text(given, strlen(given), text, sizeof(text));
	return error_set(err, ERROR_USAGE, "%s: \"%s\" is not %s", option, text, what);
}

/* *fits: does the number satisfy each of the texts? */
static bool fits_all(const char *option, char **texts, uint64_t number, bool *fits, struct error *err)
{
	for (size_t i = 0; texts && texts[i]; i++) {
		const char sign = texts[i][0], *digits = texts[i] + (sign == '+' || sign == '-');
		uint64_t want;
		char *end;

		errno = 0;
		want = strtoull(digits, &end, 10);
		if (digits[0] < '0' || digits[0] > '9' || *end || errno)
			return usage(option, texts[i], "a number, with + or - before it or nothing", err);
		*fits = *fits && (sign == '+' ? number >= want : sign == '-' ? number <= want : number == want);
	}
	return true;
}

static bool is_wanted(const struct subvolume *at, const struct list_choice *choice, bool *wanted, struct error *err)
{
	const bool is_snapshot = at->root_key.offset != 0 || !uuid_is_null(at->root.parent_uuid);

	*wanted = (!choice->snapshots || is_snapshot) && (!choice->readonly || at->root.flags & ROOT_RDONLY) && (!choice->deleted || at->deleted) &&
		  (choice->all || !choice->only_inside || at->parent_id == choice->base);
	return fits_all("--generation", choice->generation, at->root.generation, wanted, err) &&
	       fits_all("--created", choice->created, at->root.otransid, wanted, err);
}

/* --- paths -------------------------------------------------------------------------------------------------------- */

/* The subvolume with this id above at, at any distance. NULL: none. */
static const struct subvolume *above(const struct subvolume_list *list, const struct subvolume *at, uint64_t id)
{
	for (size_t i = 0; at && i <= list->n; i++) {
		at = at->parent_id ? subvolume_by_id(list, at->parent_id) : NULL;
		if (at && at->id == id)
			return at;
	}
	return NULL;
}

static bool shown_path(const struct subvolume_list *list, const struct list_choice *choice, struct list_row *row, struct error *err)
{
	static const char far[] = "<FS_TREE>/";
	const struct subvolume *base = choice->all || choice->only_inside ? NULL : above(list, row->at, choice->base);
	const bool is_far = choice->all && row->at->parent_id != choice->base;
	const uint8_t *path = row->at->path;
	size_t len = row->at->path_len, skip = base && base->path_len > 0 ? base->path_len + 1 : 0;

	if (row->at->deleted) {
		path = (const uint8_t *)"DELETED";
		len = strlen("DELETED");
		skip = 0;
	}
	if (skip >= len)
		skip = 0;
	row->path = malloc(len - skip + sizeof(far));
	if (!row->path)
		return error_memory(err);
	if (is_far)
		memcpy(row->path, far, strlen(far));
	row->path_len = is_far ? strlen(far) : 0;
	memcpy(row->path + row->path_len, path + skip, len - skip);
	row->path_len += len - skip;
	return true;
}

/* --- order -------------------------------------------------------------------------------------------------------- */

enum order { BY_ID, BY_GENERATION, BY_CREATED, BY_PATH, N_ORDERS };
static const char *const order_names[N_ORDERS] = { "rootid", "gen", "ogen", "path" };

#define KEYS_MAX 16
struct sort_keys {
	struct { enum order order; bool descends; } key[KEYS_MAX];
	size_t n;
};

static bool read_keys(const char *text, struct sort_keys *keys, struct error *err)
{
	*keys = (struct sort_keys){ .n = 0 };
	for (const char *at = text; at; ) {
		const bool descends = *at == '-';
		const char *name = at + (*at == '-' || *at == '+');
		const size_t len = strcspn(name, ",");
		enum order order = 0;

		while (order < N_ORDERS && (strlen(order_names[order]) != len || memcmp(order_names[order], name, len) != 0))
			order++;
		if (order == N_ORDERS || keys->n == KEYS_MAX)
			return usage("--sort", text, "a list of rootid, gen, ogen and path", err);
		keys->key[keys->n].order = order;
		keys->key[keys->n++].descends = descends;
		at = name[len] == ',' ? name + len + 1 : NULL;
	}
	return true;
}

static int by_number(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_path(const struct list_row *a, const struct list_row *b)
{
	const size_t len = a->path_len < b->path_len ? a->path_len : b->path_len;
	const int which = memcmp(a->path, b->path, len);

	return which ? which : by_number(a->path_len, b->path_len);
}

static int compare(const void *left, const void *right, void *context)
{
	const struct list_row *a = left, *b = right;
	const struct sort_keys *keys = context;

	for (size_t i = 0; i < keys->n; i++) {
		const enum order order = keys->key[i].order;
		const int which = order == BY_PATH ? by_path(a, b) :
				  order == BY_GENERATION ? by_number(a->at->root.generation, b->at->root.generation) :
				  order == BY_CREATED ? by_number(a->at->root.otransid, b->at->root.otransid) : by_number(a->at->id, b->at->id);

		if (which)
			return keys->key[i].descends ? -which : which;
	}
	return by_number(a->at->id, b->at->id);
}

void list_rows_free(struct list_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		free(rows->at[i].path);
	free(rows->at);
	*rows = (struct list_rows){ 0 };
}

bool list_rows_choose(const struct subvolume_list *list, const struct list_choice *choice, bool top_is_shown, struct list_rows *rows,
		      struct error *err)
{
	struct sort_keys keys;

	*rows = (struct list_rows){ .at = calloc(list->n + 1, sizeof(*rows->at)) };
	if (!rows->at)
		return error_memory(err);
	if (!read_keys(choice->sort, &keys, err))
		return false;
	for (size_t i = 0; i < list->n; i++) {
		const struct subvolume *at = &list->at[i];
		bool wanted;

		if (!is_wanted(at, choice, &wanted, err))
			return false;
		if (!wanted || (at->id == FS_TREE_ID && !top_is_shown))
			continue;
		rows->at[rows->n].at = at;
		if (!shown_path(list, choice, &rows->at[rows->n], err))
			return false;
		rows->n++;
	}
	if (rows->n > 1)
		qsort_r(rows->at, rows->n, sizeof(*rows->at), compare, &keys);
	return true;
}
