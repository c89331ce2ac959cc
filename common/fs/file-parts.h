/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file in parts: where it has data and holes, and its readable bytes, with lost ones reported. */
#ifndef COMMON_FS_FILE_PARTS_H
#define COMMON_FS_FILE_PARTS_H

#include "common/fs/source.h"

struct file_range {
	uint64_t offset, len;
};

/* Where data may be: neither holes nor prealloc. Initialise with { 0 }. May be reused. */
struct file_map {
	struct file_range *at;	/* ascending, not touching each other, inside the file */
	size_t n, n_allocated;
	uint64_t bytes;		/* the total */
	bool has_sealed;	/* an extent has the seal mark */
	bool has_inline;
};

/* A file in more pieces than this has some holes reported as data. */
#define FILE_MAP_MAX (1u << 20)

/* Parts of the tree that cannot be read count as holes here. */
bool file_map_read(const struct tree *subvolume, uint64_t inode, uint64_t size, struct file_map *map, struct error *err) must_use;
void file_map_free(struct file_map *map);

/* Receives the bytes. Both are called in ascending order, never twice for a byte. */
struct file_sink {
	bool (*data)(void *context, uint64_t offset, const void *bytes, size_t len, struct error *err);	/* false ends the reading */
	/* REPORT_LOST, with the first reason. NULL: what is lost first is the error. */
	void (*report)(void *context, const struct report *report);
	void *context;
	uint64_t first, end;	/* only this range is wanted and read; end 0: everything */
	/* Sealed extents are passed on as they are on disk; compressed ones are not decoded: their bytes, then zeros. */
	bool wants_ciphertext;
};

/* Buffers for any number of files, one after another; wiped when freed. */
struct file_reader;
bool file_reader_new(struct file_reader **reader, struct error *err) must_use;
void file_reader_free(struct file_reader *reader);

/* Passes on every part that has data, leaving out holes and prealloc. */
bool file_parts_read(struct file_reader *reader, struct extent_source *source, const struct tree *subvolume, uint64_t inode,
		     uint64_t size, const struct file_sink *sink, struct error *err) must_use;

#endif /* COMMON_FS_FILE_PARTS_H */
