/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of an unfinished conversion in the superblock copies. */
#ifndef COMMON_CONVERT_STATE_H
#define COMMON_CONVERT_STATE_H

#include "common/convert/conversion.h"

/*
 * The digest of the members as they are now. A resume must get the same result as the beginning, from any state. c->scan, c->flags and
 * c->state.op_id must be set.
 */
bool conversion_begin_digest(const struct conversion *c, uint8_t digest[CRYPT_MAC_SIZE], struct error *err) must_use;
/* Fills the fixed fields of c->state. c->schedule, c->header and the volume must be set. */
bool state_fill(struct conversion *c, enum crypt_operation operation, const struct crypt_range *keys,
		const struct crypt_range slot[CRYPT_JOURNAL_SLOTS], bool accepted, struct error *err) must_use;
/* Writes phase, cursor, epoch and sequence with a MAC into the tail of every superblock copy, with the bit set. */
bool state_write(struct conversion *c, struct error *err) must_use;
bool state_is_authentic(const struct key_schedule *schedule, const struct disk_crypt_state *state, bool *authentic,
			struct error *err) must_use;
/*
 * Makes sure that the bit is set in every copy and that nobody else opened the image before. This is the last step before the first change
 * in place. From then on others may open the image, but no kernel mounts it.
 */
bool state_claim(struct conversion *c, struct error *err) must_use;
/* Writes FINISHED, then clears bit and tail. verity: the compat_ro bit afterwards. */
bool state_clear(struct conversion *c, bool verity, struct error *err) must_use;
/* The newest tail among the valid superblock copies that have the bit set; NULL: none. Not authenticated. */
const struct super_copy *state_newest(const struct volume *volume, struct crypt_state_tail *tail, struct error *err);
/* The error for a bit that is set without any readable tail. why: the error of state_newest(). Always false. */
bool state_unreadable(const struct volume *volume, const struct error *why, struct error *err);
/* Do all copies with the bit set carry this tail? */
bool state_is_unanimous(const struct volume *volume, const struct crypt_state_tail *tail);
/*
 * Finds the newest tail that the key vouches for, so that an altered copy does not get in the way of a good one. Opens the domain from the
 * copies beside the trees or, if those are wiped, from the root tree. Afterwards volume->super is the copy that carries the tail.
 */
bool state_open(struct volume *volume, const struct key_source *key, struct crypt_state_tail *tail, struct domain **domain,
		struct error *err) must_use;

#endif /* COMMON_CONVERT_STATE_H */
