/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking at a domain as it is now. */
#include "common/fs/domain-view.h"

#include <inttypes.h>
#include <stdlib.h>

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

/*
 * The member that a subvolume of the domain is, or descends from by snapshots; 0: none that the chain reaches.  Where the chain is broken and
 * there is only one member, it is that one.
 */
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
	return domain->n_members == 1 ? domain->members[0].id : 0;
}

static bool has_tag(const struct domain *domain, const struct subvolume *subvolume)
{
	struct le32 hash;

	memcpy(&hash, domain->header.kcv, sizeof(hash));
	return subvolume->root.algorithm[0] != 0 && subvolume->root.key_hash == le32(hash);
}

struct looking {
	const struct inline_map *inlines;
	const struct key_schedule *schedule;
	bool found;
};

static bool look_at_payload(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err)
{
	struct looking *looking = context;
	struct crypt_inline_unit unit;

	(void)leaf;
	return looking->found || inline_map_find(looking->inlines, looking->schedule, payload, true, &unit, NULL, &looking->found, err);
}

static bool payload_verifies(const struct domain *domain, const struct scan *scan, bool *verifies, struct error *err)
{
	cleanup_inline_map struct inline_map *inlines = NULL;
	struct looking looking = { .schedule = domain->schedule };

	if (!inline_map_read(domain->volume, domain->header.domain, &inlines, err))
		return false;
	looking.inlines = inlines;
	if (!payloads_visit(scan, look_at_payload, &looking, err))
		return false;
	*verifies = looking.found;
	return true;
}

/* The chain of snapshots may be broken: then an extent or inline unit that verifies decides. */
static bool content_verifies(const struct domain *domain, uint64_t id, uint64_t boundary, bool *verifies, struct error *err)
{
	cleanup_unit_map struct unit_map *units = NULL;
	cleanup_scan struct scan *scan = NULL;

	if (!scan_run(domain->volume, &id, 1, &scan, err) ||
	    !unit_map_read(domain->volume, domain->header.domain, &units, err) ||
	    !unit_map_join(units, scan, domain->schedule, boundary, err))
		return false;
	*verifies = units->n_joined > 0;
	return *verifies || payload_verifies(domain, scan, verifies, err);
}

static bool belongs_to(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume,
		       uint64_t boundary, bool *belongs, struct error *err)
{
	*belongs = domain_has(domain, list, subvolume);
	return *belongs || !has_tag(domain, subvolume) || content_verifies(domain, subvolume->id, boundary, belongs, err);
}

bool domain_view_check_named(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume,
			     struct error *err)
{
	bool belongs;

	if (!belongs_to(domain, list, subvolume, UNIT_PLACE_END, &belongs, err))
		return false;
	return belongs || error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 " has the tag of domain %u, but nothing in it was sealed there",
				    subvolume->id, domain->number);
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
		bool belongs;

		if (only && only->id != subvolume->id)
			continue;
		if (!belongs_to(view->domain, list, subvolume, boundary, &belongs, err))
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
