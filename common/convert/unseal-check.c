/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/unseal-check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/check-units.h"
#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/plan-room.h"
#include "common/convert/plan.h"
#include "common/convert/preflight.h"
#include "common/convert/run.h"
#include "common/convert/sharing.h"
#include "common/convert/take-domain.h"
#include "common/convert/wipe.h"
#include "common/sealed/domain-strays.h"
#include "common/sealed/domain-view.h"
#include "common/sealed/member-places.h"
#include "common/sealed/payloads.h"
#include "common/util/escape.h"
#include "common/util/plural.h"
#include "common/util/set64.h"

static bool refuse_sharers(struct conversion *c, struct error *err)
{
	struct sharer *sharers = NULL;
	size_t n = 0;
	bool ok = sharing_find(c->scan, &sharers, &n, err);

	if (ok && n > 0)
		ok = error_set(err, ERROR_REFUSED, "subvolume %" PRIu64 " was not sealed with it, but shares %" PRIu64 " tree block%s and %" PRIu64
			       " extent%s with it", sharers[0].id, sharers[0].n_blocks, plural(sharers[0].n_blocks), sharers[0].n_extents,
			       plural(sharers[0].n_extents));
	free(sharers);
	return ok;
}

/* --- what cannot be read outside the sealed subvolumes ---------------------------------------------------------------- */

struct finding_inlines {
	const struct conversion *c;
	struct set64 found;	/* places */
};

static bool find_inline(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err)
{
	struct finding_inlines *finding = context;
	const struct inline_search search = { finding->c->inlines, finding->c->schedule, payload, PAYLOAD_SEALED, NULL };
	struct crypt_inline_unit unit;
	bool found;

	(void)leaf;
	return inline_map_find(&search, &unit, &found, err) &&
	       (!found || set64_add(&finding->found, unit.place, NULL, err));
}

/* Is everything that was sealed in the subvolumes to be unsealed? Then no other subvolume holds the only copy of any of it. */
static bool is_all_here(const struct conversion *c, bool *all, struct error *err)
{
	struct finding_inlines finding = { .c = c };
	bool ok = true;

	*all = c->has_every_extent && c->inlines->damage.kind == ERROR_NONE;
	if (*all) {
		ok = payloads_visit(c->scan, find_inline, &finding, err);
		*all = ok && set64_count(&finding.found) == c->inlines->n;
	}
	set64_free(&finding.found);
	return ok;
}

struct outside {
	const struct conversion *c;
	bool accept;
	enum { NOT_ASKED, NOT_ALL, ALL } here;
};

static bool lose(struct outside *outside, uint64_t id, const char *what, struct error *err)
{
	const struct conversion *c = outside->c;
	char name[160];
	bool all;

	if (outside->here == NOT_ASKED) {
		if (!is_all_here(c, &all, err))
			return false;
		outside->here = all ? ALL : NOT_ALL;
	}
	if (subvolume_by_id(&c->list, id))
		subvolume_name(&c->list, id, name);
	else
		snprintf(name, sizeof(name), "%" PRIu64, id);
	if (outside->here == ALL) {
		conversion_note(c, "subvolume %s, which is not unsealed: %s; nothing that was sealed here can be lost in it", name, what);
		return true;
	}
	if (outside->accept) {
		conversion_note(c, "subvolume %s, which is not unsealed: %s; data that were sealed here and exist only in it are lost", name,
			what);
		return true;
	}
	error_set(err, ERROR_CORRUPT, "subvolume %s, which is not to be unsealed: %s; nothing was changed", name, what);
	return error_hint(err, "some of the data sealed here were not found: they may be in there, and are lost once the keys are "
		"removed; --accept-changes goes on anyway");
}

static bool lose_outside(void *context, const struct subvolume *subvolume, const char *what, struct error *err)
{
	return lose(context, subvolume->id, what, err);
}

static bool lose_roots(struct outside *outside, struct error *err)
{
	const struct subvolume_list *list = &outside->c->list;

	for (size_t i = 0; i < list->n_lost; i++) {
		if (!list->lost[i].is_path && !lose(outside, list->lost[i].id, list->lost[i].what, err))
			return false;
	}
	return true;
}

/* A subvolume that is to be unsealed needs its root item. For all others, say what is damaged. */
static bool check_lost(const struct conversion *c, const struct domain *domain, struct error *err)
{
	for (size_t i = 0; i < c->list.n_lost; i++) {
		const struct subvolume_lost *lost = &c->list.lost[i];

		if (!lost->is_path && domain_member(domain, lost->id))
			return error_set(err, ERROR_CORRUPT, "sealed subvolume %" PRIu64 ": %s; nothing was changed", lost->id, lost->what);
		if (lost->is_path)
			conversion_note(c, "subvolume %" PRIu64 ": %s", lost->id, lost->what);
	}
	return true;
}

/* --- strays: sealed data that belong to no member ------------------------------------------------------------------------ */

static bool refuse_stray(void *context, const struct subvolume *subvolume, const char *what, struct error *err)
{
	const struct outside *outside = context;
	char name[160];

	subvolume_name(&outside->c->list, subvolume->id, name);
	error_set(err, ERROR_CORRUPT, "subvolume %s: %s; nothing was changed", name, what);
	return error_hint(err, "unsealing removes the keys, and without them what is sealed there would be lost");
}

