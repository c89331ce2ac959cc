/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the bytes of a chunk are: where its profile says or, for data of a filesystem with the raid stripe tree, where an item of that tree
 * says. The profile still determines the stripe, and so the device; the item says where on it.
 */
#ifndef COMMON_VOLUME_STRIPE_TREE_H
#define COMMON_VOLUME_STRIPE_TREE_H

#include "common/volume/stripe.h"

/* For volume.c: for a filesystem with that feature. Nothing is read before the first lookup. */
bool stripe_tree_new(struct volume *volume, struct error *err) must_use;
void stripe_tree_drop(struct stripe_tree *tree);	/* drops what was read, because it may read differently now; NULL is fine */
void stripe_tree_free(struct stripe_tree *tree);

/*
 * Like stripe_place(), for a mirror that is not computed. place->stripe is right even after a failure: ERROR_CORRUPT if the tree has no
 * item for logical, or its item has nothing on the device of the stripe.
 */
bool volume_place(const struct volume *volume, const struct chunk *chunk, uint64_t logical, unsigned mirror, struct stripe_place *place,
		  struct error *err) must_use;

#endif /* COMMON_VOLUME_STRIPE_TREE_H */
