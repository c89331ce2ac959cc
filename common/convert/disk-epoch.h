/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The headers as they are in place: each record has them, with an epoch of its own. */
#ifndef COMMON_CONVERT_DISK_EPOCH_H
#define COMMON_CONVERT_DISK_EPOCH_H

#include "common/convert/conversion.h"

/*
 * The epoch of an authentic header (without a key: of any) that this block of the disk, not of a record, has on any mirror: replay->disk_epoch is at
 * least that afterwards.
 */
bool disk_epoch_look(const struct conversion *c, uint64_t logical, struct replay *replay, struct error *err) must_use;

/*
 * For journal_find(), with the conversion: a record was durable where the state knows of it, or a header in place is of it or of a later one, as nothing
 * of a record is in place before it is durable.
 */
bool disk_epoch_proves(void *context, const struct journal_record *record, bool *was, struct error *err) must_use;

#endif /* COMMON_CONVERT_DISK_EPOCH_H */
