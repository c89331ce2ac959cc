/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of one superblock: members of line, or where it is NULL lines of text. */
#ifndef CMD_DUMP_SUPER_FIELDS_H
#define CMD_DUMP_SUPER_FIELDS_H

#include "format/ondisk.h"

struct json_object;

void super_text(struct json_object *line, const char *label, const char *text);

/* Everything but the chunk array, the backup roots and the tail. */
void super_fields(struct json_object *line, const struct disk_superblock *disk);

#endif /* CMD_DUMP_SUPER_FIELDS_H */
