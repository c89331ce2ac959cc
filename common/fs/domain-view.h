/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An opened domain beside what the image holds now: its members and their snapshots, where the units are, and
 * whether anything was changed since it was sealed.
 */
#ifndef COMMON_FS_DOMAIN_VIEW_H
#define COMMON_FS_DOMAIN_VIEW_H

#include "common/fs/digest.h"
#include "common/fs/domain.h"

struct domain_view {
	struct domain *domain;			/* borrowed, opened */
	const struct subvolume_list *list;	/* borrowed */
	uint64_t *ids;				/* subvolumes of the domain in view, ascending */
	uint64_t *source;			/* for each: the member whose records count for it */
	size_t n_ids;
	struct scan *scan;			/* of them */
	struct unit_map *units;			/* joined */
	struct inline_map *inlines;
	struct digest_sum *sums;		/* of each id, as sealed */
};

/*
 * only: that subvolume alone; NULL: all that belong to the domain, snapshots made since included.
 * boundary: units before it are ciphertext (UNIT_PLACE_END: all; an unfinished conversion knows better).
 */
bool domain_view_open(struct domain *domain, const struct subvolume_list *list, const struct subvolume *only, uint64_t boundary,
		      struct domain_view *view, struct error *err) must_use;
void domain_view_close(struct domain_view *view);

struct domain_view_options {
	bool accept_changes, accept_unsealed;
	void (*note)(void *context, const char *text);	/* each difference; may be NULL */
	void *context;
};

/*
 * Is everything as sealed?  The seal over units and members, the tree digest of each subvolume in view, marks and units.
 * ERROR_CORRUPT says what differs first; *changed: a difference was accepted.
 */
bool domain_view_check(struct domain_view *view, const struct domain_view_options *options, bool *changed, struct error *err) must_use;

/* MAC of the seal, from the units and members of the domain; common to sealing and checking. */
bool seal_compute(struct volume *volume, const struct key_schedule *schedule, const struct crypt_header *header,
		  const struct crypt_member *members, size_t n_members, struct crypt_seal *seal, struct error *err) must_use;

#endif /* COMMON_FS_DOMAIN_VIEW_H */
