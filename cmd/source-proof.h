/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is what is read as it was sealed? What differs is an error or, if that was accepted, named. */
#ifndef CMD_SOURCE_PROOF_H
#define CMD_SOURCE_PROOF_H

#include "cmd/source.h"
#include "common/fs/walk.h"

/*
 * Is the inode, or each step of the path, as it was sealed? ERROR_CORRUPT if not; with --accept-changes it is reported by name instead,
 * with *differs. Nothing is checked if no key was given or nothing is sealed.
 */
struct to_prove {
	uint64_t inode;
	enum inode_entry_kind kind;
	const void *name;	/* what to report, as in the image */
	size_t len;
};
bool source_prove(const struct source *source, const struct tree *tree, struct to_prove what, bool *differs, struct error *err) must_use;
/* The same for the name of a directory that a walk found where the list of the one above it is not proven. */
bool source_prove_directory(const struct source *source, const struct walk_entry *entry, bool *differs, struct error *err) must_use;
bool source_prove_path(const struct source *source, uint64_t subvolume, const char *path, bool *differs, struct error *err) must_use;
/* At the end: ERROR_CORRUPT if anything was accepted, because then not everything is authentic. */
bool source_accepted_nothing(struct error *err) must_use;
/* The same for callers that report it as a finding. reader NULL: nothing is checked. */
bool reader_prove_path(struct domain_reader *reader, uint64_t subvolume, const char *path, bool *differs, struct error *err) must_use;

#endif /* CMD_SOURCE_PROOF_H */
