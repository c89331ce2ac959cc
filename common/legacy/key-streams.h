/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ctr(aes) of 2016 gives away without any key. All pages of all files with one IV are encrypted with the same key stream. The padding of a
 * last page, which was zeros, is that key stream; where no padding shows it, two pages still show how they differ.
 */
#ifndef COMMON_LEGACY_KEY_STREAMS_H
#define COMMON_LEGACY_KEY_STREAMS_H

#include "common/legacy/legacy-inode.h"

#define KEY_STREAM_SAMPLE 32u

struct key_stream_file {
	uint64_t inode, size;
	uint8_t iv[LEGACY_IV_SIZE];	/* as on disk; of a file without one: its inode number, which no other has */
	uint64_t n_pages;		/* encrypted, without those below */
	uint64_t n_shared;		/* pages in extents that files with another IV use: nothing says of which */
	uint64_t n_in_stream;		/* pages and inline data of all files with this IV */
	uint64_t shares_with;		/* another file with this IV; 0: none */
	uint32_t known_from;		/* from this byte of a page on the key stream is known; LEGACY_PAGE: nowhere */
	uint64_t padding_at;		/* where it is known from: address of a page */
	uint64_t padding_inode;		/* and whose last page that is */
	uint64_t encrypted;		/* bytes of the file that are */
	uint64_t readable;		/* bytes that it makes readable */
	uint64_t compared;		/* further bytes of which it is known how they differ from those of another page */
	uint64_t sample_at;		/* in the file */
	size_t n_sample;
	uint8_t sample[KEY_STREAM_SAMPLE];
	uint64_t pair_at[2];		/* two pages of the file */
	size_t n_pair;			/* 0: it has no two */
	uint8_t pair[KEY_STREAM_SAMPLE];	/* the exclusive or of their beginnings, which is that of their plain texts */
};

struct key_streams {
	const struct tree *tree;
	const struct legacy *legacy;
	struct key_stream_file *file;	/* by inode */
	size_t n_files, file_room;
	uint64_t *shared;		/* addresses of extents that files with different IVs use, sorted */
	size_t n_shared;
};

/* What it finds is read from disk, page by page. */
bool key_streams_find(const struct tree *tree, const struct legacy *legacy, struct key_streams *streams, struct error *err) must_use;
void key_streams_free(struct key_streams *streams);

/* Passes on what can be read of a file, piece by piece. */
typedef bool key_stream_sink(void *context, uint64_t offset, const uint8_t *bytes, size_t len, struct error *err);
bool key_stream_read(const struct key_streams *streams, const struct key_stream_file *file, key_stream_sink *sink, void *context,
		     struct error *err) must_use;

#endif /* COMMON_LEGACY_KEY_STREAMS_H */
