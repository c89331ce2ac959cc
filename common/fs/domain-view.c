/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking at a domain as it is now. */
#include "common/fs/domain-view.h"

#include <stdlib.h>

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
