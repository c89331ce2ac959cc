/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The write-ahead journal of a conversion. A transaction becomes durable as one authenticated record in free space before its first byte is
 * written in place, with one flush per record.
 *
 * Commit of record n:
 *   0. with parity: what only parity has, beside what will be written, is written where it belongs, and flushed (parity-write.h);
 *   1. new blocks are written to their (free) places, the record to slot n mod 3;
 *   2. flush: from here on the record is durable, and so is everything that record n-1 wrote in place;
 *   3. record, new blocks and the blocks that record n-1 changed are read back from every mirror; what differs is written again;
 *   4. changed blocks and data are written in place. Not flushed: record n+1 does that.
 *
 * A crash before 2 leaves record n-1 as the newest valid one (or n, if all of it reached the disk; nothing of it is in place then). A later
 * crash leaves n. So replaying the newest valid record and the one before it is always enough, and the third slot keeps both intact while
 * the next record is being written.
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
	bool has_old;			/* ranges have an old side, too */
	struct mac *mac;		/* K_jrn; owned */
	uint64_t sequence;		/* of the last record */
	uint8_t last_mac[CRYPT_MAC_SIZE];	/* of the last record; zeros before the first */
	uint8_t *buffer[2];		/* one slot's worth each, used in turn: the current record and the one before it */
	size_t buffer_size;
	size_t buffer_used;		/* by the longest record; it may contain plain text */
	bool next_is_broken;		/* journal_find(): there may have been a record after the newest, since its slot has no valid one */
	size_t unread;			/* length of the last record until the blocks that it changed are read back, then 0 */
};

/* schedule NULL: only for reading. A record then counts if its blocks have right checksums and it fits the others. */
bool journal_open(struct volume *volume, const struct crypt_range slot[CRYPT_JOURNAL_SLOTS], const uint8_t op_id[CRYPT_UUID_SIZE],
		  const struct key_schedule *schedule, struct journal *journal, struct error *err) must_use;
void journal_close(struct journal *journal);	/* zeroed struct is fine */

/* What a record says besides its blocks: where the conversion stands once it is in place. */
struct journal_point {
	enum crypt_direction direction;
	enum crypt_phase phase;
	uint64_t cursor;
	uint64_t epoch;
	bool only_record;	/* it is made durable, and nothing of it is written in place: the blocks are as they are there */
	/* Called once the record is durable, before anything is written in place. May be NULL. */
	bool (*durable)(void *context, struct error *err);
	void *context;
};

/* The size of a record with this many blocks and ranges. Must not exceed journal_capacity(). */
size_t journal_record_size(const struct journal *journal, size_t n_changed, size_t n_new, size_t n_ranges, size_t n_tags);
/* What carried data of this many bytes add to it, in n parts. */
size_t journal_carried_size(size_t n, size_t bytes);
size_t journal_capacity(const struct journal *journal);

/* Data: what a record has tags of, its ranges, and what is written to them. */
struct journal_data {
	const struct journal_range *range;
	size_t n_ranges;
	const uint8_t *bytes;	/* of all ranges, one behind the other */
	const bool *keep;	/* for each block of them: it is not written */
	/* Data that nothing but the record could complete: it has them itself. */
	const struct journal_carried *carried;
	size_t n_carried;
};

/*
 * Does steps 1 to 4. data may be NULL. Settles and ends the transaction, even on failure. ERROR_NO_SPACE if the record does not fit
 * (nothing was written then).
 */
bool journal_commit(struct journal *journal, struct transaction *tx, const struct journal_point *point, const struct journal_data *data,
		    struct error *err) must_use;

/* --- journal-back.c --- */
/*
 * After a flush, reads back the blocks that the last record changed and the data it carries, and rewrites them on mirrors that differ. After that everything
 * written so far is known to be there, except the data of ranges. Does nothing the second time, or if no record was written.
 */
bool journal_read_back(struct journal *journal, struct error *err) must_use;
/*
 * For journal_commit(), before anything is overwritten: reads back the record that was just flushed, and its new blocks. Without them
 * nobody could tell afterwards what is in place.
 */
bool journal_read_back_record(struct journal *journal, const struct transaction *tx, size_t len, struct error *err) must_use;
static inline uint8_t *journal_buffer(const struct journal *journal, uint64_t sequence)
{
	return journal->buffer[sequence % 2];
}

/* --- journal-find.c --- */
/* An authentic record, as found. */
struct journal_record {
	uint8_t *bytes;
	size_t len;
	struct journal_header header;
	uint8_t mac[CRYPT_MAC_SIZE];
};

/* Is it known, from more than its new blocks, that this record was durable once? Then missing blocks were changed or lost later. */
struct journal_proof {
	bool (*was_durable)(void *context, const struct journal_record *record, bool *was, struct error *err);
	void *context;
};

/*
 * Reads the newest valid record and the one before it. *n is 0, 1 (the newest is also the first of all) or 2, older first. A record counts
 * only if its MAC, place and op_id are right on some mirror and, for the newest, each new block is there on some mirror (not necessarily on
 * all: whoever replays the record writes them), or proof shows that it was durable (proof may be NULL).
 * ERROR_STATE: an older record is missing or not chained to the newest, or the newest is older than `least`. ERROR_IO: a slot or a new
 * block cannot be read on one mirror and is wrong on the others, so that nobody can say what is there.
 */
bool journal_find(struct journal *journal, uint64_t least, const struct journal_proof *proof, struct journal_record record[2], unsigned *n,
		  struct error *err) must_use;
void journal_record_free(struct journal_record *record);

/* Called for each part of an authentic record, in the order of the record. Any may be NULL. */
struct journal_visitor {
	bool (*on_changed)(void *context, const struct journal_changed *changed, struct error *err);
	bool (*on_new)(void *context, const struct journal_new *new_block, struct error *err);
	bool (*on_range)(void *context, const struct journal_range *range, struct error *err);
	bool (*on_carried)(void *context, const struct journal_carried *carried, struct error *err);
};
bool journal_record_visit(const struct journal *journal, const struct journal_record *record, const struct journal_visitor *visitor,
			  void *context, struct error *err) must_use;

/*
 * Reads a new block of a record (node_size bytes) from the first mirror where it is as the record says. *found: there is such a mirror.
 * ERROR_IO if this cannot be decided.
 */
bool journal_read_new(const struct journal *journal, const struct journal_new *new_block, uint8_t *bytes, bool *found,
		      struct error *err) must_use;

#endif /* COMMON_TREE_JOURNAL_H */
