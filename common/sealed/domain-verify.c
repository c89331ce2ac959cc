/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verifies a whole domain: seal, trees, data, and every tree block that leads there, on every mirror. */
#include "common/sealed/domain-reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fs/orphan.h"
#include "common/sealed/csum-absent.h"
#include "common/sealed/domain-slots.h"
#include "common/sealed/domain-strays.h"
#include "common/sealed/extent-part.h"
#include "common/sealed/scan-bad.h"
#include "common/sealed/verify-data.h"
#include "common/tree/tree-gap.h"
#include "common/util/escape.h"
#include "common/util/plural.h"
#include "common/util/sorted64.h"
#include "common/volume/tolerance.h"

static void note(const struct verify *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(const struct verify *v, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!v->options->note)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	v->options->note(v->options->context, text);
}

/* Damage is a finding. Anything else ends the run. */
static bool is_damage(const struct error *error)
{
	return error->kind == ERROR_CORRUPT || error->kind == ERROR_IO;
}

/* --- tree blocks ------------------------------------------------------------------------------------------------ */

struct tree_check {
	struct verify *v;
	const char *name;
};

static bool check_mirrors(struct verify *v, const char *name, uint64_t logical, struct error *err)
{
	struct error error = { 0 };

	if (block_verify_mirrors(v->view.domain->volume, logical, &error))
		return true;
	if (!is_damage(&error)) {
		*err = error;
		return false;
	}
	verify_bad(v, name, "%s", error.text);
	return true;
}

static bool check_tree_block(void *context, struct block *block, bool *descend, struct error *err)
{
	const struct tree_check *check = context;

	(void)descend;
	return check_mirrors(check->v, check->name, block->logical, err);
}

static bool lose_tree_block(void *context, const struct error *what, struct error *err)
{
	const struct tree_check *check = context;

	(void)err;
	verify_bad(check->v, check->name, "%s", what->text);
	return true;
}

/* Checks the trees that the sealed data depend on. */
static bool check_trees(struct verify *v, struct error *err)
{
	static const struct {
		uint64_t id;
		const char *name;
	} trees[] = {
		{ CHUNK_TREE_ID, "chunk tree" },
		{ ROOT_TREE_ID, "root tree" },
		{ CSUM_TREE_ID, "checksum tree" },
		{ EXTENT_TREE_ID, "extent tree" },
		{ FREE_SPACE_TREE_ID, "free space tree" },
		{ BLOCK_GROUP_TREE_ID, "block group tree" },
	};

	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		struct tree_check check = { v, trees[i].name };
		struct error error = { 0 };
		struct tree tree;

		if (tree_open(v->view.domain->volume, trees[i].id, &tree, &error) &&
		    tree_walk_over(&tree, check_tree_block, lose_tree_block, &check, &error))
			continue;
		if (error.kind == ERROR_NOT_FOUND)
			continue;	/* the filesystem works without it */
		if (!is_damage(&error)) {
			*err = error;
			return false;
		}
		verify_bad(v, trees[i].name, "%s", error.text);
	}
	return true;
}

static bool check_members(struct verify *v, struct error *err)
{
	const struct scan *scan = v->view.scan;

	for (size_t i = 0; i < scan->n_blocks; i++) {
		struct error error = { 0 };

		if (block_verify_mirrors(scan->volume, scan->block[i].logical, &error))
			continue;
		if (!is_damage(&error)) {
			*err = error;
			return false;
		}
		if (!verify_bad_in(v, &scan->tree[scan->block[i].member], 0, error.text, NULL, err))
			return false;
	}
	return true;
}

static bool absent_csum(void *context, const struct tree *subvolume, uint64_t inode, const struct extent_part *part, uint64_t logical,
			struct error *err)
{
	char what[160];

	snprintf(what, sizeof(what), "bytes %" PRIu64 " to %" PRIu64 " have no checksum in the csum tree, but should have one (data at %" PRIu64 ")",
		 part->first, part->last, logical);
	return verify_bad_in(context, subvolume, inode, what, NULL, err);
}

