/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt list: the subvolumes of an image, one per line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/image-options.h"
#include "cmd/key-options.h"
#include "cmd/list-rows.h"
#include "cmd/mounted.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/source.h"
#include "cmd/subvolume-row.h"
#include "cmd/unfinished.h"
#include "cmd/value-text.h"
#include "common/util/plural.h"

static struct {
	int parent, created, uuid, parent_uuid, received_uuid;
	int table, paths;
	int snapshots, readonly, deleted;
	int generation_column, all, only_inside;
	char **generation, **created_range;
	char *sort;
} opt;

static const struct poptOption options[] = {
	{ "parent", 'p', POPT_ARG_NONE, &opt.parent, 0, "print the id of the parent as well", NULL },
	{ "cgen", 'c', POPT_ARG_NONE, &opt.created, 0, "print the generation at creation as well", NULL },
	{ "gen", 'g', POPT_ARG_NONE, &opt.generation_column, 0, "no effect: the generation is always printed", NULL },
	{ "uuid", 'u', POPT_ARG_NONE, &opt.uuid, 0, "print the uuid of each subvolume", NULL },
	{ "parent-uuid", 'q', POPT_ARG_NONE, &opt.parent_uuid, 0, "print the uuid of the subvolume that each is a snapshot of", NULL },
	{ "received-uuid", 'R', POPT_ARG_NONE, &opt.received_uuid, 0, "print the uuid of the subvolume that each was received from", NULL },
	{ "table", 't', POPT_ARG_NONE, &opt.table, 0, "print a table with a heading", NULL },
	{ "paths", 0, POPT_ARG_NONE, &opt.paths, 0, "print the path of each, escaped, and nothing else", NULL },
	{ "snapshots", 's', POPT_ARG_NONE, &opt.snapshots, 0, "only snapshots, with generation and time of creation", NULL },
	{ "readonly", 'r', POPT_ARG_NONE, &opt.readonly, 0, "only those that are read only", NULL },
	{ "deleted", 'd', POPT_ARG_NONE, &opt.deleted, 0, "only those that are deleted and not yet cleaned up", NULL },
	{ "below", 'o', POPT_ARG_NONE, &opt.only_inside, 0, "only those directly in SUBVOL", NULL },
	{ "all", 'a', POPT_ARG_NONE, &opt.all, 0, "mark the paths of those not directly in SUBVOL with <FS_TREE>/", NULL },
	{ "generation", 'G', POPT_ARG_ARGV, &opt.generation, 0, "only generation N, or from N on (+N), or up to N (-N); repeatable", "=RANGE" },
	{ "created", 'C', POPT_ARG_ARGV, &opt.created_range, 0, "the same for the generation at creation", "=RANGE" },
	{ "sort", 0, POPT_ARG_STRING, &opt.sort, 0, "by rootid (default), gen, ogen or path; a - before a key reverses it", "KEY,..." },
	INCLUDE(options_no_keyring), INCLUDE(options_image), INCLUDE(options_time), INCLUDE(options_format),
	POPT_TABLEEND
};

/* --- text: the columns of btrfs subvolume list ------------------------------------------------------------------ */

static const int always = 1;

static const struct column {
	enum subvolume_field field;
	const int *wanted, *also;	/* printed if one of them is set */
	const char *table_gap;
} columns[] = {
	{ SUBVOLUME_ID, &always, &always, "" },
	{ SUBVOLUME_GENERATION, &always, &always, "" },
	{ SUBVOLUME_CREATED_IN, &opt.created, &opt.snapshots, "" },
	{ SUBVOLUME_PARENT, &opt.parent, &opt.parent, "" },
	{ SUBVOLUME_TOP_LEVEL, &always, &always, "\t" },
	{ SUBVOLUME_CREATED, &opt.snapshots, &opt.snapshots, "" },
	{ SUBVOLUME_PARENT_UUID, &opt.parent_uuid, &opt.parent_uuid, "" },
	{ SUBVOLUME_RECEIVED_UUID, &opt.received_uuid, &opt.received_uuid, "" },
	{ SUBVOLUME_UUID, &opt.uuid, &opt.uuid, "" },
};
#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static bool is_wanted(const struct column *column)
{
	return *column->wanted || *column->also || (column->field == SUBVOLUME_CREATED_IN && opt.created_range);
}

static void print_heading(void)
{
	for (size_t i = 0; i < N_COLUMNS; i++) {
		if (is_wanted(&columns[i]))
			printf("%s\t", subvolume_column(columns[i].field));
	}
	printf("path\t\n");
	for (size_t i = 0; i < N_COLUMNS; i++) {
		if (is_wanted(&columns[i]))
			printf("%.*s\t", (int)strlen(subvolume_column(columns[i].field)), "--------------------");
	}
	printf("----\t\n");
}

