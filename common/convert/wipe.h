/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Overwrites what is no longer used, on every mirror, and only then gives the room of a sparse file back. */
#ifndef COMMON_CONVERT_WIPE_H
#define COMMON_CONVERT_WIPE_H

#include "common/convert/operation.h"

typedef void wipe_progress(void *context, uint64_t done, uint64_t total);

/* The journal of the operation. Everything is durable afterwards. */
bool wipe_journal(const struct operation *op, struct error *err) must_use;
/*
 * The same, and all free space of metadata and mixed block groups but the copies of header and slots. *unwiped: bytes of free data space,
 * which are left as they are. progress may be NULL.
 */
bool wipe_all(const struct operation *op, wipe_progress *progress, void *context, uint64_t *unwiped, struct error *err) must_use;

#endif /* COMMON_CONVERT_WIPE_H */
