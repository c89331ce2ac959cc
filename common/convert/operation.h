/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A change of the image that a power cut cannot leave by half, whatever is changed: subvolumes by a conversion, or key slots alone. Its state
 * is in the unused tail of the superblocks, its records are in the journal, and header and key slots are copied outside the trees, so that
 * the key can be checked whatever state the trees are in. Whoever uses it edits the trees in transactions and commits them in this order:
 *
 *   call                       durable afterwards                                 a crash before the next call leaves
 *   operation_begin()          nothing: the fields of the state are filled        an untouched filesystem
 *   operation_open_journal()   nothing                                            the same
 *   operation_write_keys()     both copies of header and slots, in free space     the same
 *   operation_commit_first()   1. new blocks and record 1, in free space          the same
 *                              2. superblock copies 1, 2: bit, state              an operation that has begun, for us; a kernel mounts it
 *                              3. superblock copy 0: nobody else mounts it        record 1, to be replayed
 *                              and 4., not durable: what record 1 changes
 *   operation_commit()         new blocks, record n, what record n-1 changed,     records n-1 and n, to be replayed
 *                              all of it read back; not durable: what n changes
 *   operation_write_state()    what record n changed, then the superblock copies  the same, from where the state says
 *   operation_clear()          1. what record n changed, then the superblocks:    nothing but the state to clear
 *                                 FINISHED
 *                              2. the copies of header and slots are zeros        the same
 *                              3. superblocks without bit and state, copy 0 last  the end
 *
 * Steps 2 and 3 of operation_commit_first() follow each other only if nobody else has come to use the image: before them nothing that anybody
 * reads was changed. What is between the last record and operation_clear() (reading back, wiping) is up to the caller; operation_flush()
 * makes the last record's changes durable. A resume begins with operation_resume() in place of operation_begin(), replays (replay.h), and
 * then goes on. See format/README.md, "The conversion".
 */
#ifndef COMMON_CONVERT_OPERATION_H
#define COMMON_CONVERT_OPERATION_H

#include "common/tree/journal.h"
#include "format/crypt.h"

struct operation_places {		/* in free space */
	struct crypt_range keys;	/* of the copies of header and slots */
	struct crypt_range slot[CRYPT_JOURNAL_SLOTS];
};

struct operation {
	struct volume *volume;
	struct crypt_header *header;	/* of the domain, as last committed; the caller's, like the key schedule. CRYPT_OP_LEGACY has no domain:
					 * of this its epoch, op_id and kcv count, and no item is written */
	const struct key_schedule *schedule;	/* for the MACs of header, state and records; NULL: only for reading */
	struct disk_crypt_state state;	/* the tail; op_id, domain, places... are fixed at the beginning */
	struct journal journal;
	enum { VERITY_SET, VERITY_DROP, VERITY_KEEP } verity;	/* what the next state does to the feature bit */
};

/* The fields of the state that follow from the header and the volume. What else it needs (total, flags, begin digest) is up to the caller. */
void operation_begin(struct operation *op, enum crypt_operation operation, const struct operation_places *places);
/* CRYPT_STATE_*: what the user asks for. */
struct convert_ui;
uint32_t operation_wanted_flags(const struct convert_ui *ui);
bool operation_open_journal(struct operation *op, struct error *err) must_use;
/* For a resume: opens the allocator, the caller's, in which the places of the state must be free. Otherwise ERROR_STATE. */
bool operation_reserve(const struct operation *op, struct allocator **allocator, struct error *err) must_use;
void operation_close(struct operation *op);	/* a zeroed struct is fine */

/* Does a state that was found belong to this filesystem and header? ERROR_STATE. */
bool operation_fits(const struct operation *op, struct error *err) must_use;

/* Writes header and slots to their place outside the trees. */
bool operation_write_keys(struct operation *op, const struct disk_crypt_slot *slots, size_t n_slots, struct error *err) must_use;

/*
 * Commits the transaction, which ends even on failure. The header gets a new epoch and is written to its items in the same record, unless
 * the crypt items are cut off (is_cut). point->epoch is set here. data may be NULL.
 */
bool operation_commit(struct operation *op, struct transaction *tx, struct journal_point *point, bool is_cut, const struct journal_data *data,
		      struct error *err) must_use;
/* The same for the very first record: the superblocks are set once it is durable. */
bool operation_commit_first(struct operation *op, struct transaction *tx, struct journal_point *point, struct error *err) must_use;
/* Makes everything written so far durable and reads every tree block back. */
bool operation_flush(struct operation *op, struct error *err) must_use;
/* Writes where it stands, with a MAC, into the tail of every superblock copy, with the bit set. */
bool operation_write_state(struct operation *op, const struct journal_point *at, struct error *err) must_use;
/*
 * Makes sure that the bit is set in every copy and that nobody else opened the image before. This is the last step before the first change
 * in place, also of a resume. From then on others may open the image, but no kernel mounts it.
 */
bool operation_claim(struct operation *op, struct error *err) must_use;
/* The end. at: in which direction it went; verity: the compat_ro bit afterwards. */
bool operation_clear(struct operation *op, const struct journal_point *at, bool verity, struct error *err) must_use;

#endif /* COMMON_CONVERT_OPERATION_H */
