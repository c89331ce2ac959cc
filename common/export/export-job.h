/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share about a running export. */
#ifndef COMMON_EXPORT_EXPORT_JOB_H
#define COMMON_EXPORT_EXPORT_JOB_H

#include <assert.h>

#include "common/export/attributes.h"
#include "common/export/export.h"
#include "common/export/links-out.h"
#include "common/fs/symlink.h"
#include "common/fs/walk.h"

/* Remembered for an inode with several names. */
struct export_kept {
	uint64_t number;
	bool taken, has_hash;
	uint8_t marks;
	uint8_t hash[HASH_SIZE];
};
static_assert(sizeof(struct export_kept) <= sizeof(((struct link *)0)->user), "what is kept with a link");

/*
 * Bytes of a file that may be wrong. A file is read in pieces, and some pieces twice, so adjacent bytes are reported as one range and each
 * byte once.
 */
struct doubts {
	uint64_t size;		/* of the file, or the end of the wanted part */
	uint64_t first, end;	/* not reported yet; equal: none */
	uint64_t told;		/* everything before it was reported */
	bool any;		/* of this file */
	uint64_t logical, disk_length;	/* where they begin on disk, and how many follow each other there */
	char text[sizeof(((struct error *)0)->text)];
	struct reporter reporter;	/* gets them */
};

struct export_job {
	struct volume *volume;
	struct out *out;
	const struct export_options *options;
	struct export_summary *summary;
	struct file_reader *reader;
	struct hash *hash;		/* NULL: not wanted */
	uint8_t *zeros;			/* FILE_ZEROS, for the hash of holes */
	struct attributes attributes;
	struct file_map map;
	struct links_out links;
	uint64_t last_number;
	bool skips_leave;		/* for the directory that was just refused */
	bool is_neutral[PATH_BYTES_MAX / 2 + 2];	/* per directory on the path of the walk: unproven attributes are left out */
	const char *prefix;
	size_t prefix_len;
	char path[2 * PATH_BYTES_MAX + 2];
	uint64_t subvolume, inode;	/* of what has the path; inode 0: unknown */
	char link_path[2 * PATH_BYTES_MAX + 2];
	char target[SYMLINK_TARGET_MAX + 1];
	/* of the file being written: */
	uint64_t at;			/* hashed so far */
	bool is_incomplete;
	bool is_hashed;
	unsigned marks;			/* bits of export_mark */
	struct doubts doubts;
	struct reporter above;		/* who heard the volume before */
};

/* Reports something about the current entry and counts it. */
void export_tell(struct export_job *job, struct report report);
void export_find(struct export_job *job, enum report_kind kind, const char *text);

/* Is the entry as it was sealed? Differences are reported. *skip: leave it out, with everything below. */
bool export_prove(struct export_job *job, const struct walk_entry *entry, bool *skip, struct error *err) must_use;

bool export_bytes_init(struct export_job *job, struct error *err) must_use;
void export_bytes_free(struct export_job *job);

/*
 * Writes a file's bytes to the out, and reports the ranges that are lost or doubtful. If hashes are wanted, reports the hash of the whole
 * file and remembers it.
 */
bool export_bytes(struct export_job *job, const struct walk_entry *entry, struct extent_source *source, bool ciphertext, struct export_kept *kept,
		  struct error *err) must_use;

#endif /* COMMON_EXPORT_EXPORT_JOB_H */
