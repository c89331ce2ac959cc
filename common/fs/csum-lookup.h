/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checksums of data, as they are stored. */
#ifndef COMMON_FS_CSUM_LOOKUP_H
#define COMMON_FS_CSUM_LOOKUP_H

#include "common/tree/tree.h"

/*
 * Looks up stored checksums of data: calls visit in address order for each run of sectors of [logical, +len) that has them, csums borrowed
 * (n * csum size bytes). Sectors without checksums are left out.
 */
typedef bool csum_visit(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err);
/* Looks in the csum tree, or in a log tree, which has the same items. */
bool csum_lookup_in(const struct tree *tree, uint64_t logical, uint64_t len, csum_visit *visit, void *context, struct error *err) must_use;
bool csum_lookup(struct volume *volume, uint64_t logical, uint64_t len, csum_visit *visit, void *context, struct error *err) must_use;

#endif /* COMMON_FS_CSUM_LOOKUP_H */
