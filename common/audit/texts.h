/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plain text of a sealed subvolume, in pieces: what its file extent items show, as it was on disk and, if it is compressed, decoded as
 * well. Data that were written after sealing do not belong to it.
 */
#ifndef COMMON_AUDIT_TEXTS_H
#define COMMON_AUDIT_TEXTS_H

#include "common/fs/source.h"
#include "common/sealed/domain-reader.h"

#define TEXT_MAX FILE_EXTENT_COMPRESSED_MAX	/* bytes: a compressed extent is one piece */

struct text {
	uint64_t inode;
	uint64_t item_offset;	/* of the item's key */
	uint64_t at;		/* in the extent; 0 in an inline item */
	uint64_t file_offset;	/* of its first byte; of the item, if it is packed */
	uint32_t len;
	bool is_inline;
	bool is_packed;		/* the bytes of a compressed extent, not those of the file */
	bool is_decoded;	/* of a compressed extent */
};

struct texts {
	const struct tree *subvolume;
	struct extent_source *source;	/* that of domain_reader_open(), without accept_unsealed */
	uint8_t packed[TEXT_MAX];
};

/* Where a walk begins: at piece nth of an item, or behind. */
struct text_cursor {
	struct key key;
	uint64_t nth;
};

/* *go = false ends the walk, before this text, where *from then is. */
typedef bool text_visit(void *context, const struct text *text, bool *go, struct error *err);
/* Visits the pieces by key. *from: in, where to begin ({ 0 }); out, where it ended. */
bool texts_walk(const struct texts *texts, struct text_cursor *from, text_visit *visit, void *context, struct error *err) must_use;

/* Reads text->len bytes. *is_sealed: false, if it was written later, and bytes are not set. */
bool text_read(struct texts *texts, const struct text *text, uint8_t *bytes, bool *is_sealed, struct error *err) must_use;

#endif /* COMMON_AUDIT_TEXTS_H */
