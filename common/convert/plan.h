/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an encryption would do: which subvolumes, and what they hold. */
#ifndef COMMON_CONVERT_PLAN_H
#define COMMON_CONVERT_PLAN_H

#include "common/convert/conversion.h"
#include "common/convert/survey.h"

struct encrypt_plan {
	uint64_t *ids;		/* ascending */
	size_t n_ids;
	struct survey survey;
	bool tells_sharing;	/* notes what each way to deal with it would take */
	const char *becoming;	/* "sealed": what the subvolumes are to be, for messages */
};
void encrypt_plan_free(struct encrypt_plan *plan);

/*
 * Resolves names, widens the set as asked, and refuses what cannot be converted. Fills c->scan, c->flags, the members in c->list, and the
 * numbers of c->plan that need no allocator.
 */
bool plan_members(struct conversion *c, const char *const *names, const struct convert_encrypt_options *options,
		  struct encrypt_plan *plan, struct error *err) must_use;

/* The ids that the names stand for, of c->list; recursive: with all that is nested in them. */
bool plan_resolve(struct conversion *c, const char *const *names, bool recursive, struct encrypt_plan *plan, struct error *err) must_use;
/* Fills c->scan; widens the set, as asked, until nothing outside shares with it. */
bool plan_close_set(struct conversion *c, enum convert_shared shared, struct encrypt_plan *plan, struct error *err) must_use;

/* Fills c->plan from c->copy: what is copied, and who keeps it in plain text. */
bool plan_keepers(struct conversion *c, struct error *err) must_use;

/* What a sealing keeps of a subvolume, without digest. */
void plan_member(const struct subvolume *subvolume, struct crypt_member *member);

/* Fills c->plan from c->scan, for reports of conversions that were planned earlier. */
bool plan_fill(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_PLAN_H */
