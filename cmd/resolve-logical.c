/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds what is at an address: by back references, or without the extent tree. */
#include "cmd/resolve-logical.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cmd/print.h"
#include "cmd/resolve-names.h"
#include "cmd/row.h"
#include "common/fs/owner-scan.h"
#include "common/fs/subvolume-label.h"
#include "common/util/plural.h"
#include "common/volume/device-range.h"

/* --- lines ------------------------------------------------------------------------------------------------------ */

struct telling {
	const struct subvolume_list *list;
	uint64_t logical;
	bool whole;
	bool scans;		/* names that cannot be read cause a warning, and are counted */
	uint64_t n_bad;
};

static void print_bad(void *context, const struct report *report)
{
	struct telling *telling = context;

	telling->n_bad++;
	print_report(NULL, report);
}

static bool print_file(void *context, const struct backref_file *file, struct error *err)
{
	struct telling *telling = context;
	struct naming naming = { .root = file->root, .inode = file->inode, .offset = file->offset, .has_offset = true };
	struct error what = { 0 };
	uint64_t n_names;

	if (!print_names(telling->list, &naming, &n_names, &what)) {
		if (!telling->scans || (what.kind != ERROR_CORRUPT && what.kind != ERROR_IO)) {
			*err = what;
			return false;
		}
		telling->n_bad++;
		print_warning(NULL, what.text);
		n_names = 0;
	}
	return n_names > 0 || print_path(&naming, NULL, 0, err);
}

static bool print_copy(void *context, const struct device_range *range, struct error *err)
{
	struct row row;

	(void)context, (void)err;
	if (range->parity)
		return true;
	row = row_begin("place");
	row_u64(&row, "logical", NULL, range->logical);
	row_number(&row, "copy", "copy ", range->mirror);
	row_u64(&row, "devid", " devid ", range->devid);
	row_u64(&row, "physical", " physical ", range->physical);
	row_end(&row);
	return true;
}

/* The numbers of the extent item, if there is one: a file's item does not say how often the extent is referenced, nor since when. */
static void print_extent(const struct backref_extent *extent, bool has_item)
{
	const struct row row = row_begin("extent");

	row_text(&row, "type", "", extent->is_data ? "data" : "tree-block");
	row_u64(&row, "logical", " extent ", extent->logical);
	row_u64(&row, "length", " length ", extent->length);
	if (has_item)
		row_u64(&row, "refs", " refs ", extent->refs);
	if (has_item || !extent->is_data)
		row_u64(&row, "generation", " generation ", extent->generation);
	if (!extent->is_data)
		row_number(&row, "level", " level ", extent->level);
	if (extent->is_logged)
		row_flag(&row, "log", " log", true);
	row_end(&row);
}

static bool print_where(const struct telling *telling, const struct backref_extent *extent, bool has_item, struct error *err)
{
	print_extent(extent, has_item);
	return device_ranges(telling->list->volume, telling->logical, 1, print_copy, NULL, err);
}

static bool print_tree(void *context, uint64_t root, struct error *err)
{
	const struct telling *telling = context;
	const struct subvolume *subvolume = subvolume_by_id(telling->list, root);
	const struct row row = row_begin("tree");

	(void)err;
	row_u64(&row, "tree", "tree ", root);
	if (subvolume)
		row_subvolume(&row, " path ", subvolume);
	row_end(&row);
	return true;
}

/* --- by back references ------------------------------------------------------------------------------------------ */

static bool say_nothing(void *context, const struct backref_file *file, struct error *err)
{
	(void)context, (void)file, (void)err;
	return true;
}

/* Prints everything about the extent, or nothing: if the references cannot be followed to their ends, it fails before the first line. */
static bool by_references(struct telling *telling, struct error *err)
{
	struct volume *volume = telling->list->volume;
	struct backref_extent extent;
	struct root_ids roots = { 0 };
	uint64_t n_stale = 0;
	bool is_logged = false, ok;

	if (!backref_extent_at(volume, telling->logical, &extent, err)) {
		struct error again = { 0 };

		if (err->kind != ERROR_NOT_FOUND)
			return false;
		if (!backref_logged_extent_at(volume, telling->logical, &extent, &is_logged, &again) || !is_logged)
			return false;
		*err = again;
	}

	const struct backref_query trial = { volume, telling->logical, telling->whole, false, say_nothing, NULL };
	const struct backref_query query = { volume, telling->logical, telling->whole, false, print_file, telling };

	ok = extent.is_data ? backref_files(&trial, &extent, &n_stale, err)
			    : backref_roots(volume, extent.logical, &roots, &n_stale, err);
	ok = ok && print_where(telling, &extent, !extent.is_logged, err);
	for (size_t i = 0; ok && i < roots.n; i++)
		ok = print_tree(telling, roots.id[i], err);
	free(roots.id);
	n_stale = extent.is_data ? 0 : n_stale;
	if (!ok || (extent.is_data && !backref_files(&query, &extent, &n_stale, err)))
		return false;
	if (n_stale > 0)
		printf_note("%" PRIu64 " %s to trees that are gone or are being deleted", n_stale,
			    n_stale == 1 ? "reference leads" : "references lead");
	return true;
}

/* --- without the extent tree --------------------------------------------------------------------------------------- */

static bool print_found(void *context, const struct backref_extent *extent, struct error *err)
{
	return print_where(context, extent, false, err);
}

static bool by_scan(struct telling *telling, struct error *err)
{
	static const struct owner_visitor visitor = { .extent = print_found, .file = print_file, .tree = print_tree, .report = print_bad };

	telling->scans = true;
	if (!owner_scan(telling->list->volume, telling->logical, telling->whole, &visitor, telling, err))
		return telling->n_bad == 0 || err->kind != ERROR_NOT_FOUND ? false :
		       error_set(err, ERROR_CORRUPT, "nothing found at logical address %" PRIu64 ", but the trees are damaged in %" PRIu64
				 " place%s", telling->logical, telling->n_bad, plural(telling->n_bad));
	return telling->n_bad == 0 ||
	       error_set(err, ERROR_CORRUPT, "the trees are damaged in %" PRIu64 " place%s: there may be more than was found", telling->n_bad,
			 plural(telling->n_bad));
}

/* The extent tree, or the way from it, is missing. */
static bool is_lost(const struct volume *volume, const struct error *what)
{
	struct error ignored = { 0 };
	struct tree extents;

	return what->kind == ERROR_CORRUPT || what->kind == ERROR_IO ||
	       (what->kind == ERROR_NOT_FOUND && !tree_open((struct volume *)volume, EXTENT_TREE_ID, &extents, &ignored));
}

bool resolve_logical(const struct subvolume_list *list, uint64_t logical, bool whole, bool scan, struct error *err)
{
	struct telling telling = { .list = list, .logical = logical, .whole = whole };
	const struct chunk *chunk;
	struct error what;

	if (scan)
		return by_scan(&telling, err);
	if (by_references(&telling, err))
		return true;
	what = *err;
	if (!is_lost(list->volume, &what)) {
		if (what.kind == ERROR_NOT_FOUND && volume_chunk(list->volume, logical, &chunk, err))
			error_hint(&what, "--scan looks through all trees, without the extent tree");
		*err = what;
		return false;
	}
	*err = (struct error){ 0 };
	print_warning(NULL, what.text);
	print_warning(NULL, "the back references cannot be followed: searching all trees for the address");
	if (!by_scan(&telling, err))
		return false;
	*err = what;
	err->kind = ERROR_CORRUPT;
	return error_prefix(err, "found by searching all trees, because the back references are damaged");
}
