/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Subvolumes that look as if they were sealed, and belong to nothing that is: whoever unseals the rest takes their key away with it. */
#ifndef COMMON_FS_DOMAIN_STRAYS_H
#define COMMON_FS_DOMAIN_STRAYS_H

#include "common/fs/domain.h"
#include "common/fs/inline-map.h"
#include "common/fs/unit-map.h"

typedef bool stray_tell(void *context, const struct subvolume *subvolume, const char *what, struct error *err);

/* ids: of the subvolumes of the domain, ascending; they are none.  Those with one of our algorithm names in their root item: no tree is read. */
bool strays_by_tag(const struct subvolume_list *list, uint16_t domain, const uint64_t *ids, size_t n, stray_tell *tell, void *context,
		   struct error *err) must_use;
/* What the key of the domain opens. */
struct stray_key {
	const struct key_schedule *schedule;
	const struct unit_map *units;
	const struct inline_map *inlines;
};
/*
 * Those that have extents with the mark, or data that the key opens, whatever their root items say (of extents, those that are where they were sealed):
 * two passes over the trees of all subvolumes that are not sealed.
 */
bool strays_by_content(const struct subvolume_list *list, uint16_t domain, const uint64_t *ids, size_t n, const struct stray_key *key,
		       stray_tell *tell, void *context, struct error *err) must_use;

#endif /* COMMON_FS_DOMAIN_STRAYS_H */
