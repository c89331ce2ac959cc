/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Subvolumes that were sealed inside of others sealed with them: what the directory entries there say, which the digests of those vouch for.
 * Anyone can change root items and the references between them; nobody these entries.
 */
#ifndef COMMON_FS_DOMAIN_NESTED_H
#define COMMON_FS_DOMAIN_NESTED_H

#include "common/fs/domain.h"

/*
 * Does the entry at the path rest in subvolume above lead to subvolume id, wherever the root tree says that it is?  False (and *leads false) where
 * there is no such entry; false with err for what cannot be read.
 */
struct path_memory;	/* of those that were asked before; path.h */
bool nested_entry_leads(struct path_memory *memory, struct volume *volume, uint64_t above, const uint8_t *rest, size_t rest_len, uint64_t id,
			bool *leads, struct error *err) must_use;

/*
 * What keeps a subvolume, which exists, from being where it is said to be: a text for people, NULL where its ROOT_BACKREF and the ROOT_REF of the
 * subvolume above agree.
 */
bool nested_refs_wrong(const struct subvolume_list *list, const struct subvolume *subvolume, const char **wrong, struct error *err) must_use;

/*
 * Has the subvolume the id of a member, is another one, and does a directory of another member, whose digest vouches for that, still lead to it?
 * Where that cannot be read it does: it is not taken for an ordinary one.
 */
bool domain_is_replaced(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume);

#endif /* COMMON_FS_DOMAIN_NESTED_H */
