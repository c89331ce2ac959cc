/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quota groups while copying. Who shares what decides their numbers: they are marked inconsistent, and the kernel asks for a rescan. Simple
 * quotas count each extent for the subvolume that it was made for, and stay exact.
 */
#ifndef COMMON_CONVERT_COPY_QUOTA_H
#define COMMON_CONVERT_COPY_QUOTA_H

#include "common/convert/copy-refs.h"

/* Marks the numbers, if there are any, in k->tx. */
bool copy_quota_begin(struct copying *k, struct error *err) must_use;
/* Counts a new extent of this generation for the subvolume, if quotas are simple. owner 0: for none. */
bool copy_quota_add(struct copying *k, uint64_t owner, uint64_t generation, uint64_t bytes, struct error *err) must_use;
/* The subvolume that a copy of these data counts for, to be put into its extent item; 0: none. */
bool copy_quota_data_owner(struct copying *k, const struct copy_item *extent, uint64_t *owner, struct error *err) must_use;

#endif /* COMMON_CONVERT_COPY_QUOTA_H */
