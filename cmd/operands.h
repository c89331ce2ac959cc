/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What SUBVOL and PATH operands name, and what somebody may have meant by one that names nothing. */
#ifndef CMD_OPERANDS_H
#define CMD_OPERANDS_H

#include "common/fs/path.h"

/*
 * For commands that read. What is damaged in the root items of some subvolumes, or on the way to their paths, is printed as warnings, and
 * the list is without them; with --tolerant it is invalid. A caller that needs all of them asks list->n_lost.
 */
bool subvolumes_read(struct volume *volume, struct subvolume_list *list, struct error *err) must_use;

/* Like subvolume_find(); if no subvolume has that name, a hint says what may have been meant. */
bool subvolume_operand(const struct subvolume_list *list, const char *operand, const struct subvolume **found, struct error *err) must_use;

/*
 * "SUBVOL:PATH", or SUBVOL alone: *path is "". Takes the longest existing SUBVOL, because names may contain a colon. *path is borrowed from
 * operand.
 */
bool place_operand(const struct subvolume_list *list, const char *operand, const struct subvolume **found, const char **path, struct error *err) must_use;

/* operand[0] is SUBVOL or SUBVOL:PATH, and operand[1] NULL or a PATH, in the first one if there are two. */
bool place_operands(const struct subvolume_list *list, const char *const *operand, const struct subvolume **found, const char **path,
		    struct error *err) must_use;

/* ERROR_USAGE if a PATH is needed after IMAGE and SUBVOL but missing: people type IMAGE PATH. */
bool check_has_path(const char *const *operand, struct error *err) must_use;

/* Adds a hint to ERROR_NOT_FOUND for a path in a subvolume: which name is similar to the missing one. */
void hint_near_path(struct volume *volume, uint64_t subvolume, const char *path, struct error *err);

/* Commands in a hint, which begin "`convert ", become what can be typed: the program goes before them, the image behind them. */
void hint_commands(const char *image, struct error *err);

/* Adds a hint to an error about an operand that is a directory, not an image: what to do instead. */
void hint_directory(const char *image, struct error *err);

/* ERROR_REFUSED: a command that needs a sealed subvolume was given an unsealed one, or the other way round. Always false. */
bool not_sealed(const char *subvolume, struct error *err);
bool sealed_already(const char *subvolume, struct error *err);

#endif /* CMD_OPERANDS_H */
