/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading sealed files: an extent source that decrypts, and what proves that a file is the one that was sealed. */
#ifndef COMMON_FS_DOMAIN_READ_H
#define COMMON_FS_DOMAIN_READ_H

#include "common/fs/domain.h"
#include "common/fs/file-data.h"
#include "common/fs/inode-proof.h"

struct domain_reader_options {
	bool accept_changes;	/* verify: go on although the digest of a tree differs */
	bool accept_unsealed;	/* hand out data that no unit covers */
	void (*note)(void *context, const char *text);	/* differences accepted; may be NULL */
	/* verify: how many bytes of data were looked at; may be NULL */
	void (*progress)(void *context, uint64_t done, uint64_t total);
	void *context;
};

/*
 * For one subvolume of an opened domain.  *source is the reader's own and is for the files and symbolic links of this subvolume; each block is
 * authenticated before it is handed out, wherever a kernel has moved it.  Whether it belongs there is what the functions below prove.  What no unit
 * covers is ERROR_CORRUPT when it is read, unless accepted; a mark without a unit always.
 */
struct domain_reader;
bool domain_reader_open(struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume,
			const struct domain_reader_options *options, struct domain_reader **reader,
			struct extent_source **source, struct error *err) must_use;
void domain_reader_close(struct domain_reader *reader);	/* NULL is fine */

/*
 * The whole subvolume, once: the seal, and the digest of its tree.  why->kind is ERROR_NONE where both are right; nothing more is asked of single
 * files then.  Else why says what differs, or, where *unread, which damage kept all of it from being read, and each has to be proven by itself.
 */
bool domain_reader_check_whole(struct domain_reader *reader, struct error *why, bool *unread, struct error *err) must_use;

/*
 * inode_prove() and inode_prove_name(), of any subvolume of the domain.  In one that is none, which nobody vouches for, everything is proven.
 */
bool domain_reader_proves(struct domain_reader *reader, const struct tree *tree, uint64_t inode, enum inode_entry_kind kind, bool *proven,
			  struct error *err) must_use;
bool domain_reader_proves_name(struct domain_reader *reader, const struct tree *tree, uint64_t inode, bool is_directory, uint64_t directory,
			       const void *name, size_t len, bool *proven, struct error *err) must_use;
/*
 * Each step of a path from the root directory of a subvolume; one from a subvolume of the domain into another by the paths that the two were sealed
 * with: what was not sealed with the domain is never proven to be in it.
 * why->kind is ERROR_NONE where all are proven.
 */
struct path_step;
/* Such a step into another subvolume. */
bool domain_reader_proves_nested(struct domain_reader *reader, const struct path_step *step, bool *proven, struct error *err) must_use;
bool domain_reader_proves_path(struct domain_reader *reader, uint64_t subvolume, const char *path, struct error *why, struct error *err) must_use;

/* Which bytes a finding is about. */
struct verify_range {
	uint64_t subvolume, inode;
	uint64_t first, last;	/* of the file, both included; where unused: of its extent */
	bool unused;		/* the file does not use this part of its extent */
	bool is_carried;	/* bad before it was sealed */
	uint64_t logical;	/* where it begins */
};

/*
 * Everything that `verify` checks: the seal, the tree of every member and snapshot, every unit and checksum on every mirror, every tree block.
 * bad is called once per finding with the escaped path, what is wrong and, where it is data, which (else NULL); false only where something kept it
 * from looking on.
 */
struct verify_result {
	uint64_t n_files, n_blocks, n_bad, n_unsealed;
	uint64_t n_accepted;	/* differences that were accepted, each told to options->note */
	bool changed;	/* a tree is not as it was sealed, accepted or not */
	uint8_t seal_fingerprint[16];
};
typedef void verify_found(void *context, const char *path, const char *what, const struct verify_range *range);
bool domain_verify(struct domain *domain, const struct subvolume_list *list, const struct domain_reader_options *options,
		   verify_found *bad, void *context,
		   struct verify_result *result, struct error *err) must_use;

#endif /* COMMON_FS_DOMAIN_READ_H */
