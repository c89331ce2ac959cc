/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files that implement domain-reader.h. */
#ifndef COMMON_SEALED_DOMAIN_READER_INSIDE_H
#define COMMON_SEALED_DOMAIN_READER_INSIDE_H

#include "common/sealed/carried.h"
#include "common/sealed/domain-reader.h"
#include "common/sealed/domain-view.h"
#include "common/util/set64.h"

/* The last unit read: files are read in pieces smaller than a unit. */
struct unit_at_hand {
	uint64_t place;
	uint64_t group_id;		/* unit_id of its group */
	struct crypt_unit unit;		/* its tags are stored below */
	struct unit_cipher *cipher;	/* NULL: no unit is stored */
	uint8_t tags[CRYPT_UNIT_BLOCKS_MAX * CRYPT_TAG_SIZE];
};

/* The last extent item read, and where it is sealed: damaged data are read in small pieces and need a long search. */
struct item_at_hand {
	uint64_t subvolume, inode, file_offset;		/* inode 0: none */
	uint64_t address, length;
	uint8_t type;
	uint16_t other_encoding;
	struct unit_group group;
	bool is_sealed;
};

struct domain_reader {
	struct extent_source source;	/* must be first: the reader is found through it */
	struct list_proof list_proof;	/* a part of the volume's tolerance while the reader is open */
	struct domain *domain;
	const struct subvolume_list *list;
	uint64_t subvolume;
	uint64_t member;	/* the member whose records apply to it; 0: unknown */
	struct inode_prover *prover;
	bool is_checked, is_whole;	/* domain_reader_check_whole(): it was done; nothing differs, and view is open */
	bool is_unread;			/* because of damage it cannot be checked as a whole */
	struct error differs;		/* what differs, or what is damaged */
	struct domain_view view;
	bool accept_unsealed;
	struct mode_memory mode;
	struct item_at_hand item;
	struct unit_at_hand at_hand;
	struct carried carried;
	struct set64 told;	/* extents whose bad mirror was already reported */
};

/* The proves() of list_proof. */
bool domain_reader_proves_list(struct list_proof *proof, uint64_t subvolume, uint64_t directory, bool *proven, struct error *err) must_use;

#endif /* COMMON_SEALED_DOMAIN_READER_INSIDE_H */
