/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Before a sealing: what each way to deal with sharers would take. */
#ifndef COMMON_CONVERT_SHARING_TELL_H
#define COMMON_CONVERT_SHARING_TELL_H

#include "common/convert/conversion.h"

/* Notes nothing if these subvolumes share with nobody else. */
bool sharing_tell(struct conversion *c, const uint64_t *ids, size_t n, struct error *err) must_use;

#endif /* COMMON_CONVERT_SHARING_TELL_H */
