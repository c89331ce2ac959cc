/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Journal records, byte for byte: what one transaction of a conversion changes. Specified in format/README.md, "The journal". Nothing is
 * authenticated here: common/tree/journal.c does that.
 */
#ifndef FORMAT_JOURNAL_H
#define FORMAT_JOURNAL_H

#include "format/crypt.h"

#define JOURNAL_MAGIC "BTRCJRNL"

struct disk_journal_header {
	uint8_t magic[8];
	struct le32 version;
	uint8_t direction, phase, root_level;
	uint8_t has_old;		/* 1: each range has its old side, too */
	struct le64 length;		/* bytes of the whole record, MAC included */
	struct le64 sequence;		/* from 1 */
	uint8_t op_id[CRYPT_UUID_SIZE];
	struct le64 place;		/* logical address of its slot */
	uint8_t previous[CRYPT_MAC_SIZE];	/* MAC of record sequence - 1; zeros for the first */
	struct le64 epoch;		/* of the domain header once the record is in place */
	struct le64 cursor;		/* once the record is in place */
	struct le64 bytes_used;		/* of the superblock, once the record is in place */
	struct le32 n_changed, n_new, n_ranges;
	struct le32 n_carried;
};
static_assert(sizeof(struct disk_journal_header) == 128, "journal header");
/* followed by: n_changed * (struct disk_journal_changed, then the block), n_new * struct disk_journal_new,
 * n_ranges * (struct disk_journal_range, then its tags; if has_old then U and the tags of the old side),
 * n_carried * (struct disk_journal_carried, then its bytes), mac[32] */

struct disk_journal_changed {	/* followed by the node size of bytes */
	struct le64 logical;
};

struct disk_journal_new {	/* already at its place */
	struct le64 logical;
	uint8_t sha256[32];
};
static_assert(sizeof(struct disk_journal_new) == 40, "journal new block");

struct disk_journal_range {	/* one unit whose blocks are overwritten; followed by its tags */
	struct le64 address;	/* logical, now */
	struct disk_crypt_u u;
};
static_assert(sizeof(struct disk_journal_range) == 56, "journal range");

struct disk_journal_carried {	/* data that are overwritten, followed by the new ones */
	struct le64 address;	/* logical */
	struct le32 n_blocks;	/* of CRYPT_BLOCK bytes */
	struct le32 zero;
};
static_assert(sizeof(struct disk_journal_carried) == 16, "journal carried data");
#define JOURNAL_CARRIED_MAX 32u	/* n_blocks: extents of the format of 2016 have up to 128 KiB */

struct journal_changed {
	uint64_t logical;
	const uint8_t *bytes;	/* borrowed: the node size */
};

struct journal_new {
	uint64_t logical;
	const uint8_t *sha256;	/* borrowed */
};

struct journal_range {
	uint64_t address;
	struct disk_crypt_u u;
	uint32_t n_blocks;
	const uint8_t *tags;	/* borrowed */
	/* While rekeying: what the same blocks were sealed with before. */
	struct disk_crypt_u old;
	const uint8_t *old_tags;	/* borrowed; NULL: there is no old side */
};

struct journal_carried {
	uint64_t address;
	uint32_t n_blocks;
	const uint8_t *bytes;	/* borrowed: n_blocks * CRYPT_BLOCK */
};

struct journal_header {
	enum crypt_direction direction;
	enum crypt_phase phase;
	uint8_t root_level;
	bool has_old;
	uint64_t length, sequence, place, epoch, cursor, bytes_used;
	uint32_t n_changed, n_new, n_ranges, n_carried;
	uint8_t op_id[CRYPT_UUID_SIZE], previous[CRYPT_MAC_SIZE];
};

/* Reads the header alone: magic, version, known direction and phase, length >= header + MAC. ERROR_STATE. */
bool journal_header_read(struct cursor *record, struct journal_header *header, struct error *err) must_use;

/* Then call these, in this order, exactly as many times as the header says. */
bool journal_changed_next(struct cursor *record, uint32_t node_size, struct journal_changed *changed, struct error *err) must_use;
bool journal_new_next(struct cursor *record, struct journal_new *new_block, struct error *err) must_use;
bool journal_range_next(struct cursor *record, bool has_old, struct journal_range *range, struct error *err) must_use;

bool journal_carried_next(struct cursor *record, struct journal_carried *carried, struct error *err) must_use;

#endif /* FORMAT_JOURNAL_H */
