/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removes a sealing whose subvolumes are all gone: its crypt items leave the root tree, and with them its key slots. There is no data left that
 * its key could open, so no key is asked for. Nothing vouches for state and records then: instead of MACs they have SHA-256 of what they
 * cover, and whoever goes on after a crash proves that they do this and nothing else (purge-check.c). In this order:
 *
 *   step                                          durable afterwards                          a crash before the next step leaves
 *   1. record 1: the tree blocks that will        in free space                               an untouched filesystem
 *      change, as they are
 *   2. record 2: the same without the items, new  in free space                               the same
 *      blocks of the free space tree
 *   3. the superblocks' state and bit             nobody else can mount                       both records: record 2 is carried out, or
 *                                                                                             record 1 written again
 *   4. record 2 is carried out, state FINISH      the items are gone                          cleaning up
 *   5. journal and free metadata space are zeros  no key slot is left anywhere                the same
 *   6. state FINISHED; superblocks without state  the end                                     the superblocks to clear
 *      and bit
 *
 * See format/README.md, "Removing a sealing without subvolumes".
 */
#ifndef COMMON_CONVERT_PURGE_H
#define COMMON_CONVERT_PURGE_H

#include "common/convert/convert.h"

/*
 * The volume must be freshly opened (writable unless dry_run). ERROR_NOT_FOUND: there is no such sealing. ERROR_REFUSED: something still needs
 * it, or the answer to the question is no. Nothing was changed then.
 */
bool convert_purge(struct volume *volume, const uint8_t domain_uuid[CRYPT_UUID_SIZE], bool dry_run, const struct convert_ui *ui,
		   struct convert_plan *plan, struct error *err) must_use;

/* For convert_continue(). ERROR_STATE: the records would do something else. */
bool convert_purge_continue(struct volume *volume, enum convert_goal goal, const struct convert_ui *ui, struct convert_plan *plan,
			    struct error *err) must_use;

#endif /* COMMON_CONVERT_PURGE_H */
