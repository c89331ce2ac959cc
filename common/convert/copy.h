/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gives the members their own copies of what they share with other subvolumes, before anything is sealed: plain btrfs copy-on-write, in
 * records of the journal, in phase STRUCTURE between the first record and the first units item (cursor 1). CRYPT_STATE_COPY says that it
 * was asked for, CRYPT_STATE_COPIED that it is done.
 *
 * Each record copies some tree blocks, from the top down, then some data extents, and each of them whole: the copy and what counts it, all
 * pointers of the members that led to the original, and the references on both sides. So every record leaves a valid filesystem in which
 * less is shared, and a resume looks at what is still shared and goes on; nothing has to be remembered.
 *
 *   durable                                        a crash afterwards leaves
 *   copies of data, in free data space, flushed    free space with plain text in it, which the subvolumes outside have too
 *   new tree blocks, the record                    the record, to be replayed
 *   not durable: what the record changes
 *   after the last: a record without changes,      the same, and nothing is shared any more
 *     its header with the numbers of units
 *   superblocks: COPIED, the begin digest of the   a sealing like any other
 *     members as they are now
 *
 * Until the last step the begin digest in the state does not count. A subvolume outside keeps every block and extent that it had, byte for
 * byte. A tree block that a member owned and leaves behind gets FULL_BACKREF: its children are then referred to by its address. An abort
 * keeps the copies.
 */
#ifndef COMMON_CONVERT_COPY_H
#define COMMON_CONVERT_COPY_H

#include "common/convert/conversion.h"

/* Was copying asked for, and is not done? */
bool copy_is_pending(const struct conversion *c);
/* For phase STRUCTURE: copies what c->copy has, takes stock of the members again, and says in the superblocks that it is done. */
bool copy_run(struct conversion *c, struct error *err) must_use;
/* For an abort before it was done: what was copied stays, and the members are as they are now. */
bool copy_settle(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_COPY_H */
