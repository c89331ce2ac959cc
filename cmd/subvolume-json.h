/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What list and show say of a subvolume in JSON: the same members, under the same names. */
#ifndef CMD_SUBVOLUME_JSON_H
#define CMD_SUBVOLUME_JSON_H

#include "cmd/json.h"
#include "common/fs/subvolume.h"

void json_subvolume(struct json_object *line, const struct subvolume *subvolume, bool is_default);

/* Deleted, and some of it is gone already. */
bool subvolume_is_being_cleaned(const struct subvolume *subvolume);

#endif /* CMD_SUBVOLUME_JSON_H */
