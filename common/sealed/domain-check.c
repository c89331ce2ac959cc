/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks a domain against its seal: units, members, trees, what has a unit and what has none. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/sealed/domain-changes.h"
#include "common/sealed/extent-part.h"
#include "common/sealed/member-places.h"
#include "common/sealed/payloads.h"
#include "common/volume/tolerance.h"
#include "common/volume/warn.h"

struct checking {
	struct domain_view *view;
	const struct domain_view_options *options;
};

/* Handles a difference from what was sealed: accepts it, reports it, or makes it the error. */
static bool differs(const struct checking *checking, bool accepted, const char *path, struct error *err, const char *what)
{
	const struct domain_view_options *options = checking->options;
	const int most = 300;	/* limit for the path, so that the message has room for the fault */
	const char *cut = strlen(path) > (size_t)most ? "..." : "";
	char text[512];

	if (!accepted && !options->bad)
		return error_set(err, ERROR_CORRUPT, "%.*s%s: %s", most, path, cut, what);
	if (!accepted) {
		options->bad(options->context, path, what);
	} else if (options->note) {
		snprintf(text, sizeof(text), "%.*s%s: %s", most, path, cut, what);
		options->note(options->context, text);
	}
	return true;
}

/* The same for a file; inode 0: for the whole subvolume; tree NULL: for the sealing itself. */
static bool file_differs(const struct checking *checking, bool accepted, const struct tree *tree, uint64_t inode, struct error *err, const char *format,
			 ...) __attribute__((format(printf, 6, 7)));
static bool file_differs(const struct checking *checking, bool accepted, const struct tree *tree, uint64_t inode, struct error *err, const char *format,
			 ...)
{
	char *label = tree ? file_label(checking->view->list, tree, inode) : NULL, what[192];
	va_list args;
	bool ok;

	if (!label && (tree || asprintf(&label, "sealing %u", checking->view->domain->header.domain) < 0))
		return error_memory(err);
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	ok = differs(checking, accepted, label, err, what);
	free(label);
	return ok;
}

#define sealing_differs(checking, accepted, err, ...) file_differs(checking, accepted, NULL, 0, err, __VA_ARGS__)

/* --- the seal ----------------------------------------------------------------------------------------------- */

#define SEAL_MISSING "its seal is missing"

static bool seal_matches(const struct domain *domain, const struct crypt_seal *now, const struct crypt_seal *stored)
{
	return secret_same(now->seal, domain->header.seal, sizeof(now->seal)) &&
	       secret_same(now->seal, stored->seal, sizeof(now->seal)) &&
	       now->n_units == stored->n_units && now->n_inline_units == stored->n_inline_units &&
	       now->n_index_entries == stored->n_index_entries && now->n_bad_blocks == stored->n_bad_blocks &&
	       memcmp(now->index_sum, stored->index_sum, sizeof(now->index_sum)) == 0 &&
	       memcmp(now->bad_sha256, stored->bad_sha256, sizeof(now->bad_sha256)) == 0 &&
	       memcmp(now->unit_sum, stored->unit_sum, sizeof(now->unit_sum)) == 0 &&
	       memcmp(now->inline_sum, stored->inline_sum, sizeof(now->inline_sum)) == 0;
}

/*
 * Checks whether everything except the index is as it was sealed, by computing the seal with the stored values of the index. The index only
 * proves single files; the digest of a tree proves all of them.
 */
static bool index_differs(const struct checking *checking, const struct crypt_seal *stored, const struct error *why, struct error *err)
{
	const struct domain *domain = checking->view->domain;
	const struct domain_view_options *options = checking->options;
	const struct seal_input input = seal_input_of(domain);
	struct crypt_seal rest;
	const bool is_rest_right = error_is_damage(why) && seal_compute(&input, stored, &rest, err) && seal_matches(domain, &rest, stored);

	if (!is_rest_right)
		return error_is_damage(why) ? sealing_differs(checking, false, err, "%s", why->text) : (*err = *why, false);
	if (options->accept_index) {
		volume_warn(domain->volume, "the index of the sealing is damaged: %s; the whole subvolume is checked instead", why->text);
		return true;
	}
	return sealing_differs(checking, options->accept_changes, err, "its index, which proves single files, is damaged: %s", why->text);
}

/* Everything that was sealed is there: the header, which has two copies, vouches for the same facts as the damaged item. */
static bool item_differs(const struct checking *checking, bool found, struct error *err)
{
	const struct domain_view_options *options = checking->options;
	const char *what = found ? "its seal item is damaged" : SEAL_MISSING;

	if (options->accept_index) {
		volume_warn(checking->view->domain->volume, "sealing %u: %s; its header has the same seal, and everything matches it",
			    checking->view->domain->header.domain, what);
		return true;
	}
	return sealing_differs(checking, options->accept_changes, err, "%s; its header has the same seal, and everything matches it", what);
}

