/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking at a domain as it is now, and checking it against its seal. */
#include "common/fs/domain-view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fs/path.h"
#include "common/fs/payloads.h"

#define CHAIN_MAX 4096u		/* snapshots of snapshots of ... */

static const struct crypt_member *member_by_id(const struct domain *domain, uint64_t id)
{
	for (size_t i = 0; i < domain->n_members; i++) {
		if (domain->members[i].id == id)
			return &domain->members[i];
	}
	return NULL;
}

static const struct crypt_member *member_by_uuid(const struct domain *domain, const uint8_t uuid[UUID_SIZE])
{
	for (size_t i = 0; i < domain->n_members; i++) {
		if (memcmp(domain->members[i].uuid, uuid, UUID_SIZE) == 0)
			return &domain->members[i];
	}
	return NULL;
}

/* The member that a subvolume is, or descends from by snapshots; 0: none that the chain reaches. */
static uint64_t source_of(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume)
{
	const struct crypt_member *member = member_by_id(domain, subvolume->id);

	if (member && memcmp(member->uuid, subvolume->root.uuid, UUID_SIZE) == 0)
		return member->id;
	for (unsigned i = 0; i < CHAIN_MAX && subvolume; i++) {
		member = member_by_uuid(domain, subvolume->root.parent_uuid);
		if (member)
			return member->id;
		subvolume = subvolume_by_uuid(list, subvolume->root.parent_uuid);
	}
	return 0;
}

static bool has_tag(const struct domain *domain, const struct subvolume *subvolume)
{
	struct le32 hash;

	memcpy(&hash, domain->header.kcv, sizeof(hash));
	return subvolume->root.algorithm[0] != 0 && subvolume->root.key_hash == le32(hash);
}

/* The chain of snapshots may be broken: then an extent that verifies decides. */
static bool extent_verifies(const struct domain_view *view, uint64_t id, uint64_t boundary, bool *verifies, struct error *err)
{
	struct domain *domain = view->domain;
	cleanup_unit_map struct unit_map *units = NULL;
	cleanup_scan struct scan *scan = NULL;

	*verifies = false;
	if (!scan_run(domain->volume, &id, 1, &scan, err) ||
	    !unit_map_read(domain->volume, domain->header.domain, &units, err) ||
	    !unit_map_join(units, scan, domain->schedule, boundary, err))
		return false;
	*verifies = units->n_joined > 0;
	return true;
}

static bool find_ids(struct domain_view *view, const struct subvolume *only, uint64_t boundary, struct error *err)
{
	const struct subvolume_list *list = view->list;

	view->ids = calloc(list->n ? list->n : 1, sizeof(*view->ids));
	view->source = calloc(list->n ? list->n : 1, sizeof(*view->source));
	if (!view->ids || !view->source)
		return error_memory(err);
	for (size_t i = 0; i < list->n; i++) {
		const struct subvolume *subvolume = &list->at[i];
		bool belongs = domain_has(view->domain, list, subvolume);

		if (only && only->id != subvolume->id)
			continue;
		if (!belongs && has_tag(view->domain, subvolume) && !extent_verifies(view, subvolume->id, boundary, &belongs, err))
			return false;
		if (!belongs)
			continue;
		view->ids[view->n_ids] = subvolume->id;
		view->source[view->n_ids++] = source_of(view->domain, list, subvolume);
	}
	return view->n_ids > 0 || error_set(err, ERROR_NOT_FOUND, "no subvolume of the domain is left");
}

bool domain_view_open(struct domain *domain, const struct subvolume_list *list, const struct subvolume *only, uint64_t boundary,
		      struct domain_view *view, struct error *err)
{
	*view = (struct domain_view){ .domain = domain, .list = list };
	if (!find_ids(view, only, boundary, err) || !scan_run(domain->volume, view->ids, view->n_ids, &view->scan, err) ||
	    !unit_map_read(domain->volume, domain->header.domain, &view->units, err) ||
	    !unit_map_join(view->units, view->scan, domain->schedule, boundary, err) ||
	    !inline_map_read(domain->volume, domain->header.domain, &view->inlines, err)) {
		domain_view_close(view);
		return false;
	}
	return true;
}

void domain_view_close(struct domain_view *view)
{
	free(view->ids);
	free(view->source);
	free(view->sums);
	scan_free(view->scan);
	unit_map_free(view->units);
	inline_map_free(view->inlines);
	*view = (struct domain_view){ 0 };
}

/* --- checking ------------------------------------------------------------------------------------------- */

static void note(const struct domain_view_options *options, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(const struct domain_view_options *options, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!options->note)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	options->note(options->context, text);
}

static bool check_seal(const struct domain_view *view, struct error *err)
{
	const struct domain *domain = view->domain;
	const struct key key = crypt_key(domain->header.domain, CRYPT_SEAL, 0);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct crypt_seal now, stored;
	struct tree tree;
	bool found;

	if (view->units->n_units != domain->header.n_units || view->units->n_items != domain->header.n_unit_items ||
	    view->inlines->n != domain->header.n_inline_units)
		return error_set(err, ERROR_CORRUPT,
				 "the domain has %" PRIu64 " units and %zu inline units, its header says %" PRIu64 " and %" PRIu64,
				 view->units->n_units, view->inlines->n, domain->header.n_units, domain->header.n_inline_units);
	if (!tree_open(domain->volume, ROOT_TREE_ID, &tree, err) || !tree_find(&tree, &key, &iter, &found, err))
		return false;
	if (!found)
		return error_set(err, ERROR_CORRUPT, "the seal of domain %u is missing", domain->header.domain);
	if (!crypt_seal_read(&iter.item, &stored, err) ||
	    !seal_compute(domain->volume, domain->schedule, &domain->header, domain->members, domain->n_members, &now, err))
		return false;
	if (!secret_same(now.seal, domain->header.seal, sizeof(now.seal)) || !secret_same(now.seal, stored.seal, sizeof(now.seal)) ||
	    stored.n_units != now.n_units || stored.n_inline_units != now.n_inline_units ||
	    memcmp(stored.unit_sum, now.unit_sum, sizeof(now.unit_sum)) != 0 ||
	    memcmp(stored.inline_sum, now.inline_sum, sizeof(now.inline_sum)) != 0)
		return error_set(err, ERROR_CORRUPT, "the seal of domain %u does not match its units and members", domain->header.domain);
	return true;
}

