/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks of data and checksums before anything is changed. */
#ifndef COMMON_CONVERT_CHECK_UNITS_H
#define COMMON_CONVERT_CHECK_UNITS_H

#include "common/convert/conversion.h"

/*
 * Reads every unit of the scan's extents. ERROR_CORRUPT with the file's name if a block is authentic on no mirror, is not a known bad block
 * and may not be skipped. tell: name those that will be skipped. c->bad.n_found: their number.
 */
bool units_check(struct conversion *c, bool tell, struct error *err) must_use;
/* The same for one extent of the scan that was sealed in this conversion. A skipped block becomes a bad block. */
bool extent_check_sealed(struct conversion *c, size_t extent, struct error *err) must_use;
/*
 * The csum tree is rewritten along with the data, so it must be known before any change whether it can be read and has everything a kernel
 * needs. ERROR_CORRUPT names the first file.
 */
bool csums_complete(struct conversion *c, struct error *err) must_use;
/*
 * The same before an unfinished conversion goes on. When damage is skipped, and in FINISH, each file is reported and the first one becomes
 * c->not_whole.
 */
bool csums_kept(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_CHECK_UNITS_H */
