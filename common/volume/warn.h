/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports survived problems to whoever opened the volume. */
#ifndef COMMON_VOLUME_WARN_H
#define COMMON_VOLUME_WARN_H

#include "common/volume/volume.h"

/* About a copy of the bytes of that place on disk; disk_length 0: about anything else. */
void volume_warn_at(const struct volume *volume, uint64_t logical, uint64_t disk_length, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
#define volume_warn(volume, ...) volume_warn_at(volume, 0, 0, __VA_ARGS__)

#endif /* COMMON_VOLUME_WARN_H */
