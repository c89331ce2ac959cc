/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares refusing, including and copying. */
#include "common/convert/sharing-tell.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/copy-plan.h"
#include "common/util/plural.h"
#include "common/util/sorted64.h"

static void tell_copy(struct conversion *c, const struct scan *scan, const struct copy_plan *plan)
{
	char name[160];

	for (size_t i = 0; i < plan->n_keepers; i++)
		conversion_note(c, "shared with %s: %" PRIu64 " bytes of data", subvolume_name(&c->list, plan->keeper[i].id, name),
				plan->keeper[i].bytes);
	conversion_note(c, "--shared=refuse: nothing is sealed");
	conversion_note(c, "--shared=copy: seals %zu subvolume%s with %" PRIu64 " bytes of data; copies %" PRIu64 " bytes of data and %zu tree "
			"blocks of %" PRIu32 " bytes first, and up to %" PRIu64 " bytes of metadata are added for that", scan->n_members,
			plural(scan->n_members), scan->data_bytes, plan->data_bytes, plan->n_blocks, scan->volume->super.node_size,
			plan->n_new_blocks * scan->volume->super.node_size);
}

static bool widen(uint64_t **ids, size_t *n, const struct sharer *sharers, size_t n_sharers, struct error *err)
{
	uint64_t *const grown = reallocarray(*ids, *n + n_sharers, sizeof(*grown));

	if (!grown)
		return error_memory(err);
	for (size_t i = 0; i < n_sharers; i++)
		grown[*n + i] = sharers[i].id;
	*ids = grown;
	*n = sort64_unique(grown, *n + n_sharers);
	return true;
}

/* The set that including would come to. */
static bool tell_include(struct conversion *c, uint64_t **ids, size_t n, struct error *err)
{
	for (;;) {
		cleanup_scan struct scan *scan = NULL;
		struct sharer *sharers = NULL;
		size_t n_sharers = 0;
		bool ok;

		if (!scan_run(c->volume, *ids, n, &scan, err) || !sharing_find(scan, &sharers, &n_sharers, err))
			return false;
		if (n_sharers == 0) {
			free(sharers);
			conversion_note(c, "--shared=include: seals %zu subvolume%s with %" PRIu64 " bytes of data, and %zu leaves of %" PRIu32 " bytes",
					scan->n_members, plural(scan->n_members), scan->data_bytes, scan->n_leaves, c->volume->super.node_size);
			return true;
		}
		ok = widen(ids, &n, sharers, n_sharers, err);
		free(sharers);
		if (!ok)
			return false;
	}
}

bool sharing_tell(struct conversion *c, const uint64_t *ids, size_t n, struct error *err)
{
	cleanup_scan struct scan *scan = NULL;
	struct copy_plan *plan = NULL;
	uint64_t *all;
	bool ok;

	if (!scan_run(c->volume, ids, n, &scan, err) || !copy_plan_make(scan, &plan, err))
		return false;
	if (!plan)
		return true;
	all = reallocarray(NULL, n, sizeof(*all));
	ok = all ? copy_plan_keepers(plan, scan, err) : error_memory(err);
	if (ok) {
		memcpy(all, ids, n * sizeof(*all));
		tell_copy(c, scan, plan);
		ok = tell_include(c, &all, n, err);
	}
	copy_plan_free(plan);
	free(all);
	return ok;
}