/* A member has its own digest; a snapshot made since may be of any member, or of a snapshot of it. */
static bool digest_is_known(const struct domain_view *view, size_t i, const uint8_t digest[CRYPT_MAC_SIZE])
{
	for (size_t m = 0; m < view->domain->n_members; m++) {
		const struct crypt_member *member = &view->domain->members[m];

		if ((view->ids[i] == member->id || view->source[i] != view->ids[i]) &&
		    secret_same(member->digest, digest, CRYPT_MAC_SIZE))
			return true;
	}
	return false;
}

static char *path_text(const struct domain_view *view, uint64_t id)
{
	const struct subvolume *subvolume = subvolume_by_id(view->list, id);
	char *path = NULL;

	if (subvolume && asprintf(&path, "subvolume %" PRIu64, id) < 0)
		return NULL;
	return path;
}

static bool check_digests(struct domain_view *view, const struct domain_view_options *options, bool *changed, struct error *err)
{
	const struct digest_input input = {
		.kind = DIGEST_SEALED,
		.scan = view->scan,
		.schedule = view->domain->schedule,
		.units = view->units,
		.inlines = view->inlines,
	};

	view->sums = calloc(view->n_ids, sizeof(*view->sums));
	if (!view->sums)
		return error_memory(err);
	if (!digest_members(&input, view->sums, err))
		return false;
	for (size_t i = 0; i < view->n_ids; i++) {
		const struct crypt_member *member = member_by_id(view->domain, view->source[i]);
		uint8_t digest[CRYPT_MAC_SIZE];

		if (!digest_finish(view->domain->schedule, &view->sums[i], digest, err))
			return false;
		if (digest_is_known(view, i, digest))
			continue;
		*changed = true;
		if (!options->accept_changes) {
			error_set(err, ERROR_CORRUPT,
				  "subvolume %" PRIu64 ": its tree is not as it was sealed (%" PRIu64 " items, %" PRIu64 " at sealing)",
				  view->ids[i], view->sums[i].n_items, member ? member->n_items : 0);
			return error_hint(err, "files were added, removed, renamed or edited since; --accept-changes goes on all the same");
		}
		note(options, "subvolume %" PRIu64 ": its tree is not as it was sealed: %" PRIu64 " items, %" PRIu64 " at sealing",
		     view->ids[i], view->sums[i].n_items, member ? member->n_items : 0);
	}
	return true;
}

static bool unsealed(struct domain_view *view, const struct domain_view_options *options, uint32_t member, uint64_t inode,
		     uint64_t offset, uint64_t len, const char *what, struct error *err)
{
	const struct tree *tree = &view->scan->tree[member];
	struct error ignored;
	char *path = NULL;

	if (!inode_path(tree, inode, &path, &ignored))
		path = path_text(view, tree->id);
	if (options->accept_unsealed)
		note(options, "subvolume %" PRIu64 ": %s: bytes %" PRIu64 " to %" PRIu64 " %s", tree->id, path ? path : "?", offset,
		     offset + len, what);
	else
		error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 ": %s: bytes %" PRIu64 " to %" PRIu64 " %s", tree->id,
			  path ? path : "?", offset, offset + len, what);
	free(path);
	return options->accept_unsealed || error_hint(err, "--accept-unsealed takes them as they are");
}

struct checking {
	struct domain_view *view;
	const struct domain_view_options *options;
};

static bool check_payload(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err)
{
	struct checking *checking = context;
	struct domain_view *view = checking->view;
	struct crypt_inline_unit unit;
	bool found;

	if (!inline_map_find(view->inlines, view->domain->schedule, payload, true, &unit, NULL, &found, err))
		return false;
	return found || unsealed(view, checking->options, leaf->member, payload->inode, payload->offset, payload->bytes.left,
				 "are in no inline unit: written later, or damaged", err);
}

/* Data that no unit covers, and marks without a unit. */
static bool check_unsealed(struct domain_view *view, const struct domain_view_options *options, bool changed, struct error *err)
{
	struct checking checking = { view, options };

	for (size_t i = 0; i < view->scan->n_extents; i++) {
		const struct scan_extent *extent = &view->scan->extent[i];

		if (unit_map_at(view->units, extent->logical))
			continue;
		if (extent->marked) {
			struct domain_view_options strict = { .note = options->note, .context = options->context };

			unsealed(view, &strict, extent->member, extent->inode, extent->file_offset, extent->length,
				 "are marked as sealed, but no unit verifies", err);
			err->hint[0] = '\0';
			return false;
		}
		if (!unsealed(view, options, extent->member, extent->inode, extent->file_offset, extent->length,
			      "are not sealed: written later", err))
			return false;
	}
	/* An unchanged tree has no payload without a unit: the digest says so. */
	return !changed || payloads_visit(view->scan, check_payload, &checking, err);
}

bool domain_view_check(struct domain_view *view, const struct domain_view_options *options, bool *changed, struct error *err)
{
	*changed = false;
	if (!check_seal(view, err) || !check_digests(view, options, changed, err))
		return false;
	return check_unsealed(view, options, *changed, err);
}