static void put_columns(const struct row *row, const struct subvolume *subvolume)
{
	char value[SUBVOLUME_VALUE_SIZE];

	for (size_t i = 0; i < N_COLUMNS; i++) {
		if (!is_wanted(&columns[i]))
			continue;
		subvolume_column_value(columns[i].field, subvolume, value);
		if (opt.table)
			row_format(row, "%s\t%s", value, columns[i].table_gap);
		else
			row_format(row, "%s %s ", subvolume_column(columns[i].field), value);
	}
}

static void print_row(const struct list_row *at, const struct subvolume_cipher *cipher, bool is_default, const struct unfinished *conversion)
{
	const bool is_top = at->at->id == FS_TREE_ID, only_path = opt.paths && !format_is_json();
	const struct row row = row_begin(NULL);

	if (!opt.paths)
		put_columns(&row, at->at);
	row_name(&row, NULL, opt.table || opt.paths ? "" : "path ", is_top ? (const uint8_t *)"/" : at->path, is_top ? 1 : at->path_len);
	if (!only_path)
		subvolume_put(&row, at->at, cipher, is_default);
	if (!only_path && conversion)
		unfinished_put(conversion, "\tunfinished conversion: ", &row);
	row_end(&row);
}

static bool print_rows(const struct subvolume_list *list, const struct list_rows *rows, const struct seals *seals,
		       const struct unfinished *unfinished, struct error *err)
{
	if (opt.table && !opt.paths && !format_is_json())
		print_heading();
	for (size_t i = 0; i < rows->n; i++) {
		const struct subvolume *at = rows->at[i].at;
		struct subvolume_cipher cipher;

		if (!subvolume_cipher_read(seals, at, true, &cipher, err))
			return false;
		print_row(&rows->at[i], &cipher, at->id == list->default_id, unfinished_has(unfinished, list, at) ? unfinished : NULL);
	}
	for (size_t i = 0; i < rows->n; i++) {
		if (!subvolume_seal_warn(rows->at[i].at, seal_of(seals, rows->at[i].at), err))
			return false;
	}
	for (size_t i = 0; i < seals->places.lost.n; i++)
		print_lost(&seals->places.lost.at[i]);
	return true;
}

static bool is_complete(const struct subvolume_list *list, struct error *err)
{
	size_t n_damaged = 0;

	for (size_t i = 0; i < list->n_lost; i++)
		n_damaged += list->lost[i].kind != ERROR_REFUSED;
	if (n_damaged > 0)
		return error_set(err, ERROR_CORRUPT, "%zu subvolume%s damaged, the list is not complete", n_damaged, plural_is(n_damaged));
	return list->n_lost == 0 || error_set(err, ERROR_REFUSED, "paths are too long, the list is not complete");
}

/* The subvolume from which to list: SUBVOL, else the subvolume of a mounted directory, else the top level. */
static bool find_base(const char *const *operand, const struct subvolume_list *list, bool is_mounted, uint64_t *base, struct error *err)
{
	const struct subvolume *subvolume;

	*base = FS_TREE_ID;
	if (!operand[1])
		return !is_mounted || mounted_subvolume(operand[0], base, err);
	if (!subvolume_operand(list, operand[1], &subvolume, err))
		return false;
	*base = subvolume->id;
	return true;
}

static bool run(const char *const *operand, struct error *err)
{
	struct list_choice choice = {
		.all = opt.all,
		.only_inside = opt.only_inside,
		.snapshots = opt.snapshots,
		.readonly = opt.readonly,
		.deleted = opt.deleted,
		.generation = opt.generation,
		.created = opt.created_range,
		.sort = opt.sort,
	};
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_unfinished struct unfinished unfinished = { 0 };
	cleanup_seals struct seals seals = { 0 };
	cleanup_volume struct volume *volume = NULL;
	struct list_rows rows = { 0 };
	const struct subvolume *top;
	char tag[ROOT_TAG_TEXT_SIZE];
	bool ok;

	if (!subvolumes_open(operand[0], &volume, &list, err) || !unfinished_read(volume, &unfinished, err) ||
	    !seals_read(&list, &seals, err) || (!key_options_no_keyring() && !seals_find_keys(&seals, err)) || !find_base(operand, &list, !volume, &choice.base, err))
		return false;
	/* The top level is in no other subvolume. It is listed if it is sealed, or about to be. */
	top = subvolume_by_id(&list, FS_TREE_ID);
	ok = list_rows_choose(&list, &choice, top && (subvolume_encryption(top, seal_of(&seals, top), tag) || unfinished_has(&unfinished, &list, top)),
			      &rows, err) && print_rows(&list, &rows, &seals, &unfinished, err);
	list_rows_free(&rows);
	if (ok)
		seals_note_empty(&seals, operand[0]);
	return ok && is_complete(&list, err);
}

const struct command cmd_list = {
	.name = "list",
	.operands = "IMAGE [SUBVOL]",
	.summary = "list the subvolumes of an image",
	.options = options,
	.run = run,
};
