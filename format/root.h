/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ROOT_ITEM, ROOT_REF and ROOT_BACKREF items. */
#ifndef FORMAT_ROOT_H
#define FORMAT_ROOT_H

#include "format/inode.h"
#include "format/key.h"

struct root {
	uint64_t generation, bytenr, bytes_used, last_snapshot, flags, dirid;
	uint32_t refs;
	struct key drop_progress;	/* for a deleted subvolume: everything before it is gone; all 0: nothing is gone */
	uint8_t level;
	bool is_short;		/* written before 439-byte items: nothing below is valid */
	bool has_v2;		/* generation_v2 == generation: uuids and times are valid */
	uint8_t uuid[UUID_SIZE], parent_uuid[UUID_SIZE], received_uuid[UUID_SIZE];
	uint64_t ctransid, otransid, stransid, rtransid;
	struct inode_time ctime, otime, stime, rtime;
	uint8_t reserved[64];	/* struct disk_crypt_tag and zeros */
	/* the decoded tag; algorithm[0] == 0: there is none */
	char algorithm[17];	/* printable, always NUL terminated */
	uint32_t key_len, key_hash;
};

/* 239 (short) or at least 439 bytes; level < LEVEL_MAX; bytenr aligned and not 0. */
bool root_read(struct cursor *item, struct root *root, struct error *err) must_use;

struct root_ref {
	uint64_t dirid;		/* inode of the directory that holds the entry */
	uint64_t sequence;
	struct cursor name;	/* borrowed from the leaf */
};

/* The payload of a ROOT_REF or ROOT_BACKREF: exactly one name of 1..255 bytes. */
bool root_ref_read(struct cursor *item, struct root_ref *ref, struct error *err) must_use;

#endif /* FORMAT_ROOT_H */
