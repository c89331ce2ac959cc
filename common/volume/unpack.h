/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images that are compressed, or in an archive: unpacked to a temporary file without a name, so that it is gone with the program, however that ends. */
#ifndef COMMON_VOLUME_UNPACK_H
#define COMMON_VOLUME_UNPACK_H

#include "common/volume/device.h"

/* What the device's first bytes say that it is packed as, "zstd" for example; NULL: nothing that is known. */
const char *packed_as(struct device *device);

/* Told now and then how many of the packed bytes were read. */
typedef void unpack_progress(void *context, uint64_t done);

/*
 * Unpacks the file at path, or from an archive its only regular file or the one called member (NULL: the only one), to a sparse file in $TMPDIR or
 * /tmp.  *fd is that file, to be closed.
 */
bool unpack_image(const char *path, const char *member, unpack_progress *progress, void *context, int *fd, struct error *err) must_use;

#endif /* COMMON_VOLUME_UNPACK_H */
