/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known about how a subvolume's extents are encrypted, without a key: not authenticated. */
#ifndef CMD_STAT_SEAL_H
#define CMD_STAT_SEAL_H

#include "cmd/legacy-shown.h"
#include "common/sealed/domain.h"
#include "common/sealed/inline-map.h"

struct stat_seal {
	uint64_t subvolume;		/* the subvolume described */
	uint16_t domain;		/* 0: sealed in none */
	bool is_sealed;			/* in that domain, or in one that cannot be read */
	char tag[DOMAIN_TAG_TEXT_SIZE];	/* of that domain */
	struct keyring_found key;	/* of that domain, unless --no-keyring was given */
	uint64_t member;		/* the member that it is or descends from; 0: unknown */
	struct domain *crypt;		/* NULL: unknown, for example while a conversion is unfinished */
	struct inline_map *inlines;	/* NULL: not needed yet */
	struct legacy_shown legacy;	/* if it is not sealed */
};

/* Does nothing if *seal already describes that subvolume. Crypt items that cannot be read are a warning. */
bool stat_seal_read(const struct subvolume_list *list, uint64_t subvolume, struct stat_seal *seal, struct error *err) must_use;
void stat_seal_free(struct stat_seal *seal);

/* Is the payload of this inline extent (item: the whole item) ciphertext? */
bool stat_seal_has_inline(struct stat_seal *seal, const struct key *key, const struct cursor *item, uint32_t mode, bool *has,
			  struct error *err) must_use;

#endif /* CMD_STAT_SEAL_H */
