/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decrypts subvolumes in the format of 2016 in place. What is left is a plain filesystem that any kernel mounts. There is no domain and there
 * are no tags: the state in the superblock, root items with the operation's id, and records that carry the new data themselves are all that a
 * resume needs besides the key. See format/README.md, "Decrypting the format of 2016".
 *
 *   phase      a record of it holds                                 undone by
 *   LEAVES     whole leaves: inline payloads as plain text, fields  the same backwards: the mark in other_encoding says
 *              of extents that say "plain", with a mark             which extents were encrypted
 *   DATA       extents as plain text, whole, and their checksums    the same backwards
 *   STRUCTURE  leaves without xattrs of the format, flags, marks,   nothing: the IVs are gone
 *              and what that changes above them; last, root items
 *
 * All of them run from high addresses to low ones. The first record puts the operation's id into the root items, and undoing ends with a record
 * that takes it out. What is durable at each step is as in operation.h; besides, the superblocks have the number of each record once it is
 * durable, and before anything of it is in place: so a record that is lost afterwards is known to be lost, and nothing is decrypted twice.
 */
#ifndef COMMON_CONVERT_LEGACY_H
#define COMMON_CONVERT_LEGACY_H

#include "common/convert/convert.h"

struct convert_legacy_options {
	const struct secret *key;	/* 16 bytes; stays with the caller */
	enum convert_shared shared;
	bool recursive, dry_run;
	bool force_key;			/* also if neither the key hash nor any data can tell whether it is right, and files whose last page speaks against it */
};

/*
 * names: at least one SUBVOL argument, NULL at the end. ERROR_KEY: data or hash speak against the key. ERROR_REFUSED: not of this format, shared
 * with others, extents that files with different IVs use, a file without IV or with the wrong one, or nothing vouches for the key. Nothing was changed then.
 */
bool convert_legacy(struct volume *volume, const char *const *names, const struct convert_legacy_options *options,
		    const struct convert_ui *ui, struct convert_plan *plan, struct error *err) must_use;

/* For convert_continue(): key: the 16 bytes as volume key. */
bool convert_legacy_continue(struct volume *volume, enum convert_goal goal, const struct key_source *key, const struct convert_ui *ui,
			     struct convert_plan *plan, struct error *err) must_use;

/* Is the state in the superblocks authentic under that key? ERROR_KEY, ERROR_STATE. *tail: the state that is. */
bool convert_legacy_state(struct volume *volume, const struct key_source *key, struct crypt_state_tail *tail, struct error *err) must_use;

#endif /* COMMON_CONVERT_LEGACY_H */
