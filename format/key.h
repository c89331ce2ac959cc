/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of tree items, native. */
#ifndef FORMAT_KEY_H
#define FORMAT_KEY_H

#include "format/ondisk.h"

struct key {
	uint64_t objectid;
	uint8_t type;
	uint64_t offset;
};

static inline struct key key_from_disk(const struct disk_key *disk)
{
	return (struct key){ le64(disk->objectid), disk->type, le64(disk->offset) };
}

static inline struct disk_key key_to_disk(const struct key *key)
{
	return (struct disk_key){ to_le64(key->objectid), key->type, to_le64(key->offset) };
}

/* <0, 0, >0, in tree order. */
static inline int key_compare(const struct key *a, const struct key *b)
{
	if (a->objectid != b->objectid)
		return a->objectid < b->objectid ? -1 : 1;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return 0;
}

/* "(256 EXTENT_DATA 0)" with names as btrfs-progs prints them, in the caller's buffer. */
#define KEY_TEXT_SIZE 96
const char *key_text(const struct key *key, char text[KEY_TEXT_SIZE]);

/* "EXTENT_DATA"; NULL for an unknown type. */
const char *key_type_name(uint8_t type);

#endif /* FORMAT_KEY_H */
