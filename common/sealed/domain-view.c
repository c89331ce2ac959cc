/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at a domain as it is now. */
#include "common/sealed/domain-view.h"

#include <inttypes.h>
#include <stdlib.h>

bool domain_view_check_named(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume,
			     struct error *err)
{
	bool belongs = domain_has(domain, list, subvolume) || !domain_has_tag(domain, &subvolume->root);

	if (!belongs && !domain_content_verifies(domain, &subvolume->id, 1, UNIT_PLACE_END, &belongs, err))
		return false;
	return belongs || error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 " has the tag of sealing %u, but nothing in it was sealed there",
				    subvolume->id, domain->number);
}

/*
 * Chooses, among the subvolumes with the tag that no chain leads to, those whose content verifies.
 * If there is only one member, they come from it.
 */
static bool ask_content(const struct domain_view *view, const struct subvolume *only, uint64_t boundary, bool *belongs, struct error *err)
{
	const struct subvolume_list *list = view->list;
	uint64_t *ids = reallocarray(NULL, list->n + 1, sizeof(*ids));
	size_t *index = reallocarray(NULL, list->n + 1, sizeof(*index)), n = 0;
	bool *verifies = calloc(list->n + 1, sizeof(*verifies));
	bool ok = ids && index && verifies ? true : error_memory(err);

	for (size_t i = 0; ok && i < list->n; i++) {
		if (belongs[i] || (only && only->id != list->at[i].id) || !domain_has_tag(view->domain, &list->at[i].root))
			continue;
		ids[n] = list->at[i].id;
		index[n++] = i;
	}
	ok = ok && (n == 0 || domain_content_verifies(view->domain, ids, n, boundary, verifies, err));
	for (size_t i = 0; ok && i < n; i++)
		belongs[index[i]] = verifies[i];
	free(ids);
	free(index);
	free(verifies);
	return ok;
}

static bool take_ids(struct domain_view *view, const struct subvolume *only, const uint64_t *sources, const bool *belongs,
		     struct error *err)
{
	const struct domain *domain = view->domain;
	const struct subvolume_list *list = view->list;

	view->ids = calloc(list->n ? list->n : 1, sizeof(*view->ids));
	view->source = calloc(list->n ? list->n : 1, sizeof(*view->source));
	if (!view->ids || !view->source)
		return error_memory(err);
	for (size_t i = 0; i < list->n; i++) {
		if (!belongs[i] || (only && only->id != list->at[i].id))
			continue;
		view->ids[view->n_ids] = list->at[i].id;
		view->source[view->n_ids++] = sources[i] ? sources[i] : domain->n_members == 1 ? domain->members[0].id : 0;
	}
	return view->n_ids > 0 || error_set(err, ERROR_NOT_FOUND, "no subvolume that was sealed together with it is left");
}

static bool find_ids(struct domain_view *view, const struct subvolume *only, uint64_t boundary, struct error *err)
{
	const struct subvolume_list *list = view->list;
	bool *belongs = calloc(list->n ? list->n : 1, sizeof(*belongs));
	uint64_t *sources = NULL;
	bool ok = belongs ? domain_sources(view->domain, list, &sources, err) : error_memory(err);

	for (size_t i = 0; ok && i < list->n; i++)
		belongs[i] = sources[i] != 0;
	ok = ok && ask_content(view, only, boundary, belongs, err) && take_ids(view, only, sources, belongs, err);
	free(belongs);
	free(sources);
	return ok;
}

static bool join(struct domain_view *view, uint64_t boundary, bool by_place, struct error *err)
{
	const struct domain *domain = view->domain;

	if (!(by_place ? unit_map_read : unit_map_read_over)(domain->volume, domain->header.domain, &view->units, err))
		return false;
	view->units->by_place = by_place;
	return unit_map_join(view->units, view->scan, domain->schedule, boundary, err);
}

static bool open_view(struct domain *domain, const struct subvolume_list *list, const struct subvolume *only, uint64_t boundary, bool by_place,
		      struct domain_view *view, struct error *err)
{
	*view = (struct domain_view){ .domain = domain, .list = list };
	if (!find_ids(view, only, boundary, err) ||
	    !(by_place ? scan_run : scan_run_over)(domain->volume, view->ids, view->n_ids, &view->scan, err) ||
	    !join(view, boundary, by_place, err) || (boundary == UNIT_PLACE_END && !unit_map_guess(view->units, err)) ||
	    !(by_place ? inline_map_read : inline_map_read_over)(domain->volume, domain->header.domain, &view->inlines, err)) {
		domain_view_close(view);
		return false;
	}
	return true;
}

bool domain_view_open(struct domain *domain, const struct subvolume_list *list, const struct subvolume *only, uint64_t boundary,
		      struct domain_view *view, struct error *err)
{
	return open_view(domain, list, only, boundary, false, view, err);
}

bool domain_view_open_by_place(struct domain *domain, const struct subvolume_list *list, const struct subvolume *only,
			       struct domain_view *view, struct error *err)
{
	return open_view(domain, list, only, UNIT_PLACE_END, true, view, err);
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
