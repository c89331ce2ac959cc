/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of an unfinished conversion in the superblock copies. */
#ifndef COMMON_CONVERT_STATE_H
#define COMMON_CONVERT_STATE_H

#include "common/crypto/key-source.h"
#include "common/sealed/domain.h"
#include "common/volume/volume.h"

/* The MAC that the state should have. */
bool state_mac(const struct key_schedule *schedule, const struct disk_crypt_state *state, uint8_t out[CRYPT_MAC_SIZE],
	       struct error *err) must_use;
bool state_is_authentic(const struct key_schedule *schedule, const struct disk_crypt_state *state, bool *authentic,
			struct error *err) must_use;
/* The newest tail among the valid superblock copies that have the bit set; NULL: none. Not authenticated. */
const struct super_copy *state_newest(const struct volume *volume, struct crypt_state_tail *tail, struct error *err);
/* The error for a bit that is set without any readable tail. why: the error of state_newest(). Always false. */
bool state_unreadable(const struct volume *volume, const struct error *why, struct error *err);
/* Are all states that can be read, in copies with the bit set, of this operation? */
bool state_all_are(const struct volume *volume, enum crypt_operation operation);
/* Do all copies with the bit set carry this tail? */
bool state_is_unanimous(const struct volume *volume, const struct crypt_state_tail *tail);
/*
 * Finds the newest tail whose MAC is right, so that an altered copy does not get in the way of a good one. open() gives the keys of a tail's
 * operation, which stay with the context; it fails if the key is wrong. Afterwards volume->super is the copy that carries the tail.
 */
struct state_opener {
	bool (*open)(void *context, struct volume *volume, const struct crypt_state_tail *tail, const struct key_schedule **schedule,
		     struct error *err);
	void *context;
};
bool state_find(struct volume *volume, const struct state_opener *opener, struct crypt_state_tail *tail, struct error *err) must_use;
/*
 * Finds the newest tail that the key vouches for, so that an altered copy does not get in the way of a good one. Opens the domain from the
 * copies beside the trees or, if those are wiped, from the root tree. Afterwards volume->super is the copy that carries the tail.
 */
bool state_open(struct volume *volume, const struct key_source *key, struct crypt_state_tail *tail, struct domain **domain,
		struct error *err) must_use;

#endif /* COMMON_CONVERT_STATE_H */
