/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is refused before a conversion begins. */
#ifndef COMMON_CONVERT_PREFLIGHT_H
#define COMMON_CONVERT_PREFLIGHT_H

#include "common/convert/conversion.h"

bool preflight_features(struct volume *volume, struct error *err) must_use;
/* Always false: of a subvolume that is deleted, in a filesystem without orphan items of subvolumes; why: what is wanted of it, " and ...", or "". */
bool refuse_dead(uint64_t id, const char *why, struct error *err);
/* Visits every block of the trees that a conversion writes to, from any mirror. */
bool conversion_trees_walk(struct volume *volume, tree_visit *visit, void *context, struct error *err) must_use;
/* Can these trees be read? With one block missing, the conversion could neither be finished nor undone. */
bool preflight_trees(struct volume *volume, struct error *err) must_use;
/* Finds journal slots and key area in free space. Their sizes depend on the amount of data to convert. */
bool preflight_places(struct allocator *allocator, const struct scan *scan, struct operation_places *places, struct error *err) must_use;

#endif /* COMMON_CONVERT_PREFLIGHT_H */
