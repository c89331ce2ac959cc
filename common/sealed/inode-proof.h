/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Proves single inodes by the index of their domain, with as many reads as they have items plus one search. format/README.md, "The index",
 * says what that proves, and what only the digest of a whole subvolume proves.
 */
#ifndef COMMON_SEALED_INODE_PROOF_H
#define COMMON_SEALED_INODE_PROOF_H

#include "common/fs/source.h"
#include "common/sealed/domain.h"
#include "common/sealed/inline-map.h"
#include "common/sealed/inode-index.h"
#include "common/sealed/unit-find.h"

struct inode_prover;
/* The opened domain must outlive it. */
bool inode_prover_new(const struct domain *domain, struct inode_prover **prover, struct error *err) must_use;
void inode_prover_free(struct inode_prover *prover);	/* NULL is fine */

/*
 * Are the items of the inode that the kind covers the same as in some sealed version of it? Differences, and damage in the subvolume's
 * tree, are not errors.
 */
bool inode_prove(struct inode_prover *prover, const struct tree *tree, uint64_t inode, enum inode_entry_kind kind, bool *proven,
		 struct error *err) must_use;

/* A name of an inode in a directory. */
struct name_to_prove {
	uint64_t inode;
	bool is_directory;	/* the inode; anything else is proven as a whole, like inode_prove() */
	uint64_t directory;
	const void *name;
	size_t len;
};

/* Was the inode sealed with this name in this directory? */
bool inode_prove_name(struct inode_prover *prover, const struct tree *tree, struct name_to_prove what, bool *proven, struct error *err) must_use;

/* The units of a file's extent: those with which its proof holds or, if it was not proven, those confirmed by a tag or by their place. */
bool inode_prover_units(struct inode_prover *prover, const struct file_item *item, struct unit_group *group, bool *found,
			struct error *err) must_use;
bool inode_prover_visit(const struct inode_prover *prover, const struct unit_group *group, unit_visit *visit, void *context,
			struct error *err) must_use;

/* Like inline_map_find() for sealed data: uses the hint of an index entry, or else a search. */
bool inode_prover_inline(struct inode_prover *prover, const struct inline_payload *payload, struct crypt_inline_unit *unit, uint8_t *out,
			 bool *found, struct error *err) must_use;
/* Like inline_map_has(). */
bool inode_prover_had_inline(struct inode_prover *prover, const struct inline_payload *payload, bool *had, struct error *err) must_use;

/* How often the items of an inode were read for a proof. */
uint64_t inode_prover_proofs(const struct inode_prover *prover);

#endif /* COMMON_SEALED_INODE_PROOF_H */
