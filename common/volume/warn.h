/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports survived problems to whoever opened the volume. */
#ifndef COMMON_VOLUME_WARN_H
#define COMMON_VOLUME_WARN_H

#include "common/volume/volume.h"

void volume_warn(const struct volume *volume, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* About bytes of that place on disk. */
void volume_warn_at(const struct volume *volume, uint64_t logical, uint64_t disk_length, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Counts the doubt. */
void volume_tell_doubt(struct volume *volume, const struct volume_doubt *doubt);

#endif /* COMMON_VOLUME_WARN_H */