/* Sealed data that cannot be assigned any more still need the keys, which are removed at the end. */
static bool refuse_strays(struct conversion *c, bool accept, struct error *err)
{
	const struct domain domain = { .volume = c->volume, .header = c->header, .schedule = c->schedule };
	cleanup_unit_seeker struct unit_seeker *seeker = NULL;
	cleanup_strays struct strays *strays = NULL;
	struct stray_key key = { NULL, c->schedule, c->inlines };
	struct outside outside = { .c = c, .accept = accept };

	if (!c->has_every_extent) {
		if (!unit_seeker_new(&domain, &seeker, err))
			return false;
		key.seeker = seeker;
	}
	return strays_open(&c->list, c->header.domain, c->scan->member, c->scan->n_members, &strays, err) &&
	       strays_by_tag(strays, refuse_stray, &outside, err) && refuse_sharers(c, err) && lose_roots(&outside, err) &&
	       strays_by_content(strays, &key, refuse_stray, lose_outside, &outside, err);
}

static bool note_taken(void *context, const struct place_finding *finding, const char *text, struct error *err)
{
	const struct conversion *c = context;

	(void)err;
	if (finding->place->domain == c->header.domain && (finding->doubt == PLACE_NUMBER || finding->doubt == PLACE_TAKEN))
		conversion_note(c, "%s", text);
	return true;
}

/* Nothing is unsealed for members that are gone. Whatever stands in their place or has their number stays as it is. */
static bool note_gone(struct conversion *c, struct error *err)
{
	cleanup_member_places struct member_places places = { 0 };

	for (size_t i = 0; i < c->n_members; i++) {
		const struct crypt_member *member = &c->members[i];
		const struct subvolume *subvolume = subvolume_by_id(&c->list, member->id);
		char path[256];

		if (subvolume && subvolume_has_uuid(subvolume, member->uuid))
			continue;
		escape_text(member->path, member->path_len, path, sizeof(path));
		conversion_note(c, "sealed subvolume %" PRIu64 " (%s) no longer exists", member->id, path);
	}
	if (!member_places_read(&c->list, &places, err))
		return false;
	for (size_t i = 0; i < c->list.n; i++) {
		if (!member_places_tell(&places, &c->list.at[i], note_taken, c, err))
			return false;
	}
	return true;
}

/* An older copy of the image, put back, is as authentic as this one. Only someone who knows the seal can tell. The header is authentic. */
static bool seal_expected(const struct domain *domain, const uint8_t *expect, struct error *err)
{
	if (!expect || secret_same(domain->header.seal, expect, CONVERT_FINGERPRINT))
		return true;
	error_set(err, ERROR_CORRUPT, "the seal fingerprint is not the expected one; nothing was changed");
	return error_hint(err, "this is another sealing, perhaps in an older copy of the image");
}

/* What is left of one that a kernel has begun to delete cannot be unsealed, and is found damaged. */
static bool check_living(const struct conversion *c, const struct domain *domain, struct error *err)
{
	for (size_t i = 0; i < c->list.n; i++) {
		const struct subvolume *at = &c->list.at[i];

		if (at->deleted && (domain_member_of(domain, at) || domain_has_tag(domain, &at->root)))
			return refuse_dead(at->id, ", and is sealed with it", err);
	}
	return true;
}

bool unseal_find(struct conversion *c, const char *name, const struct subvolume **subvolume, struct domain **domain, struct error *err)
{
	char text[160];

	if (!subvolume_list_read_over(c->volume, &c->list, err) || !preflight_features(c->volume, err) ||
	    !subvolume_find(&c->list, name, subvolume, err) || !domain_find(c->volume, &c->list, *subvolume, domain, err))
		return false;
	if (*domain)
		return true;
	subvolume_name(&c->list, (*subvolume)->id, text);
	return error_set(err, ERROR_REFUSED, "subvolume %s is not sealed", text);
}

bool unseal_check(struct conversion *c, struct domain *domain, const struct subvolume *subvolume, const struct unseal_options *options,
		  bool *changed, struct error *err)
{
	const struct domain_view_options check = {
		.accept_changes = options->accept_changes,
		.accept_unsealed = options->accept_unsealed,
		.note = c->ui ? c->ui->note : NULL,
		.context = c->ui ? c->ui->context : NULL,
	};

	if (domain->header.state != CRYPT_STATE_SEALED)
		return domain_is_unfinished_error(domain, err);
	c->header = domain->header;
	if (!check_living(c, domain, err) || !check_lost(c, domain, err) || !seal_expected(domain, options->expect_seal, err) ||
	    !domain_check_finished(c->volume, domain, err) || !bad_blocks_read(c, err) ||
	    !domain_view_check_named(domain, &c->list, subvolume, err) || !domain_check_all_replaced(domain, &c->list, err))
		return false;
	if (!conversion_take_domain(c, domain, UNIT_PLACE_END, true, &check, changed, err))
		return err->kind == ERROR_CORRUPT && err->hint[0] == '\0' ? error_hint(err, "nothing was changed; `btrfs-crypt "
			"export` saves what can be read") : false;
	return note_gone(c, err) && refuse_strays(c, options->accept_changes, err) && preflight_trees(c->volume, err) &&
	       csums_complete(c, err) && wipe_check_free(c->volume, c->ui, err) && units_check(c, options->dry_run, err);
}