static bool check_seal(const struct checking *checking, struct error *err)
{
	const struct domain_view *view = checking->view;
	const struct domain *domain = view->domain;
	const struct crypt_header *header = &domain->header;
	const struct seal_input input = seal_input_of(domain);
	struct crypt_seal now, stored;
	struct error why = { 0 };
	bool found;

	/* This damage was already reported, and no value that is computed from the rest can be right. */
	if (view->units->damage.kind != ERROR_NONE || view->inlines->damage.kind != ERROR_NONE)
		return true;
	if (view->units->n_units != header->n_units || view->units->n_items != header->n_unit_items ||
	    view->inlines->n != header->n_inline_units)
		return sealing_differs(checking, false, err,
			       "it has %" PRIu64 " runs of tags in %" PRIu64 " items and %zu single tags, but its header says %" PRIu64
			       ", %" PRIu64 " and %" PRIu64, view->units->n_units, view->units->n_items, view->inlines->n, header->n_units,
			       header->n_unit_items, header->n_inline_units);
	if (!seal_read(domain->volume, header->domain, &stored, &found, &why)) {
		if (!error_is_damage(&why))
			return *err = why, false;
		found = false;
	}
	why = (struct error){ 0 };
	if (!seal_compute(&input, NULL, &now, &why))
		return found ? index_differs(checking, &stored, &why, err) : sealing_differs(checking, false, err, SEAL_MISSING);
	if (found && seal_matches(domain, &now, &stored))
		return true;
	if (secret_same(now.seal, header->seal, sizeof(now.seal)))
		return item_differs(checking, found, err);
	if (!found)
		return sealing_differs(checking, false, err, SEAL_MISSING);
	if (now.n_index_entries != header->n_index_entries || now.n_bad_blocks != header->n_bad_blocks)
		error_set(&why, ERROR_CORRUPT, "it has %" PRIu64 " index entries and %" PRIu64 " bad blocks, but its header says %" PRIu64
			" and %" PRIu64,
			  now.n_index_entries, now.n_bad_blocks, header->n_index_entries, header->n_bad_blocks);
	else
		error_set(&why, ERROR_CORRUPT, "the seal does not match its tags, index and subvolumes");
	return index_differs(checking, &stored, &why, err);
}

/* --- trees ------------------------------------------------------------------------------------------------------ */

static int compare_digests(const void *a, const void *b)
{
	const struct crypt_member *const *x = a, *const *y = b;

	return memcmp((*x)->digest, (*y)->digest, CRYPT_MAC_SIZE);
}

/* Sorts the members by digest. Digests are no secret: the image holds them. */
static const struct crypt_member **sort_by_digest(const struct domain *domain)
{
	const struct crypt_member **sorted = reallocarray(NULL, domain->n_members + 1, sizeof(const struct crypt_member *));

	for (size_t m = 0; sorted && m < domain->n_members; m++)
		sorted[m] = &domain->members[m];
	if (sorted)
		qsort(sorted, domain->n_members, sizeof(*sorted), compare_digests);
	return sorted;
}

/* A member must have its own digest. A snapshot that was made since may have the digest of any member: it may be a snapshot of a snapshot. */
static bool digest_is_known(const struct domain_view *view, const struct crypt_member **sorted, size_t i,
			    const uint8_t digest[CRYPT_MAC_SIZE])
{
	const struct subvolume *subvolume = subvolume_by_id(view->list, view->ids[i]);
	const struct crypt_member *member = subvolume ? domain_member_of(view->domain, subvolume) : NULL;
	struct crypt_member wanted;
	const struct crypt_member *const key = &wanted;

	if (member)
		return secret_same(member->digest, digest, CRYPT_MAC_SIZE);
	memcpy(wanted.digest, digest, CRYPT_MAC_SIZE);
	return bsearch(&key, sorted, view->domain->n_members, sizeof(*sorted), compare_digests);
}

static bool tree_differs(const struct checking *checking, size_t i, struct error *err)
{
	const struct domain_view *view = checking->view;
	const struct crypt_member *member = domain_member(view->domain, view->source[i]);

	return file_differs(checking, checking->options->accept_changes, &view->scan->tree[i], 0, err,
			    "its tree has changed since it was sealed: %" PRIu64 " items now, %" PRIu64 " then", view->sums[i].n_items,
			    member ? member->n_items : 0) ||
	       error_hint(err, "files were added, removed, renamed or edited since; --accept-changes (with --accept-unsealed for "
			  "new data) goes on anyway");
}

