/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What SUBVOL and PATH operands name, and what somebody may have meant by one that names nothing. */
#ifndef CMD_OPERANDS_H
#define CMD_OPERANDS_H

#include "common/fs/path.h"

/* subvolume_find(); where there is none of the name, the hint says what may have been meant. */
bool subvolume_operand(const struct subvolume_list *list, const char *operand, const struct subvolume **found, struct error *err) must_use;

/*
 * "SUBVOL:PATH", or SUBVOL alone: *path is "".  The longest SUBVOL there is, for names may hold a colon.  *path is borrowed from operand.
 */
bool place_operand(const struct subvolume_list *list, const char *operand, const struct subvolume **found, const char **path, struct error *err) must_use;

/* operand[0] is SUBVOL:PATH, or SUBVOL and operand[1] PATH or NULL. */
bool place_operands(const struct subvolume_list *list, const char *const *operand, const struct subvolume **found, const char **path,
		    struct error *err) must_use;

/* ERROR_USAGE where a PATH is needed behind IMAGE and SUBVOL, and there is none: IMAGE PATH is what people type. */
bool check_has_path(const char *const *operand, struct error *err) must_use;

/* Gives ERROR_NOT_FOUND of a path in a subvolume the hint which name is near the one that is not there. */
void hint_near_path(struct volume *volume, uint64_t subvolume, const char *path, struct error *err);

/* Gives an error about something that is no image, because it is a directory, the hint what to do instead. */
void hint_directory(const char *image, struct error *err);

#endif /* CMD_OPERANDS_H */
