/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a disk holds, as a few numbers: two disks with the same numbers hold the same files, flags and bytes. */
#ifndef TESTS_CRASH_CONTENT_H
#define TESTS_CRASH_CONTENT_H

#include "tests/crash/disk.h"

#define MEMBERS_MAX 16

struct members {	/* the subvolumes of the sealed set, ascending */
	uint64_t id[MEMBERS_MAX];
	size_t n;
};

struct content {
	uint64_t super;		/* fields that a conversion leaves, or puts back, as they were */
	uint64_t roots;		/* root items of the subvolumes */
	uint64_t items;		/* every item of every subvolume */
	uint64_t data;		/* every data extent, the same on every mirror, with its stored checksums */
};

/*
 * Everything, of a plain disk.  sealed: what every sealing of the same content has in common, so without the members' data, inline
 * payloads and key tag.  Also checks that all superblock copies agree, carry no trace of a conversion, and that the trees are consistent.
 * CONTENT_TORN: a mirror of the superblock may be damaged, the first may not.
 */
enum content_form {
	CONTENT_PLAIN = 0,
	CONTENT_SEALED = 1,
	CONTENT_TORN = 2,
	CONTENT_MOVED = 4,	/* wherever data lie: what a file refers to counts, not its address */
};
bool content_read(struct disk *disk, const struct members *members, unsigned form, struct content *content, struct error *err) must_use;

/* What differs, or NULL. */
const char *content_compare(const struct content *a, const struct content *b);

#endif /* TESTS_CRASH_CONTENT_H */
