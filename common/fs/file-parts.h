/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file in parts: where it has data and where holes, and its bytes as far as they can be read, with what is lost named. */
#ifndef COMMON_FS_FILE_PARTS_H
#define COMMON_FS_FILE_PARTS_H

#include "common/fs/file-data.h"

struct file_range {
	uint64_t offset, len;
};

/* Where data may be: neither holes nor prealloc.  Initialise with { 0 }, may be used again. */
struct file_map {
	struct file_range *at;	/* ascending, apart from each other, inside the file */
	size_t n, n_allocated;
	uint64_t bytes;		/* the sum */
	bool has_sealed;	/* an extent has the seal mark */
	bool has_inline;
};

/* Files in more pieces than this are told with some holes as data. */
#define FILE_MAP_MAX (1u << 20)

/* What cannot be read of the tree counts as a hole here. */
bool file_map_read(const struct tree *subvolume, uint64_t inode, uint64_t size, struct file_map *map, struct error *err) must_use;
void file_map_free(struct file_map *map);

/* Who takes the bytes; both in ascending order, never a byte twice.  False ends the reading. */
struct file_sink {
	bool (*data)(void *context, uint64_t offset, const void *bytes, size_t len, struct error *err);
	/* [first, end) is lost: what says the first reason. */
	bool (*lost)(void *context, uint64_t first, uint64_t end, const struct error *what, struct error *err);
	void *context;
	uint64_t first, end;	/* nothing else is wanted, or read; end 0: all of it */
};

/* Buffers, for any number of files one after the other; wiped when freed. */
struct file_reader;
bool file_reader_new(struct file_reader **reader, struct error *err) must_use;
void file_reader_free(struct file_reader *reader);

/*
 * Hands out every part that has data; holes and prealloc are left out.  ciphertext: sealed extents come as they are on disk, those that
 * are compressed not decoded: their bytes, then zeros.
 */
bool file_parts_read(struct file_reader *reader, struct extent_source *source, const struct tree *subvolume, uint64_t inode,
		     uint64_t size, bool ciphertext, const struct file_sink *sink, struct error *err) must_use;

#endif /* COMMON_FS_FILE_PARTS_H */
