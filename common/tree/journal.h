/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The write-ahead journal of a conversion: a transaction becomes durable as one authenticated record in free
 * space before its first byte is written in place.  One flush for each record.
 *
 * Commit of record n:
 *   1. new blocks are written to their (free) places, the record to slot n mod 3;
 *   2. flush: from here on the record is durable, and so is everything record n-1 wrote in place;
 *   3. record, new blocks and the blocks that record n-1 changed are read back from every mirror; what differs is written again;
 *   4. changed blocks and data ranges are written in place.  Not flushed: record n+1 does.
 * A crash before 2 leaves record n-1 the newest valid one (or n, if all of it reached the disk: nothing of it is in place
 * then); a crash later leaves n.  So replaying the newest valid record and the one before it is always enough, and
 * the third slot keeps both whole while the next one is being written.
 */
#ifndef COMMON_TREE_JOURNAL_H
#define COMMON_TREE_JOURNAL_H

#include "common/crypto/key-schedule.h"
#include "common/tree/transaction.h"
#include "format/journal.h"

struct journal {
	struct volume *volume;
	struct crypt_range slot[CRYPT_JOURNAL_SLOTS];
	uint8_t op_id[CRYPT_UUID_SIZE];
	struct mac *mac;		/* K_jrn; owned */
	uint64_t sequence;		/* of the last record */
	uint8_t last_mac[CRYPT_MAC_SIZE];	/* of the last record; zeros before the first */
	uint8_t *buffer[2];		/* one slot's worth each, in turns: the record being written, and the one before it */
	size_t buffer_size;
	size_t buffer_used;		/* by the longest record: plain text may be in it */
	bool next_is_broken;		/* journal_find(): a record behind the newest may have been there: none of its slot is valid */
	size_t unread;			/* length of the last record while the blocks that it changed were not read back, else 0 */
};

/* schedule NULL: only for reading; a record counts where its blocks have right checksums and it fits the others. */
bool journal_open(struct volume *volume, const struct crypt_range slot[CRYPT_JOURNAL_SLOTS], const uint8_t op_id[CRYPT_UUID_SIZE],
		  const struct key_schedule *schedule, struct journal *journal, struct error *err) must_use;
void journal_close(struct journal *journal);	/* zeroed struct is fine */

/* What a record says beside blocks: where the conversion stands once it is in place. */
struct journal_point {
	enum crypt_direction direction;
	enum crypt_phase phase;
	uint64_t cursor;
	uint64_t epoch;
	/* Called once the record is durable, before anything is written in place; may be NULL. */
	bool (*durable)(void *context, struct error *err);
	void *context;
};

/* Bytes of a record with so many blocks and ranges: must not exceed journal_capacity(). */
size_t journal_record_size(const struct journal *journal, size_t n_changed, size_t n_new, size_t n_ranges, size_t n_tags);
size_t journal_capacity(const struct journal *journal);

/*
 * Steps 1 to 3, then the changed blocks of step 4; the caller writes the data of the ranges afterwards.  Settles and ends the
 * transaction, also when it fails.  ERROR_NO_SPACE where the record does not fit (nothing was written then).
 */
bool journal_commit(struct journal *journal, struct transaction *tx, const struct journal_point *point,
		    const struct journal_range *ranges, size_t n_ranges, struct error *err) must_use;

/* --- journal-back.c --- */
/*
 * The blocks that the last record changed, after a flush: those that a mirror has not are written again.  Then all that was written so far is known
 * to be there, but for the data of ranges.  Does nothing the second time, or where no record was written.
 */
bool journal_read_back(struct journal *journal, struct error *err) must_use;
/*
 * For journal_commit(), before anything is overwritten: the record that was just flushed, and its new blocks.  Without them nobody could tell what
 * is then in place.
 */
bool journal_read_back_record(struct journal *journal, const struct transaction *tx, size_t len, struct error *err) must_use;
static inline uint8_t *journal_buffer(const struct journal *journal, uint64_t sequence)
{
	return journal->buffer[sequence % 2];
}

/* One authentic record, as found. */
struct journal_record {
	uint8_t *bytes;
	size_t len;
	struct journal_header header;
	uint8_t mac[CRYPT_MAC_SIZE];
};

/* Is it known, by more than its new blocks, that this record was durable once?  Then those that are not there were changed or lost later. */
struct journal_proof {
	bool (*was_durable)(void *context, const struct journal_record *record, bool *was, struct error *err);
	void *context;
};

/*
 * Reads the newest valid record and the one before it; *n is 0, 1 (the newest is the first of all) or 2, older first.
 * A record counts only if its MAC, place and op_id are right on some mirror, and, for the newest, each new block is there
 * on some mirror (the others need not be: who replays it writes them), or it is proven otherwise (proof may be NULL).
 * ERROR_STATE: an older record is missing, is not chained to the newest, or the newest is older than `least`.  ERROR_IO: a slot or a
 * new block can be read on no mirror, or is wrong on the others, so that nobody can say what is there.
 */
bool journal_find(struct journal *journal, uint64_t least, const struct journal_proof *proof, struct journal_record record[2], unsigned *n,
		  struct error *err) must_use;
void journal_record_free(struct journal_record *record);

/* For each part of an authentic record, in the order of the record; any may be NULL. */
struct journal_visitor {
	bool (*on_changed)(void *context, const struct journal_changed *changed, struct error *err);
	bool (*on_new)(void *context, const struct journal_new *new_block, struct error *err);
	bool (*on_range)(void *context, const struct journal_range *range, struct error *err);
};
bool journal_record_visit(const struct journal *journal, const struct journal_record *record, const struct journal_visitor *visitor,
			  void *context, struct error *err) must_use;

/* A new block of a record, node_size bytes, from the first mirror where it is as the record says; *found: on any.  ERROR_IO where that cannot be told. */
bool journal_read_new(const struct journal *journal, const struct journal_new *new_block, uint8_t *bytes, bool *found,
		      struct error *err) must_use;

#endif /* COMMON_TREE_JOURNAL_H */