static bool tell_change(void *context, const char *path, const char *what, struct error *err)
{
	const struct checking *checking = context;
	const struct domain_view_options *options = checking->options;

	/* If the first difference becomes the error, report all of them before. */
	return differs(checking, options->accept_changes || !options->bad, path, err, what);
}

/* Reports each subvolume that is not as it was sealed, and each changed inode that the index can name. */
static bool tell_changes(const struct checking *checking, const bool *is_changed, struct error *err)
{
	const struct domain_view *view = checking->view;
	const bool is_error = !checking->options->bad && !checking->options->accept_changes;
	size_t first = view->n_ids;

	for (size_t i = 0; i < view->n_ids; i++) {
		if (!is_changed[i])
			continue;
		if (first == view->n_ids)
			first = i;
		if (!is_error && !tree_differs(checking, i, err))
			return false;
	}
	return domain_changes_tell(view, is_changed, checking->options->accept_changes, tell_change, (void *)checking, err) &&
	        (!is_error || tree_differs(checking, first, err));
}

static bool check_digests(const struct checking *checking, bool *changed, struct error *err)
{
	struct domain_view *view = checking->view;
	const struct digest_input input = {
		.kind = DIGEST_SEALED,
		.scan = view->scan,
		.schedule = view->domain->schedule,
		.units = view->units,
		.inlines = view->inlines,
		.over = true,
	};
	const struct crypt_member **sorted = NULL;
	bool *is_changed = NULL, ok = false;

	free(view->sums);
	view->sums = calloc(view->n_ids, sizeof(*view->sums));
	if (!view->sums)
		return error_memory(err);
	if (!digest_members(&input, view->sums, err))
		return false;
	sorted = sort_by_digest(view->domain);
	is_changed = calloc(view->n_ids, sizeof(*is_changed));
	if (!sorted || !is_changed) {
		error_memory(err);
		goto out;
	}
	for (size_t i = 0; i < view->n_ids; i++) {
		uint8_t digest[CRYPT_MAC_SIZE];

		if (!digest_finish(view->domain->schedule, &view->sums[i], digest, err))
			goto out;
		is_changed[i] = !digest_is_known(view, sorted, i, digest);
		*changed |= is_changed[i];
	}
	ok = !*changed || tell_changes(checking, is_changed, err);
out:
	free(sorted);
	free(is_changed);
	return ok;
}

/* --- what could not be followed ---------------------------------------------------------------------------------------- */

static bool tell_bad(const struct checking *checking, const struct scan_bad *bad, bool is_error, struct error *err)
{
	return file_differs(checking, !is_error, &checking->view->scan->tree[bad->member], bad->inode, err, "%s", bad->what);
}

/* Reports damage to the items of the domain. Files are reported through what they lack. */
static bool tell_damage(const struct checking *checking, const struct error *damage, struct error *err)
{
	return damage->kind == ERROR_NONE || sealing_differs(checking, false, err, "%s", damage->text);
}

/*
 * Damage that cannot be followed is never accepted: the data behind it would stay as they are, and no key for them would be left. If the first
 * damage becomes the error, all of it is reported before.
 */
static bool check_followed(const struct checking *checking, struct error *err)
{
	const struct scan *scan = checking->view->scan;
	const bool is_error = !checking->options->bad;

	for (size_t i = 0; i < scan->n_bad; i++) {
		if (!tell_bad(checking, &scan->bad[i], !is_error, err))
			return false;
	}
	if (!tell_damage(checking, &checking->view->units->damage, err) || !tell_damage(checking, &checking->view->inlines->damage, err))
		return false;
	return !is_error || scan->n_bad == 0 || tell_bad(checking, &scan->bad[0], true, err) ||
	       error_hint(err, "nothing was changed; what this item leads to would be lost with the keys; `btrfs-crypt export` saves "
	       	"everything else");
}

bool domain_view_check_trees(struct domain_view *view, const struct domain_view_options *options, bool *changed, struct error *err)
{
	const struct checking checking = { view, options };

	*changed = false;
	return check_followed(&checking, err) && check_seal(&checking, err) && check_digests(&checking, changed, err);
}

