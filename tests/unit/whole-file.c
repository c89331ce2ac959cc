/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a file in parts and puts them together. */
#include "tests/unit/whole-file.h"

#include <assert.h>
#include <stdlib.h>

#include "common/fs/file-parts.h"
#include "common/fs/path.h"

struct whole { uint8_t *bytes; uint64_t size, at; };

static bool take(void *context, uint64_t offset, const void *bytes, size_t len, struct error *err)
{
	struct whole *whole = context;

	(void)err;
	assert(len > 0 && len <= 1 << 20 && offset >= whole->at && len <= whole->size - offset);
	memcpy(whole->bytes + offset, bytes, len);
	whole->at = offset + len;
	return true;
}

bool whole_file_read(struct extent_source *source, const struct tree *subvolume, uint64_t inode, uint8_t **bytes, size_t *len,
		     struct error *err)
{
	struct file_reader *reader = NULL;
	struct whole whole = { 0 };
	const struct file_sink sink = { .data = take, .context = &whole };
	struct inode item;
	bool ok;

	*bytes = NULL;
	if (!inode_get(subvolume, inode, &item, err) || !file_reader_new(&reader, err))
		return false;
	whole.size = *len = item.size;
	whole.bytes = calloc(1, item.size + 1);
	ok = whole.bytes ? file_parts_read(reader, source, subvolume, inode, item.size, &sink, err) : error_memory(err);
	file_reader_free(reader);
	if (ok)
		*bytes = whole.bytes;
	else
		free(whole.bytes);
	return ok;
}
