/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of one superblock, with the names and the layout of `btrfs inspect-internal dump-super`. */
#ifndef CMD_DUMP_SUPER_FIELDS_H
#define CMD_DUMP_SUPER_FIELDS_H

#include "cmd/dump/out.h"

/* Everything but the chunk array, the backup roots and the tail. dump: as_table */
void super_fields(struct dump *dump, const struct disk_superblock *disk);

#endif /* CMD_DUMP_SUPER_FIELDS_H */
