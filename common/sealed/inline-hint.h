/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds one inline unit without reading all of a domain's, by the place that the inode's index entries give. */
#ifndef COMMON_SEALED_INLINE_HINT_H
#define COMMON_SEALED_INLINE_HINT_H

#include "common/sealed/domain.h"
#include "common/sealed/inline-map.h"

/*
 * Like inline_map_find() for a sealed payload. schedule NULL: like inline_map_lists(), and out is not used. Hints are not authenticated:
 * *found false means nothing if they lead nowhere.
 */
bool inline_by_hint(const struct domain *domain, const struct key_schedule *schedule, const struct inline_payload *payload,
		    struct crypt_inline_unit *unit, uint8_t *out, bool *found, struct error *err) must_use;

#endif /* COMMON_SEALED_INLINE_HINT_H */
