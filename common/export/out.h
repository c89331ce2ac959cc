/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where exported files go: an archive or a directory. */
#ifndef COMMON_EXPORT_OUT_H
#define COMMON_EXPORT_OUT_H

#include <string.h>

#include "common/fs/file-parts.h"
#include "common/fs/path.h"
#include "common/fs/xattr.h"
#include "common/util/report.h"

/* What a format, or the user running the program, cannot keep. The bytes of files are always kept. */
enum out_loss {
	OUT_LOSS_OWNER,
	OUT_LOSS_MODE,
	OUT_LOSS_TIMES,
	OUT_LOSS_TIME_RANGE,	/* the format has not so many years: the nearest time is kept */
	OUT_LOSS_XATTR,
	OUT_LOSS_ACL,
	OUT_LOSS_LINK,		/* exported as a copy */
	OUT_LOSS_DEVICE,
	OUT_LOSS_SOCKET,
	OUT_LOSS_FIFO,
	OUT_LOSS_NAME,		/* the format only has names in UTF-8 */
	OUT_LOSS_FLAGS,		/* set with chattr; reported by the export itself */
	OUT_LOSS_HASH,		/* its holes are too long to hash; reported by the export itself */
	OUT_LOSSES
};

struct out_xattr {
	const char *name;	/* followed by a NUL, contains none */
	const uint8_t *value;
	size_t len;
};

struct out_entry {
	const char *path;	/* as in walk.h: nothing in it leads elsewhere; "" for the top itself */
	const struct inode *inode;
	uint64_t number;	/* unique among entries that do not share an inode */
	const char *target;	/* of a symbolic link */
	const char *link_to;	/* path of the same file, exported before; NULL: none. If set, nothing below matters */
	const struct file_range *data;	/* of a regular file: everything but holes */
	size_t n_data;
	const struct out_xattr *xattr;
	size_t n_xattrs;
};

struct out;
struct out_ops {
	/* Creates the entry. *taken false: it was not created; *refused says why, or if that is not set, a loss was reported. */
	bool (*begin)(struct out *out, const struct out_entry *entry, bool *taken, struct error *refused, struct error *err);
	/* For a regular file without link_to, in ascending order. What is left out is zeros. */
	bool (*data)(struct out *out, uint64_t offset, const void *bytes, size_t len, struct error *err);
	bool (*end)(struct out *out, struct error *err);
	/* Everything in the directory was created. */
	bool (*leave)(struct out *out, const struct out_entry *directory, struct error *err);
	/* Nothing more follows: writes what is left. */
	bool (*finish)(struct out *out, struct error *err);
	void (*close)(struct out *out);		/* if not finished: removes the archive */
};

struct out {
	const struct out_ops *ops;
	struct reporter reporter;
	bool copies_links;	/* begin() needs no link_to: a further name is like a first one */
	bool copies_special_links;	/* the same, for anything but regular files */
	bool loses_links;	/* and that counts as a loss */
	uint64_t holes_max;	/* limit for one file: an image can claim any size, and longer holes would take days */
	bool is_directory;
	bool keeps_attributes;	/* keeps more of an inode than its bytes */
};

/* Reports what is not kept of the entry. */
static inline void out_lose(const struct out *out, enum out_loss loss, const char *path)
{
	report_to(&out->reporter, &(struct report){ .kind = REPORT_NOT_KEPT, .path = (const uint8_t *)path, .path_len = strlen(path), .loss = loss });
}

enum out_format { OUT_TAR, OUT_ZIP, OUT_CPIO, OUT_MTREE };
enum out_compression { OUT_PLAIN, OUT_ZSTD, OUT_GZIP, OUT_XZ };

/* path "-": standard output. The file must not exist yet. */
bool archive_out_open(const char *path, enum out_format format, enum out_compression compression, struct out **out,
		      struct error *err) must_use;
/* A directory that does not exist yet, or is empty. */
bool dir_out_open(const char *path, struct out **out, struct error *err) must_use;
/*
 * Standard output, for one regular file: its bytes as they are, with zeros for holes and lost bytes; only [first, end), end 0: all. A
 * terminal only gets text.
 */
bool stream_out_open(uint64_t first, uint64_t end, struct out **out, struct error *err) must_use;

#endif /* COMMON_EXPORT_OUT_H */
