/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replaces the key slots of what is sealed: after a power cut all of them are the old ones or all of them are the new ones, or it is
 * unfinished, and any key of either set finishes or undoes it. No data are looked at. One record of the journal, in this order:
 *
 *   step                                          durable afterwards                          a crash before the next step leaves
 *   1. copies of header, old and new slots        in free space                               the old slots
 *   2. record 1: root tree blocks with the new    in free space                               the old slots
 *      slots, and the header
 *   3. the superblocks' state and bit             nobody else can mount                       record 1, to be replayed
 *   4. record 1 is carried out, state FINISH      the new slots; the old ones are             cleaning up
 *                                                 overwritten in place
 *   5. the journal is wiped, and free space as    no old slot in the journal, or where        the same
 *      `wipe` says                                kernels left older root tree blocks
 *   6. state FINISHED; the copies of 1. are       no copy of any slot outside the root tree   the superblocks to clear
 *      zeros; superblocks without state and bit
 *
 * See format/README.md, "Changing key slots".
 */
#ifndef COMMON_CONVERT_KEY_CHANGE_H
#define COMMON_CONVERT_KEY_CHANGE_H

#include "common/convert/convert.h"
#include "common/sealed/domain.h"

struct key_change {
	const struct disk_crypt_slot *slots;	/* all that there will be, by ascending number */
	size_t n_slots;
	uint32_t kept;		/* bit n: what is wrong with slot n stays as it is */
	bool wipe;		/* free metadata space: a slot goes. With ui->wipe_free in any case all free space */
};

/* domain: opened, of a volume that was opened for writing. ERROR_REFUSED, ERROR_BUSY, ERROR_NO_SPACE: nothing was changed. */
bool key_change(struct volume *volume, struct domain *domain, const struct key_change *change, const struct convert_ui *ui, struct error *err) must_use;
/* For convert_continue(): goes on after a crash. domain: opened for the state in tail, which is authentic. plan tells what was done. */
bool key_change_continue(struct volume *volume, const struct crypt_state_tail *tail, struct domain *domain, enum convert_goal goal,
			 const struct convert_ui *ui, struct convert_plan *plan, struct error *err) must_use;

#endif /* COMMON_CONVERT_KEY_CHANGE_H */
