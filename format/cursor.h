/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A window on bytes of an image. Only this code moves along such bytes. */
#ifndef FORMAT_CURSOR_H
#define FORMAT_CURSOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "format/error.h"

/* Knows its position and never leaves its window. The bytes are borrowed. */
struct cursor {
	const uint8_t *at;
	size_t left;
	uint64_t offset;	/* of at[0] in the image (a logical address), for messages */
};

/* Splits the first n bytes off into part, or changes nothing. */
static inline must_use bool cursor_take(struct cursor *c, size_t n, struct cursor *part)
{
	if (n > c->left)
		return false;
	*part = (struct cursor){ c->at, n, c->offset };
	c->at += n;
	c->left -= n;
	c->offset += n;
	return true;
}

/* Copies the first n bytes out and moves past them, or changes nothing. */
static inline must_use bool cursor_read(struct cursor *c, void *out, size_t n)
{
	struct cursor part;

	if (!cursor_take(c, n, &part))
		return false;
	memcpy(out, part.at, n);
	return true;
}

#endif /* FORMAT_CURSOR_H */