/* Reports members of the domain that can no longer be reached, although the trees that lead to them are unchanged. */
bool domain_view_check_nested(struct domain_view *view, const struct domain_view_options *options, bool *changed, struct error *err)
{
	const struct checking checking = { view, options };
	cleanup_member_places struct member_places places = { 0 };

	if (!member_places_read(view->list, &places, err))
		return false;
	for (size_t i = 0; i < places.lost.n; i++) {
		const struct lost_place *lost = &places.lost.at[i];

		if (!lost->member || lost->member->domain != view->domain->number)
			continue;
		*changed = true;
		if (!differs(&checking, options->accept_changes, lost->path, err, lost->text))
			return error_hint(err, "the root tree was changed or is damaged; --accept-changes goes on anyway");
	}
	return true;
}

/* --- what has no unit ---------------------------------------------------------------------------------------------- */

static bool unsealed(const struct checking *checking, const struct tree *tree, uint64_t inode, uint64_t first, uint64_t last,
		     const char *why, struct error *err)
{
	checking->view->n_unsealed++;
	return file_differs(checking, checking->options->accept_unsealed, tree, inode, err, "bytes %" PRIu64 " to %" PRIu64 " %s", first, last, why) ||
	       error_hint(err, "--accept-unsealed takes them as they are");
}

static bool check_payload(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err)
{
	const struct checking *checking = context;
	const struct domain_view *view = checking->view;
	const struct tree *tree = &view->scan->tree[leaf->member];
	const uint64_t last = payload->offset + payload->bytes.left - 1;
	struct inline_payload own = *payload;
	struct crypt_inline_unit unit;
	bool found, had, left_out;

	own.root = view->source[leaf->member];
	if (!inline_map_find(&(struct inline_search){ view->inlines, view->domain->schedule, &own, PAYLOAD_SEALED, NULL }, &unit, &found, err))
		return false;
	if (found)
		return true;
	if (!payload_is_left_out(view->scan, leaf, payload, &left_out, err) || !inline_map_has(view->inlines, &own, &had, err))
		return false;
	if (left_out)
		return true;
	/* A tag failure is never accepted. */
	return had ? file_differs(checking, false, tree, payload->inode, err, "bytes %" PRIu64 " to %" PRIu64 " fail authentication", payload->offset, last) :
		     unsealed(checking, tree, payload->inode, payload->offset, last, "are not sealed: written later, or damaged", err);
}

struct extent_check {
	const struct checking *checking;
	const struct scan_extent *extent;
	bool damaged;		/* it is known which unit the extent had, but no block of it is as it was sealed */
};

static bool part_without_unit(void *context, const struct extent_part *part, struct error *err)
{
	const struct extent_check *check = context;
	const struct domain_view *view = check->checking->view;
	const struct scan_extent *extent = check->extent;
	const struct tree *tree = &view->scan->tree[extent->member];

	if (!extent->marked)
		return unsealed(check->checking, tree, extent->inode, part->first, part->last,
				part->unused ? "of an extent, which the file does not use, are not sealed: written later"
					     : "are not sealed: written later", err);
	return file_differs(check->checking, false, tree, extent->inode, err, "bytes %" PRIu64 " to %" PRIu64 "%s %s (data at %" PRIu64 ")", part->first,
			    part->last, part->unused ? " of an extent" : "",
			    check->damaged ? "fail authentication on every mirror" : "are marked as sealed, but no tag matches", extent->logical);
}

/* strict: an extent so damaged that it was only matched by a guess is also wrong. */
static bool check_extents(const struct checking *checking, bool strict, struct error *err)
{
	const struct domain_view *view = checking->view;

	for (size_t i = 0; i < view->scan->n_extents; i++) {
		const struct scan_extent *extent = &view->scan->extent[i];
		struct extent_check check = { .checking = checking, .extent = extent };
		struct unit_group group;

		check.damaged = unit_map_at(view->units, extent->logical, &group);
		if (check.damaged && !(strict && group.guessed))
			continue;
		if (!extent_parts(view->scan, extent, 0, extent->length, part_without_unit, &check, err))
			return false;
	}
	return true;
}

bool domain_view_check_unsealed(struct domain_view *view, const struct domain_view_options *options, bool changed, struct error *err)
{
	struct checking checking = { view, options };

	/* An unchanged tree has no payload without a unit: the digest proves it. */
	return check_extents(&checking, false, err) &&
	       (!changed || payloads_visit(view->scan, check_payload, &checking, err));
}

bool domain_view_check(struct domain_view *view, const struct domain_view_options *options, bool *changed, struct error *err)
{
	struct checking checking = { view, options };

	/* Always check payloads: nothing else is known about those that no digest covers. */
	return domain_view_check_trees(view, options, changed, err) && domain_view_check_nested(view, options, changed, err) &&
	       check_extents(&checking, true, err) &&
	       payloads_visit(view->scan, check_payload, &checking, err);
}
