/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes over a sealing that was opened: what belongs to it, and what is left of its subvolumes. */
#include "common/convert/take-domain.h"

#include <inttypes.h>

#include "common/convert/bad-blocks.h"
#include "common/sealed/domain-view.h"
#include "common/util/take.h"

/* Takes over what the view found. */
static bool take_view(struct conversion *c, struct domain_view *view, struct error *err)
{
	struct domain *domain = view->domain;

	c->scan = TAKE(view->scan);
	c->units = TAKE(view->units);
	c->inlines = TAKE(view->inlines);
	c->flags_member = TAKE(view->source);
	/* The records know no such member, but its number may be that of a lost member that they do know. */
	for (size_t i = 0; i < view->n_ids; i++) {
		if (c->flags_member[i] == 0 && !domain_member(domain, view->ids[i]))
			c->flags_member[i] = view->ids[i];
	}
	c->header = domain->header;
	c->schedule = TAKE(domain->schedule);
	c->flags = domain->inode_flags;
	c->n_flags = domain->n_inode_flags;
	domain->inode_flags = NULL;
	domain->n_inode_flags = 0;
	c->members = domain->members;
	c->n_members = domain->n_members;
	domain->members = NULL;
	domain->n_members = 0;
	return mac_new(c->schedule, "nonce", NULL, 0, &c->nonce_mac, err);
}

bool conversion_take_domain(struct conversion *c, struct domain *domain, uint64_t boundary, bool check,
			    const struct domain_view_options *options, bool *changed, struct error *err)
{
	struct domain_view view;
	bool ok;

	*changed = false;
	if (!domain_view_open(domain, &c->list, NULL, boundary, &view, err))
		return false;
	c->has_every_extent = view.units->n_joined == view.units->n_groups && view.units->damage.kind == ERROR_NONE;
	/* An extent damaged beyond recognition is where its units say it was sealed. */
	if (damage_skips(c) || c->bad.n > 0)
		unit_map_join_expected(view.units);
	if (!check && (view.units->damage.kind != ERROR_NONE || view.inlines->damage.kind != ERROR_NONE))
		*err = view.units->damage.kind != ERROR_NONE ? view.units->damage : view.inlines->damage, ok = false;
	else if (!check && view.scan->n_bad > 0)
		ok = error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 ": %s", view.scan->member[view.scan->bad[0].member], view.scan->bad[0].what);
	else
		ok = (!check || domain_view_check(&view, options, changed, err)) && take_view(c, &view, err);
	domain_view_close(&view);
	return ok;
}
