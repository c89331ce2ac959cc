/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of domain-read.h share. */
#ifndef COMMON_FS_DOMAIN_READER_H
#define COMMON_FS_DOMAIN_READER_H

#include "common/fs/carried.h"
#include "common/fs/domain-read.h"
#include "common/fs/domain-view.h"
#include "common/util/set64.h"

/* The unit read last: files are read in pieces smaller than a unit. */
struct unit_at_hand {
	uint64_t place;
	uint64_t group_id;		/* unit_id of its group */
	struct crypt_unit unit;		/* its tags are those below */
	struct unit_cipher *cipher;	/* NULL: there is none at hand */
	uint8_t tags[CRYPT_UNIT_BLOCKS_MAX * CRYPT_TAG_SIZE];
};

/* The extent item read last, and where it is sealed: what is damaged is read in small pieces, and found by a long search. */
struct item_at_hand {
	uint64_t subvolume, inode, file_offset;		/* inode 0: none */
	uint64_t address, length;
	uint8_t type;
	uint16_t other_encoding;
	struct unit_group group;
	bool is_sealed;
};

struct domain_reader {
	struct extent_source source;	/* first: how it finds its reader */
	struct domain *domain;
	const struct subvolume_list *list;
	uint64_t subvolume;
	uint64_t member;	/* whose records count for it; 0: not known */
	struct inode_prover *prover;
	bool is_checked, is_whole;	/* domain_reader_check_whole(): done; nothing differs, and view is open */
	bool is_unread;			/* for damage: it cannot be looked at as a whole */
	struct error differs;		/* what does, or what is damaged */
	struct domain_view view;
	bool accept_unsealed;
	struct mode_memory mode;
	struct item_at_hand item;
	struct unit_at_hand at_hand;
	struct carried carried;
	struct set64 told;	/* extents of which it was said that a mirror is bad */
};

#endif /* COMMON_FS_DOMAIN_READER_H */