/* --- what is only said ------------------------------------------------------------------------------------------- */

static bool is_in_view(const struct domain_view *view, uint64_t id)
{
	return sorted64_find(view->ids, view->n_ids, id);
}

static void note_copies(const struct verify *v)
{
	const struct domain *domain = v->view.domain;

	for (unsigned i = 0; i < domain->volume->n_copies; i++) {
		const struct super_copy *copy = &domain->volume->copy[i];
		char text[COPY_TEXT_SIZE];

		if (copy->exists && !copy->valid)
			note(v, "%s: %s", super_copy_text(domain->volume, copy, text), copy->error.text);
	}
}

/* Reports subvolumes that stand in the place of a nested member. Their trees are compared with that of the member as well. */
static void check_replaced(struct verify *v)
{
	const struct domain_view *view = &v->view;

	for (size_t i = 0; i < view->n_ids; i++) {
		const struct subvolume *subvolume = subvolume_by_id(view->list, view->ids[i]);
		struct error why = { 0 };
		char path[256];

		if (!subvolume || domain_check_replaced(view->domain, view->list, subvolume, &why))
			continue;
		escape_text(subvolume->path, subvolume->path_len, path, sizeof(path));
		verify_bad(v, path, "%s", why.text);
	}
}

static void note_subvolume(const struct verify *v, const struct subvolume *subvolume, const char *which, const char *what)
{
	char path[256];

	escape_text(subvolume->path, subvolume->path_len, path, sizeof(path));
	note(v, "subvolume %" PRIu64 " (%s)%s: %s", subvolume->id, path, which, what);
}

static bool note_stray(void *context, const struct subvolume *subvolume, const char *what, struct error *err)
{
	(void)err;
	note_subvolume(context, subvolume, "", what);
	return true;
}

static bool note_lost(void *context, const struct subvolume *subvolume, const char *what, struct error *err)
{
	(void)err;
	note_subvolume(context, subvolume, ", which is not verified", what);
	return true;
}

static void note_lost_roots(struct verify *v)
{
	const struct subvolume_list *list = v->view.list;

	for (size_t i = 0; i < list->n_lost; i++) {
		const struct subvolume_lost *lost = &list->lost[i];
		char name[40];

		snprintf(name, sizeof(name), "subvolume %" PRIu64, lost->id);
		if (!lost->is_path && domain_member(v->view.domain, lost->id))
			verify_bad(v, name, "%s", lost->what);
		else
			note(v, "%s, which is not verified: %s", name, lost->what);
	}
}

/* Notes subvolumes that are not sealed with the domain. They cannot fail its verification, but unsealing looks there as well. */
static bool note_outside(struct verify *v, struct error *err)
{
	const struct domain_view *view = &v->view;
	cleanup_strays struct strays *strays = NULL;

	note_lost_roots(v);
	return strays_open(view->list, view->domain->number, view->ids, view->n_ids, &strays, err) && strays_by_tag(strays, note_stray, v, err) &&
	       strays_lost(strays, note_lost, v, err);
}

struct left_out {
	const struct verify *v;
	uint64_t deleted, told;		/* inodes: the last one that is left out as a whole, and the last one reported */
};

/* Notes a file that a name leads to. Nobody reads a file without a name. */
static bool note_left_out_item(void *context, const struct tree *subvolume, const struct key *key, struct cursor item, struct error *err)
{
	struct left_out *left_out = context;
	char *label;

	(void)item;
	if (key->type == KEY_INODE_ITEM)
		left_out->deleted = key->objectid;
	if (left_out->deleted == key->objectid || left_out->told == key->objectid)
		return true;
	left_out->told = key->objectid;
	label = file_label(left_out->v->view.list, subvolume, key->objectid);
	if (!label)
		return error_memory(err);
	note(left_out->v, "%.300s: its fs-verity items are not authenticated: an orphan item lets the next mount delete them", label);
	free(label);
	return true;
}

