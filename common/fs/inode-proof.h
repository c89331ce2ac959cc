/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Proving single inodes by the index of their domain, in as many reads as they have items and a search takes.  What that proves, and what only
 * the digest of a whole subvolume proves: format/README.md, "The index".
 */
#ifndef COMMON_FS_INODE_PROOF_H
#define COMMON_FS_INODE_PROOF_H

#include "common/fs/domain.h"
#include "common/fs/inline-map.h"
#include "common/fs/inode-index.h"
#include "common/fs/unit-find.h"

struct inode_prover;
/* The domain, opened, must outlive it. */
bool inode_prover_new(const struct domain *domain, struct inode_prover **prover, struct error *err) must_use;
void inode_prover_free(struct inode_prover *prover);	/* NULL is fine */

/*
 * Are the items of the inode that the kind covers as some version of it was sealed?  Never an error for what differs, nor for what is
 * damaged in the tree of the subvolume.
 */
bool inode_prove(struct inode_prover *prover, const struct tree *tree, uint64_t inode, enum inode_entry_kind kind, bool *proven,
		 struct error *err) must_use;

/*
 * Was the inode sealed with this name in this directory?  is_directory: what the inode is; of others the whole inode is proven, as
 * inode_prove() does.
 */
bool inode_prove_name(struct inode_prover *prover, const struct tree *tree, uint64_t inode, bool is_directory, uint64_t directory,
		      const void *name, size_t len, bool *proven, struct error *err) must_use;

/* The units of an extent of a file: those that its proof holds with or, where it was not proven, those that a tag or the place speaks for. */
bool inode_prover_units(struct inode_prover *prover, const struct tree *tree, uint64_t inode, uint64_t file_offset, const struct file_extent *e,
			struct unit_group *group, bool *found, struct error *err) must_use;
bool inode_prover_visit(const struct inode_prover *prover, const struct unit_group *group, unit_visit *visit, void *context,
			struct error *err) must_use;

/* As inline_map_find() of what is sealed: by the hint of an index entry, else by a search. */
bool inode_prover_inline(struct inode_prover *prover, const struct inline_payload *payload, struct crypt_inline_unit *unit, uint8_t *out,
			 bool *found, struct error *err) must_use;
/* As inline_map_has(). */
bool inode_prover_had_inline(struct inode_prover *prover, const struct inline_payload *payload, bool *had, struct error *err) must_use;

/* How often the items of an inode were gone through for a proof. */
uint64_t inode_prover_proofs(const struct inode_prover *prover);
/* How often all unit items, or all inline units, were read. */
unsigned inode_prover_passes(const struct inode_prover *prover);

#endif /* COMMON_FS_INODE_PROOF_H */
