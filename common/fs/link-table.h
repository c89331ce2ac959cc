/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inodes with several names, and which name was met first. */
#ifndef COMMON_FS_LINK_TABLE_H
#define COMMON_FS_LINK_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/fs/path.h"

struct link {
	struct file_id file;
	uint32_t n_left;	/* names not met yet */
	size_t path_len;
	uint8_t *path;		/* the first name, followed by a NUL */
	uint8_t user[48];	/* for the user of the walk; zeros at first */
	struct link *next;
};

/* Initialise with { 0 }. */
struct link_table {
	struct link **bucket;
	size_t n_buckets, n;
};

/* NULL: not met yet. */
struct link *link_table_find(const struct link_table *table, const struct file_id *file);
bool link_table_add(struct link_table *table, const struct file_id *file, uint32_t n_links, const void *path, size_t path_len,
		    struct link **link, struct error *err) must_use;
/* All names were met: frees it. */
void link_table_remove(struct link_table *table, struct link *link);
void link_table_free(struct link_table *table);

#endif /* COMMON_FS_LINK_TABLE_H */
