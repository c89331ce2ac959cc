/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The headers as they are in place. Each record writes them with an epoch of its own. */
#ifndef COMMON_CONVERT_DISK_EPOCH_H
#define COMMON_CONVERT_DISK_EPOCH_H

#include "common/convert/replay.h"

/*
 * Looks for an authentic header (without a key: any header) in this block of the disk, not of a record, on all mirrors. Raises
 * replay->disk_epoch to its epoch.
 */
bool disk_epoch_look(const struct operation *op, uint64_t logical, struct replay *replay, struct error *err) must_use;

/*
 * For journal_find(), with the operation as context: a record was durable if the state knows of it, or if a header in place has its epoch
 * or a later one, because nothing of a record is in place before the record is durable; but its new blocks are written together with it, so
 * that a header in one of them must have a later epoch.
 */
bool disk_epoch_proves(void *context, const struct journal_record *record, bool *was, struct error *err) must_use;

#endif /* COMMON_CONVERT_DISK_EPOCH_H */
