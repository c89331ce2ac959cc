/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where exported files go: an archive, or a directory. */
#ifndef COMMON_EXPORT_OUT_H
#define COMMON_EXPORT_OUT_H

#include "common/fs/file-parts.h"
#include "common/fs/path.h"
#include "common/fs/xattr.h"

/* What a format, or the user who runs the program, cannot keep.  The bytes of files are not among them. */
enum out_loss {
	OUT_LOSS_OWNER,
	OUT_LOSS_MODE,
	OUT_LOSS_TIMES,
	OUT_LOSS_XATTR,
	OUT_LOSS_ACL,
	OUT_LOSS_LINK,		/* exported as a copy */
	OUT_LOSS_DEVICE,
	OUT_LOSS_SOCKET,
	OUT_LOSS_FIFO,
	OUT_LOSS_NAME,		/* the format knows names in UTF-8 only */
	OUT_LOSS_FLAGS,		/* those of chattr; told by the export itself */
	OUT_LOSS_HASH,		/* its holes are too long to be hashed; told by the export itself */
	OUT_LOSSES
};

struct out_xattr {
	const char *name;	/* NUL after it, none in it */
	const uint8_t *value;
	size_t len;
};

struct out_entry {
	const char *path;	/* as walk.h says: nothing in it leads elsewhere; "" for the top itself */
	const struct inode *inode;
	uint64_t number;	/* unique among the entries that share no inode */
	const char *target;	/* of a symbolic link */
	const char *link_to;	/* the path of the same file, already there; NULL: none.  Then nothing below matters */
	const struct file_range *data;	/* of a regular file: what is not hole */
	size_t n_data;
	const struct out_xattr *xattr;
	size_t n_xattrs;
};

struct out;
struct out_ops {
	/* Makes the entry.  *taken false: not this one, why in *refused, or where that is not set, a loss was told. */
	bool (*begin)(struct out *out, const struct out_entry *entry, bool *taken, struct error *refused, struct error *err);
	/* Of a regular file without link_to, in ascending order; what is left out is zeros. */
	bool (*data)(struct out *out, uint64_t offset, const void *bytes, size_t len, struct error *err);
	bool (*end)(struct out *out, struct error *err);
	/* Everything in the directory is there. */
	bool (*leave)(struct out *out, const struct out_entry *directory, struct error *err);
	/* Nothing more comes: writes what is left. */
	bool (*finish)(struct out *out, struct error *err);
	void (*close)(struct out *out);		/* where it was not finished: takes the archive away */
};

struct out {
	const struct out_ops *ops;
	void (*loss)(void *context, enum out_loss loss, const char *path);
	void *loss_context;
	bool copies_links;	/* begin() wants no link_to: a further name comes like a first one */
	bool copies_special_links;	/* the same, for what is no regular file */
	bool loses_links;	/* and that is a loss */
	uint64_t holes_max;	/* bytes of one file: a size from an image may be anything, and longer ones would take days */
	bool is_directory;
	bool keeps_attributes;	/* something of an inode besides its bytes */
};

enum out_format { OUT_TAR, OUT_ZIP, OUT_CPIO, OUT_MTREE };
enum out_compression { OUT_PLAIN, OUT_ZSTD, OUT_GZIP, OUT_XZ };

/* path "-": standard output.  A file must not be there yet. */
bool archive_out_open(const char *path, enum out_format format, enum out_compression compression, struct out **out,
		      struct error *err) must_use;
/* A directory that is not there yet, or empty. */
bool dir_out_open(const char *path, struct out **out, struct error *err) must_use;
/*
 * Standard output, for one regular file: its bytes as they are, holes and what is lost as zeros; of them [first, end), end 0: all.  To a terminal
 * only text goes.
 */
bool stream_out_open(uint64_t first, uint64_t end, struct out **out, struct error *err) must_use;

#endif /* COMMON_EXPORT_OUT_H */
