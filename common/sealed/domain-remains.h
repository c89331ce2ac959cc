/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a damaged domain still has of its header and key slots. */
#ifndef COMMON_SEALED_DOMAIN_REMAINS_H
#define COMMON_SEALED_DOMAIN_REMAINS_H

#include "common/sealed/domain.h"

struct domain_remains {
	bool has_header;		/* an authentic one */
	struct crypt_header header;	/* then the one with the highest epoch */
	struct crypt_slot slots[CRYPT_SLOTS_MAX];	/* that can be read and belong to it; with has_header: for which it vouches */
	size_t n_slots;
	enum { SEAL_IS_GONE, SEAL_IS_OWN, SEAL_IS_OTHER } seal;	/* does the seal item in the tree fit the domain's header? */
	uint64_t n_items[CRYPT_KIND_MAX + 1];	/* of each kind, whatever is in them */
};

/* domain: opened, read from a header backup. ERROR_CORRUPT: the tree cannot be read where they are. */
bool domain_remains_read(const struct domain *domain, struct domain_remains *remains, struct error *err) must_use;
/*
 * For a domain of which nothing else tells that it is still sealed. id: of a member with an extent that lies where it was sealed and has no
 * mark, as an unsealing leaves it; 0: none. Members whose trees cannot be read do not count.
 */
bool domain_remains_plain(const struct domain *domain, const struct subvolume_list *list, uint64_t *id, struct error *err) must_use;

#endif /* COMMON_SEALED_DOMAIN_REMAINS_H */
