/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorts the entries of a directory as people want them. */
#ifndef CMD_LS_SORT_H
#define CMD_LS_SORT_H

#include "common/fs/path.h"

enum ls_order { LS_UNSORTED, LS_BY_NAME, LS_BY_SIZE, LS_BY_TIME };

struct ls_entry {
	uint8_t *name;
	size_t name_len;
	struct file_id file;
	uint64_t size;
	struct inode_time mtime;
};

/* Initialise with { 0 }. */
struct ls_entries {
	struct ls_entry *at;
	size_t n, n_room;
	size_t bytes;		/* of memory */
};

/* By what --sort says: none, name, size or time; NULL: none. */
bool ls_order_choose(const char *sort, bool reverse, enum ls_order *order, struct error *err) must_use;

/* The most memory that a directory may take; a larger one can be listed unsorted. */
#define LS_SORT_MAX (256u << 20)

bool ls_entries_add(struct ls_entries *entries, const struct ls_entry *entry, struct error *err) must_use;	/* copies the name */
/* The largest or the newest first; equal ones, and names, in the order of their bytes. */
void ls_entries_sort(struct ls_entries *entries, enum ls_order order, bool reverse);
void ls_entries_free(struct ls_entries *entries);

#endif /* CMD_LS_SORT_H */
