/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images that are compressed or in an archive: unpacks them to a temporary file without a name, which disappears with the program however
 * it ends.
 */
#ifndef COMMON_DEVICE_UNPACK_H
#define COMMON_DEVICE_UNPACK_H

#include "common/device/device.h"

/* The format in which the device is packed, according to its first bytes, for example "zstd". NULL: no known format. */
const char *packed_as(struct device *device);

/* Called now and then with the number of packed bytes read. */
typedef void unpack_progress(void *context, uint64_t done);

/*
 * Unpacks the file at path or, from an archive, its only regular file or the one called member (NULL: the only one) to a sparse file in
 * $TMPDIR or /tmp. *fd is that file; the caller closes it. *name is the name of the member, malloced; NULL: path is not an archive.
 */
bool unpack_image(const char *path, const char *member, unpack_progress *progress, void *context, int *fd, char **name,
		  struct error *err) must_use;

#endif /* COMMON_DEVICE_UNPACK_H */
