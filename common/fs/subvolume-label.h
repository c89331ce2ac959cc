/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to call a subvolume where its path would be. */
#ifndef COMMON_FS_SUBVOLUME_LABEL_H
#define COMMON_FS_SUBVOLUME_LABEL_H

#include "common/fs/subvolume.h"

#define SUBVOLUME_LABEL_SIZE 40

/*
 * Its path as raw bytes, "" for the top level. If it has none, because it is deleted or in no directory: "subvolume-257", written to own.
 * subvolume NULL: only its id is known.
 */
const uint8_t *subvolume_label(const struct subvolume *subvolume, uint64_t id, char own[SUBVOLUME_LABEL_SIZE], size_t *len);
char *subvolume_label_escaped(const struct subvolume *subvolume, uint64_t id);	/* malloced; NULL: out of memory */

#endif /* COMMON_FS_SUBVOLUME_LABEL_H */
