/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One inline unit, without reading all of a domain's: where the entries of the inode in the index say that its units are. */
#ifndef COMMON_FS_INLINE_HINT_H
#define COMMON_FS_INLINE_HINT_H

#include "common/fs/domain.h"
#include "common/fs/inline-map.h"

/*
 * As inline_map_find() of a sealed payload; schedule NULL: as inline_map_lists(), and out is not used.  Hints are not authenticated: *found false
 * where they lead nowhere says nothing.
 */
bool inline_by_hint(const struct domain *domain, const struct key_schedule *schedule, const struct inline_payload *payload,
		    struct crypt_inline_unit *unit, uint8_t *out, bool *found, struct error *err) must_use;

#endif /* COMMON_FS_INLINE_HINT_H */
