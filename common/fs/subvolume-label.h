/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a subvolume is called where its path would stand. */
#ifndef COMMON_FS_SUBVOLUME_LABEL_H
#define COMMON_FS_SUBVOLUME_LABEL_H

#include "common/fs/subvolume.h"

#define SUBVOLUME_LABEL_SIZE 40

/*
 * Its path, raw bytes, "" for the top level; of one that has none, because it is deleted or in nothing, "subvolume-257", made in own.
 * subvolume NULL: not known, only its id is.
 */
const uint8_t *subvolume_label(const struct subvolume *subvolume, uint64_t id, char own[SUBVOLUME_LABEL_SIZE], size_t *len);
char *subvolume_label_escaped(const struct subvolume *subvolume, uint64_t id);	/* malloced; NULL: no memory */

#endif /* COMMON_FS_SUBVOLUME_LABEL_H */
