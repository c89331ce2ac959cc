/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of legacy.h, for the files that implement it. */
#ifndef COMMON_CONVERT_LEGACY_RUN_H
#define COMMON_CONVERT_LEGACY_RUN_H

#include "common/convert/legacy.h"
#include "common/convert/operation.h"
#include "common/legacy/legacy-inode.h"
#include "common/sealed/scan.h"

/* One of each data extent of the scan. */
struct legacy_extent {
	enum { LEGACY_UNSEEN, LEGACY_PLAIN, LEGACY_ENCRYPTED } is;
	uint32_t member;	/* index, and the inode: of the file that was seen first */
	uint64_t inode;
	uint8_t iv[LEGACY_IV_SIZE];
};

struct legacy_parent {		/* a pointer */
	uint64_t child, parent;
};

struct legacy_run {
	struct volume *volume;
	const struct convert_ui *ui;
	struct convert_plan *plan;
	struct operation op;
	struct crypt_header header;	/* of no domain */
	struct key_schedule *schedule;
	struct allocator *allocator;
	struct subvolume_list list;
	struct scan *scan;		/* NULL: no root item has the operation's id (any more) */
	struct legacy legacy;		/* of the first of the subvolumes; the others have the same algorithm and key hash */
	struct legacy_ciphers *ciphers;
	struct legacy_inode inode;	/* the one that was looked at last */
	struct legacy_extent *extent;	/* for each of the scan */
	struct legacy_parent *parent;	/* sorted by child, then parent */
	size_t n_parents, parents_room;
	struct journal_point at;
	bool force_key;			/* also files whose last page speaks against their IV */
};

static inline bool legacy_is_undoing(const struct legacy_run *run)
{
	return run->at.direction == CRYPT_TO_SEALED;
}

/* --- legacy-set.c: what there is to decrypt --- */
/* The inode of a file of that member, with its IV. Borrowed until the next call. */
bool legacy_inode_of(struct legacy_run *run, uint32_t member, uint64_t number, const struct legacy_inode **inode, struct error *err) must_use;
/* Is this extent item encrypted, or has it the mark of one that was? */
bool legacy_extent_is_ours(const struct legacy_run *run, const struct legacy_inode *inode, const struct file_extent *e);
/* run->extent. ERROR_REFUSED, with notes for people, if there is anything that cannot be decrypted in place. n_inline: encrypted payloads. */
bool legacy_extents_find(struct legacy_run *run, uint64_t *n_inline, struct error *err) must_use;
/*
 * MAC over everything in the members' leaves that decrypting does not change: the same in the beginning, at any time meanwhile, and at the end.
 * is_whole: also over what only phase STRUCTURE takes away, IVs and flags of inodes, and over which extents are encrypted, or were: the same until then.
 */
bool legacy_digest(struct legacy_run *run, bool is_whole, uint8_t digest[CRYPT_MAC_SIZE], struct error *err) must_use;
/* Is all of that, as far as it can be told in this phase, what the state says? Nobody else is in this image, so whatever differs was changed by someone. */
bool legacy_is_as_begun(struct legacy_run *run, bool *is, struct error *err) must_use;

/* --- legacy-data.c --- */
/* Reads all of the data that will be converted: bad ones are found while nothing is changed yet. */
bool legacy_data_check(struct legacy_run *run, struct error *err) must_use;
bool legacy_data_convert(struct legacy_run *run, struct error *err) must_use;

/* --- legacy-leaves.c --- */
bool legacy_leaves_convert(struct legacy_run *run, struct error *err) must_use;

/* --- legacy-xattrs.c: phase STRUCTURE --- */
/* run->parent. blocks: of the largest record of this phase, at least. */
bool legacy_parents_find(struct legacy_run *run, size_t *blocks, struct error *err) must_use;
bool legacy_xattrs_remove(struct legacy_run *run, struct error *err) must_use;
/*
 * Does all of this phase in memory, leaf by leaf, and forgets it: what contradicts itself in the trees is found out before anything is changed,
 * because later nobody could go back.
 */
bool legacy_xattrs_try(struct legacy_run *run, struct error *err) must_use;
/* Is this an xattr that the format added? */
bool legacy_xattr_is_ours(const struct cursor *name);

/* --- legacy-quota.c --- */
/* One tree block, which these roots (ascending) referred to, is gone: corrects their root items and quota numbers. */
bool legacy_quota_less(struct legacy_run *run, struct transaction *tx, const uint64_t *root, size_t n, struct error *err) must_use;

/* --- legacy-run.c --- */
/* Commits in that phase, with data (may be NULL). The transaction ends. */
bool legacy_commit(struct legacy_run *run, struct transaction *tx, enum crypt_phase phase, uint64_t cursor, const struct journal_data *data,
		   struct error *err) must_use;
/* Commits *tx, asks whether to stop, and begins the next one; after a failure *tx is NULL. */
bool legacy_commit_step(struct legacy_run *run, struct transaction **tx, enum crypt_phase phase, uint64_t cursor,
			const struct journal_data *data, struct error *err) must_use;
/* Does a record hold this many more tree blocks, and carried data? */
bool legacy_has_room(const struct legacy_run *run, const struct transaction *tx, size_t n_blocks, size_t n_carried, size_t bytes);
void legacy_progress(const struct legacy_run *run, enum crypt_phase phase, uint64_t done, uint64_t total);
void legacy_note(const struct legacy_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets or clears the operation's id in the root items of the members; CLEAN: and removes what the format has there. */
enum legacy_root_change { LEGACY_ROOT_CLAIM, LEGACY_ROOT_RELEASE, LEGACY_ROOT_CLEAN };
bool legacy_roots_edit(struct legacy_run *run, struct transaction *tx, enum legacy_root_change change, struct error *err) must_use;
bool legacy_open_journal(struct legacy_run *run, struct error *err) must_use;
/* Does all that is left to do, in run->at.direction. */
bool legacy_run_all(struct legacy_run *run, struct error *err) must_use;
bool legacy_run_finish(struct legacy_run *run, struct error *err) must_use;
/* Reads the members' trees: run->scan, run->plan. */
bool legacy_scan(struct legacy_run *run, const uint64_t *ids, size_t n, struct error *err) must_use;
void legacy_run_close(struct legacy_run *run);	/* a zeroed struct is fine */

#endif /* COMMON_CONVERT_LEGACY_RUN_H */
