/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds subvolumes that look sealed, but belong to no sealing. Unsealing the rest would remove their key. */
#ifndef COMMON_SEALED_DOMAIN_STRAYS_H
#define COMMON_SEALED_DOMAIN_STRAYS_H

#include "common/sealed/domain.h"
#include "common/sealed/inline-map.h"
#include "common/sealed/unit-find.h"

/* ids: the subvolumes of the domain, ascending; these are not strays. The list must outlive it. */
struct strays;
bool strays_open(const struct subvolume_list *list, uint16_t domain, const uint64_t *ids, size_t n, struct strays **strays, struct error *err) must_use;
void strays_close(struct strays *strays);	/* NULL is fine */
static inline void strays_cleanup(struct strays **p) { strays_close(*p); }
#define cleanup_strays __attribute__((cleanup(strays_cleanup)))

typedef bool stray_tell(void *context, const struct subvolume *subvolume, const char *what, struct error *err);
/*
 * Finds those with one of our algorithm names in their root item, but not with the tag of another domain (even one that cannot be read as a
 * whole). No tree is read.
 */
bool strays_by_tag(const struct strays *strays, stray_tell *tell, void *context, struct error *err) must_use;
/* Reports each block of the other subvolumes' trees that cannot be read: its contents are unknown. */
bool strays_lost(const struct strays *strays, stray_tell *lost, void *context, struct error *err) must_use;

/* What the key of the domain opens. */
struct stray_key {
	struct unit_seeker *seeker;	/* NULL: a tag confirms for every extent sealed here that it is in the domain */
	const struct key_schedule *schedule;
	const struct inline_map *inlines;
};
/*
 * First reports to lost what strays_lost() reports. Then reports to tell those that have extents with the mark, or data that the key opens,
 * whatever their root items say and wherever a kernel has moved them. This takes two passes over the trees of all subvolumes that are not
 * sealed, one over the units, and one over the data that are, or belong to a file, where something of that length was sealed. A tag of
 * another domain explains a mark, but not data that the key opens.
 */
bool strays_by_content(const struct strays *strays, const struct stray_key *key, stray_tell *tell, stray_tell *lost, void *context,
		       struct error *err) must_use;

#endif /* COMMON_SEALED_DOMAIN_STRAYS_H */