static bool note_left_out(const struct verify *v, struct error *err)
{
	const struct scan *scan = v->view.scan;

	for (uint32_t i = 0; i < scan->n_members; i++) {
		struct left_out left_out = { .v = v };

		struct error unread = { 0 };

		if (orphan_visit_items(&scan->tree[i], note_left_out_item, &left_out, &unread))
			continue;
		*err = unread;
		/* A lost block is reported as unreadable elsewhere. */
		if (!scan_has_lost(scan) || !error_is_damage(&unread))
			return false;
	}
	return true;
}

static void note_absent(const struct verify *v)
{
	const struct domain_view *view = &v->view;

	for (size_t i = 0; i < view->domain->n_members; i++) {
		const struct crypt_member *member = &view->domain->members[i];
		const struct subvolume *subvolume = subvolume_by_id(view->list, member->id);
		char path[256];

		if (is_in_view(view, member->id) && subvolume && domain_claims(view->domain, view->list, subvolume) >= DOMAIN_REPLACED)
			continue;
		escape_text(member->path, member->path_len, path, sizeof(path));
		note(v, "sealed subvolume %" PRIu64 " (%s) no longer exists", member->id, path);
	}

	const size_t n_gone = view->units->n_groups - view->units->n_joined - view->units->n_guessed;

	if (n_gone > 0)
		note(v, "%zu sealed extent%s in no file any more, or damaged beyond recognition", n_gone, plural_is(n_gone));
}

/* --- everything ---------------------------------------------------------------------------------------------------- */

static void count_bad(void *context, const char *path, const char *what)
{
	verify_bad(context, path, "%s", what);
}

/* Other slots open as before, but what this one opened is lost. */
static void count_bad_slot(void *context, unsigned number, const char *text)
{
	struct verify *const v = context;
	char sealing[24];

	(void)number;
	snprintf(sealing, sizeof(sealing), "sealing %u", v->view.domain->number);
	verify_bad(v, sealing, "%s", text);
}

static void note_accepted(void *context, const char *text)
{
	struct verify *v = context;

	v->result->n_accepted++;
	note(v, "%s", text);
}

static bool verify_all(struct verify *v, struct error *err)
{
	const struct domain_view_options check = {
		.accept_changes = v->options->accept_changes,
		.accept_unsealed = v->options->accept_unsealed,
		.note = note_accepted,
		.bad = count_bad,
		.context = v,
	};
	bool *const changed = &v->result->changed;

	note_copies(v);
	domain_slot_faults(v->view.domain, count_bad_slot, v);
	note_absent(v);
	check_replaced(v);
	v->result->n_subvolumes = v->view.n_ids;
	v->result->n_files = v->view.scan->n_regular_files;
	if (!note_left_out(v, err) || !note_outside(v, err))
		return false;
	if (!domain_view_check_trees(&v->view, &check, changed, err) || !domain_view_check_nested(&v->view, &check, changed, err) ||
	    !domain_view_check_unsealed(&v->view, &check, *changed, err))
		return false;
	v->result->n_unsealed = v->view.n_unsealed;
	return verify_data(v, err) && csum_absent(v->view.scan, true, absent_csum, v, err) && check_members(v, err) && check_trees(v, err);
}

bool domain_verify(struct domain *domain, const struct subvolume_list *list, const struct domain_reader_options *options,
		   verify_found *bad, void *context,
		   struct verify_result *result, struct error *err)
{
	struct verify v = { .options = options, .bad = bad, .context = context, .result = result };
	bool ok;

	*result = (struct verify_result){ 0 };
	memcpy(result->seal_fingerprint, domain->header.seal, sizeof(result->seal_fingerprint));
	if (domain->header.state != CRYPT_STATE_SEALED)
		return domain_is_unfinished_error(domain, err);
	if (!domain_view_open(domain, list, NULL, UNIT_PLACE_END, &v.view, err))
		return false;
	ok = verify_all(&v, err);
	domain_view_close(&v.view);
	return ok;
}
