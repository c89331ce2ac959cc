/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An opened domain together with the current image: its members and their snapshots, where the units are, and whether anything has changed
 * since it was sealed.
 */
#ifndef COMMON_SEALED_DOMAIN_VIEW_H
#define COMMON_SEALED_DOMAIN_VIEW_H

#include "common/sealed/digest.h"
#include "common/sealed/domain.h"

struct domain_view {
	struct domain *domain;			/* borrowed, opened */
	const struct subvolume_list *list;	/* borrowed */
	uint64_t *ids;				/* subvolumes of the domain in view, ascending */
	uint64_t *source;			/* for each: the member whose records apply to it */
	size_t n_ids;
	struct scan *scan;			/* of them */
	struct unit_map *units;			/* joined */
	struct inline_map *inlines;
	struct digest_sum *sums;		/* for each id, as sealed */
	uint64_t n_unsealed;			/* found by checking: extents (parts of files) and payloads that no unit covers */
};

/*
 * only: just this subvolume; NULL: all that belong to the domain, including snapshots made since.
 * boundary: units before it are ciphertext (UNIT_PLACE_END: all; an unfinished conversion knows better). Items that cannot be followed are
 * in view->scan->bad; damaged items of the domain are in view->units->damage and view->inlines->damage. Checking reports all of it.
 */
bool domain_view_open(struct domain *domain, const struct subvolume_list *list, const struct subvolume *only, uint64_t boundary,
		      struct domain_view *view, struct error *err) must_use;
/*
 * The same, but marked extents that are in their places are taken for right without reading their data, until the digest is checked. Any
 * damage is an error.
 */
bool domain_view_open_by_place(struct domain *domain, const struct subvolume_list *list, const struct subvolume *only,
			       struct domain_view *view, struct error *err) must_use;
void domain_view_close(struct domain_view *view);

/* After domain_find() and domain_open(): is this subvolume really sealed in the domain? ERROR_CORRUPT if only its tag says so. */
bool domain_view_check_named(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume,
			     struct error *err) must_use;

/*
 * If the chain of snapshots is broken, an extent or inline unit that verifies decides: verifies[i] for the subvolume ids[i] (n > 0,
 * ascending). A subvolume without any data has nothing to hide: its tag decides, and its digest says whether it has changed. The units are
 * read once, and every tree block is read once, however many share it.
 */
bool domain_content_verifies(const struct domain *domain, const uint64_t *ids, size_t n, uint64_t boundary, bool *verifies,
			     struct error *err) must_use;

struct domain_view_options {
	bool accept_changes, accept_unsealed;
	bool accept_index;	/* with a warning: the index differs, and everything else is as it was sealed */
	void (*note)(void *context, const char *text);	/* each accepted difference; may be NULL */
	/*
	 * If not NULL, problems are reported here with the escaped path concerned, and checking continues. Otherwise the first one is the
	 * error.
	 */
	void (*bad)(void *context, const char *path, const char *what);
	void *context;
};

/*
 * Is everything as it was sealed? Checks the seal over units and members, the tree digest of each subvolume in view, marks and units.
 * ERROR_CORRUPT says what differs first. *changed: a tree differs, and this was accepted or reported to options->bad.
 */
bool domain_view_check(struct domain_view *view, const struct domain_view_options *options, bool *changed, struct error *err) must_use;

/*
 * The same in two steps, for callers that check every block they read: first the seal and the trees, then extents and (changed) payloads
 * that no unit covers. Such callers find a marked extent themselves that was sealed where it is, but is damaged.
 */
bool domain_view_check_trees(struct domain_view *view, const struct domain_view_options *options, bool *changed,
			     struct error *err) must_use;
bool domain_view_check_unsealed(struct domain_view *view, const struct domain_view_options *options, bool changed,
				struct error *err) must_use;

/*
 * Can each member be reached to which unchanged directories of another member lead? Reports like the checks above; domain_view_check()
 * includes it.
 */
bool domain_view_check_nested(struct domain_view *view, const struct domain_view_options *options, bool *changed, struct error *err) must_use;

/* Reads the seal item. */
bool seal_read(struct volume *volume, uint16_t domain, struct crypt_seal *seal, bool *found, struct error *err) must_use;
/* What a seal covers, besides the items that are read for it. */
struct seal_input {
	struct volume *volume;
	const struct key_schedule *schedule;
	const struct crypt_header *header;
	const struct crypt_member *members;
	size_t n_members;
};

/*
 * What the seal item says about the index, for seal_compute(). *index is item if the header's seal vouches for it; otherwise NULL, also if
 * the item is missing or damaged.
 */
bool seal_index_said(const struct seal_input *input, struct crypt_seal *item, const struct crypt_seal **index, struct error *err) must_use;
/*
 * Computes the MAC of the seal from the units and members of the domain, for sealing and checking. index: taken as the sum of the index;
 * NULL: compute it.
 */
bool seal_compute(const struct seal_input *input, const struct crypt_seal *index, struct crypt_seal *seal, struct error *err) must_use;

static inline struct seal_input seal_input_of(const struct domain *domain)
{
	return (struct seal_input){ domain->volume, domain->schedule, &domain->header, domain->members, domain->n_members };
}

#endif /* COMMON_SEALED_DOMAIN_VIEW_H */
