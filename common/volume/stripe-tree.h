/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the bytes of a chunk are: where its profile says, or, for data of a filesystem with the raid stripe tree, where an item of that tree says.
 * The profile still tells which stripe, and so which device; the item, on what place of it.
 */
#ifndef COMMON_VOLUME_STRIPE_TREE_H
#define COMMON_VOLUME_STRIPE_TREE_H

#include "common/volume/stripe.h"

/* For volume.c: of a filesystem with that feature.  Nothing is read before the first place is asked for. */
bool stripe_tree_new(struct volume *volume, struct error *err) must_use;
void stripe_tree_drop(struct stripe_tree *tree);	/* what was read, as it may be read again otherwise; NULL is fine */
void stripe_tree_free(struct stripe_tree *tree);

/*
 * As stripe_place(), for a mirror that is no computation.  place->stripe is right also after a failure: ERROR_CORRUPT where the tree has no
 * item of logical, or one that has nothing on the device of the stripe.
 */
bool volume_place(const struct volume *volume, const struct chunk *chunk, uint64_t logical, unsigned mirror, struct stripe_place *place,
		  struct error *err) must_use;

#endif /* COMMON_VOLUME_STRIPE_TREE_H */
