/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exports an image to an archive or a directory: everything that can be read, and the names of what cannot. */
#ifndef COMMON_EXPORT_EXPORT_H
#define COMMON_EXPORT_EXPORT_H

#include "common/crypto/hash.h"
#include "common/export/out.h"

struct export_summary {
	uint64_t n_files, n_directories, n_symlinks, n_special;	/* exported */
	uint64_t n_links;	/* further names of files; included in the files */
	uint64_t bytes;		/* of data: without holes */
	uint64_t n_incomplete;	/* files with lost bytes; included in the files */
	uint64_t lost_bytes;
	uint64_t n_doubtful;	/* files with bytes that may be wrong; included in the files */
	uint64_t doubtful_bytes;
	uint64_t n_unproven;	/* files, links and directories */
	uint64_t n_damaged, n_failed, n_sealed, n_refused, n_ciphertext, n_nested, n_converting;
	uint64_t n_too_long;	/* of the refused ones: directories with paths that are too long in them */
	uint64_t n_without_data;	/* of the refused ones: the image is a dump of another one, without data */
	uint64_t losses[OUT_LOSSES];
};

/* What about an entry is not as it was sealed. */
enum export_proof {
	EXPORT_TREE_DIFFERS = 1,	/* something in the subvolume that begins here */
	EXPORT_NAME_DIFFERS = 2,	/* it was not sealed under this name in this place */
	EXPORT_INODE_DIFFERS = 4,	/* of a directory: mode, owner, times and attributes; otherwise all of it, including the places of its data */
	EXPORT_LISTING_DIFFERS = 8,	/* the names in a directory */
	EXPORT_NOT_VOUCHED = 16,	/* nothing vouches for this, or for anything below it in the subvolume */
};

struct export_proven {
	unsigned differs;		/* bits of export_proof */
	struct error tree_unread;	/* the damage that keeps the subvolume beginning here from being checked as a whole; ERROR_NONE: none */
	const char *lost;		/* for a nested subvolume: why it cannot be reached as it was sealed, borrowed; NULL: it can */
	struct error unread;		/* the damage that keeps the difference from being read; ERROR_NONE: it can be read and differs */
};

/* What a hash does not say about the bytes of a file. */
enum export_mark {
	EXPORT_NOT_AS_IT_WAS = 1,	/* some are lost, may be wrong or are not authenticated */
	EXPORT_AS_ON_DISK = 2,		/* ciphertext, or not authenticated */
};

struct walk_entry;

struct export_options {
	bool recursive;		/* also the contents of nested subvolumes */
	bool (*enters)(void *context, uint64_t subvolume);	/* else: of this one? NULL: of none */
	bool raw;		/* sealed data without a key, as it is on disk */
	bool accept_unsealed;	/* what a sealed subvolume without a key claims is not sealed */
	uint64_t first, end;	/* only these bytes of each file, which the out must expect too; end 0: all */
	/*
	 * Where the bytes of a subvolume come from. *source NULL: it is sealed and there is no key, so nothing in it counts as plain just
	 * because it says so.
	 */
	bool (*source)(void *context, uint64_t subvolume, struct extent_source **source, struct error *err);
	/*
	 * *proven is empty before the call; NULL: no proof wanted. ERROR_UNFINISHED: the entry is left out, as being converted. Without accepts_unproven, what is not proven is left out and reported.
	 */
	bool (*proof)(void *context, const struct walk_entry *entry, struct export_proven *proven, struct error *err);
	bool accepts_unproven;
	/* For a symbolic link whose source is NULL, with accept_unsealed: is its target ciphertext? NULL: all are. */
	bool (*link_is_sealed)(void *context, const struct walk_entry *entry, bool *sealed, struct error *err);
	void (*progress)(void *context, const struct export_summary *so_far);	/* called often; may be NULL */
	/* Gets the hash of what was written for each regular file, under each of its names. marks: bits of export_mark. May be NULL. */
	bool (*hashed)(void *context, const char *path, const uint8_t hash[HASH_SIZE], unsigned marks, struct error *err);
	void *context;
};

/*
 * Exports one place of the image and everything below it. prefix: the path it gets; "" for the top of the export (a directory).
 * False: it could not continue. Everything else that is not exported as it is in the image is reported to whoever listens to the volume, with
 * the path that it has in the export. Adds to the summary.
 */
struct export_job;
bool export_begin(struct volume *volume, struct out *out, const struct export_options *options, struct export_summary *summary,
		  struct export_job **job, struct error *err) must_use;
bool export_tree(struct export_job *job, const struct file_id *start, const char *prefix, struct error *err) must_use;
void export_end(struct export_job *job);	/* NULL is fine */

#endif /* COMMON_EXPORT_EXPORT_H */
