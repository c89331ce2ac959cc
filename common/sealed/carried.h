/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks that were bad before they were sealed: they are authentic, but still bad. */
#ifndef COMMON_SEALED_CARRIED_H
#define COMMON_SEALED_CARRIED_H

#include "common/sealed/domain.h"

#define CARRIED_TEXT "did not match their checksum before they were sealed"

struct carried {
	struct crypt_bad_block *at;	/* sorted by unit id and block */
	size_t n, room;
	bool is_read;
};

/* Zero it first. The items are read once, at the first call, if the header says that there are any. */
bool carried_has(struct carried *carried, const struct domain *domain, uint64_t unit_id, uint32_t block, bool *has, struct error *err) must_use;
void carried_free(struct carried *carried);

#endif /* COMMON_SEALED_CARRIED_H */
