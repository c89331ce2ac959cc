/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is refused before a conversion begins. */
#ifndef COMMON_CONVERT_PREFLIGHT_H
#define COMMON_CONVERT_PREFLIGHT_H

#include "common/convert/conversion.h"

bool preflight_features(struct volume *volume, struct error *err) must_use;
/* Refuses profiles with parity, for what (a noun) no power cut was tried on them. */
bool preflight_no_parity(const struct volume *volume, const char *what, struct error *err) must_use;
/* Always false: of a subvolume that is deleted, in a filesystem without orphan items of subvolumes; why: what is wanted of it, " and ...", or "". */
bool refuse_dead(uint64_t id, const char *why, struct error *err);
/* Visits every block of the trees that a conversion writes to, from any mirror. */
bool conversion_trees_walk(struct volume *volume, tree_visit *visit, void *context, struct error *err) must_use;
/* Can these trees be read? With one block missing, the conversion could neither be finished nor undone. */
bool preflight_trees(struct volume *volume, struct error *err) must_use;
/*
 * Finds journal slots and key area in free space. Their sizes depend on the amount of work: preflight_work() for a conversion, 0 for what
 * fits into one small record.
 */
bool preflight_places(struct allocator *allocator, uint32_t node_size, uint64_t work, struct operation_places *places, struct error *err) must_use;
/* The same, but a record must hold this many tree blocks. */
bool preflight_places_for(struct allocator *allocator, uint32_t node_size, uint64_t work, uint64_t n_blocks, struct operation_places *places,
			  struct error *err) must_use;
uint64_t preflight_work(const struct scan *scan);

#endif /* COMMON_CONVERT_PREFLIGHT_H */
