/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Subvolumes that were sealed inside others of the same domain. Anyone can change root items and the references between them, but not the
 * directory entries of those others, because their digests cover them.
 */
#ifndef COMMON_SEALED_DOMAIN_NESTED_H
#define COMMON_SEALED_DOMAIN_NESTED_H

#include "common/sealed/domain.h"

/*
 * Does the entry at path rest in subvolume above lead to subvolume id, wherever the root tree says that subvolume is? *leads is false if
 * there is no such entry. Returns false with err if something cannot be read.
 */
struct path_memory;	/* remembers earlier queries; path.h */
bool nested_entry_leads(struct path_memory *memory, struct volume *volume, uint64_t above, const uint8_t *rest, size_t rest_len, uint64_t id,
			bool *leads, struct error *err) must_use;

/*
 * Does the subvolume have the id of a member without being that member, while a directory of another member, covered by its digest, still
 * leads to it? If that cannot be read, the answer is yes, so that it is not taken for an ordinary subvolume.
 */
bool domain_is_replaced(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume);

#endif /* COMMON_SEALED_DOMAIN_NESTED_H */
