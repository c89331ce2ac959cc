/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads sealed files: an extent source that decrypts, and the proof that a file is the one that was sealed. */
#ifndef COMMON_SEALED_DOMAIN_READER_H
#define COMMON_SEALED_DOMAIN_READER_H

#include "common/fs/source.h"
#include "common/sealed/domain.h"
#include "common/sealed/inode-proof.h"

struct domain_reader_options {
	bool accept_changes;	/* verify: go on although a tree digest differs */
	bool accept_unsealed;	/* return data that no unit covers */
	void (*note)(void *context, const char *text);	/* accepted differences; may be NULL */
	/* verify: how many bytes of data were checked; may be NULL */
	void (*progress)(void *context, uint64_t done, uint64_t total);
	void *context;
};

/*
 * For one subvolume of an opened domain. *source belongs to the reader and serves the files and symbolic links of this subvolume. Each
 * block is authenticated before it is returned, wherever a kernel has moved it. The functions below prove that it belongs there. Reading
 * data that no unit covers is ERROR_CORRUPT unless accepted; a mark without a unit always is.
 */
struct domain_reader;
bool domain_reader_open(struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume,
			const struct domain_reader_options *options, struct domain_reader **reader,
			struct extent_source **source, struct error *err) must_use;
void domain_reader_close(struct domain_reader *reader);	/* NULL is fine */
/* source->read_inline() of an inline item that is not empty, for callers to whom one that was written later (not *is_sealed) is no error. */
bool domain_reader_inline(struct extent_source *source, const struct file_item *item, uint8_t *out, bool *is_sealed, struct error *err) must_use;

/*
 * Checks the whole subvolume once: the seal and the digest of its tree. If both are right, why->kind is ERROR_NONE and single files need no
 * further proof. Otherwise why says what differs or, if *unread, which damage prevented reading all of it; then each file must be proven by
 * itself.
 */
bool domain_reader_check_whole(struct domain_reader *reader, struct error *why, bool *unread, struct error *err) must_use;

/*
 * Like inode_prove() and inode_prove_name(), for any subvolume of the domain. In a subvolume outside it, for which nothing vouches,
 * everything counts as proven.
 */
bool domain_reader_proves(struct domain_reader *reader, const struct tree *tree, uint64_t inode, enum inode_entry_kind kind, bool *proven,
			  struct error *err) must_use;
bool domain_reader_proves_name(struct domain_reader *reader, const struct tree *tree, struct name_to_prove what, bool *proven,
			       struct error *err) must_use;
/*
 * Proves each step of a path from the root directory of a subvolume. A step from one subvolume of the domain into another is proven by the
 * paths with which the two were sealed: what was not sealed with the domain is never proven to be in it. why->kind is ERROR_NONE if all
 * steps are proven.
 */
struct path_step;
/* Proves a step into another subvolume. */
bool domain_reader_proves_nested(struct domain_reader *reader, const struct path_step *step, bool *proven, struct error *err) must_use;
bool domain_reader_proves_path(struct domain_reader *reader, uint64_t subvolume, const char *path, struct error *why, struct error *err) must_use;

/* The bytes that a finding is about. */
struct verify_range {
	uint64_t subvolume, inode;
	uint64_t first, last;	/* of the file, both included; if unused: of its extent */
	bool unused;		/* the file does not use this part of its extent */
	bool is_carried;	/* it was bad before it was sealed */
	uint64_t logical;	/* where it begins */
};

/*
 * Does everything that `verify` checks: the seal, the tree of every member and snapshot, every unit and checksum on every mirror, every
 * tree block. bad is called once per finding with the escaped path, what is wrong and, for data, which bytes (otherwise NULL). Returns
 * false only if it could not continue.
 */
struct verify_result {
	uint64_t n_subvolumes;	/* that are there of those that were sealed together, snapshots made since included */
	uint64_t n_files, n_blocks, n_bad, n_unsealed;
	uint64_t n_accepted;	/* accepted differences, each reported to options->note */
	bool changed;	/* a tree has changed since it was sealed, accepted or not */
	uint8_t seal_fingerprint[16];
};
typedef void verify_found(void *context, const char *path, const char *what, const struct verify_range *range);
bool domain_verify(struct domain *domain, const struct subvolume_list *list, const struct domain_reader_options *options,
		   verify_found *bad, void *context,
		   struct verify_result *result, struct error *err) must_use;

#endif /* COMMON_SEALED_DOMAIN_READER_H */
