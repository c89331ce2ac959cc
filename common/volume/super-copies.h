/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The copies of the superblock on the device: all of them read, one of them chosen. */
#ifndef COMMON_VOLUME_SUPER_COPIES_H
#define COMMON_VOLUME_SUPER_COPIES_H

#include "common/volume/volume.h"

/*
 * Fills volume->copy[], chooses volume->super and volume->super_used: the primary if it is valid, else the valid copy with
 * the highest generation, which is warned about.  Copies of another filesystem and those behind the end of
 * this one do not count.
 */
bool super_copies_read(struct volume *volume, struct error *err) must_use;

/* *to = *from; what is borrowed from the struct itself follows it. */
void superblock_copy(struct superblock *to, const struct superblock *from);

#endif /* COMMON_VOLUME_SUPER_COPIES_H */
