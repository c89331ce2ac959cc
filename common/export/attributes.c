/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gathers extended attributes. Memory is reused from one inode to the next. */
#include "common/export/attributes.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/util/array.h"
#include "common/util/escape.h"

static bool reserve(struct attributes *a, size_t more, struct error *err)
{
	uint8_t *bytes;
	size_t size = a->size ? a->size : 4096;

	while (size - a->used < more)
		size *= 2;
	if (size != a->size) {
		bytes = realloc(a->bytes, size);
		if (!bytes)
			return error_memory(err);
		a->bytes = bytes;
		a->size = size;
	}
	if (!ARRAY_ROOM(a->at, a->n, a->n_allocated, err))
		return false;
	return true;
}

static bool add(void *context, const struct dir_entry *xattr, struct error *err)
{
	struct attributes *a = context;
	const size_t name_len = xattr->name.left, len = xattr->data.left;
	char text[ESCAPED_SIZE(NAME_MAX_BYTES)];

	if (memchr(xattr->name.at, '\0', name_len)) {
		escape_text(xattr->name.at, name_len, text, sizeof(text));
		return error_set(err, ERROR_CORRUPT, "xattr \"%.300s\": the name contains a NUL", text);
	}
	if (name_len + 1 + len > ATTRIBUTES_BYTES_MAX - a->used)
		return error_set(err, ERROR_CORRUPT, "its xattrs take more than %u bytes", ATTRIBUTES_BYTES_MAX);
	if (!reserve(a, name_len + 1 + len, err))
		return false;
	memcpy(a->bytes + a->used, xattr->name.at, name_len);
	a->bytes[a->used + name_len] = '\0';
	memcpy(a->bytes + a->used + name_len + 1, xattr->data.at, len);
	/* The bytes may still move, so their addresses are filled in at the end. */
	a->at[a->n++] = (struct out_xattr){ .len = len };
	a->used += name_len + 1 + len;
	return true;
}

bool attributes_read(struct attributes *a, const struct tree *subvolume, uint64_t inode,
		     struct error *damaged, struct error *err)
{
	size_t at = 0;

	a->n = a->used = 0;
	*damaged = (struct error){ 0 };
	if (!xattr_read(subvolume, inode, add, a, err)) {
		if (!error_is_damage(err))
			return false;
		*damaged = *err;
		error_prefix(damaged, "extended attributes of inode %" PRIu64, inode);
	}
	for (size_t i = 0; i < a->n; i++) {
		a->at[i].name = (const char *)a->bytes + at;
		at += strlen(a->at[i].name) + 1;
		a->at[i].value = a->bytes + at;
		at += a->at[i].len;
	}
	return true;
}

void attributes_free(struct attributes *a)
{
	free(a->at);
	free(a->bytes);
	*a = (struct attributes){ 0 };
}
