/* SPDX-License-Identifier: GPL-2.0-or-later */
/* After a crash: the last records. */
#ifndef COMMON_CONVERT_REPLAY_H
#define COMMON_CONVERT_REPLAY_H

#include "common/convert/operation.h"
#include "common/volume/block.h"

struct replay;

/* What the records' owner adds, for data and for lost records. Each may be NULL: there is nothing of the kind, no record is ever given up for lost. */
struct replay_owner {
	void *context;
	/* Checks that the range may be written and is what its record says: old, new or torn; or writes it. */
	bool (*range)(void *context, const struct journal_header *header, const struct journal_range *range, bool write, struct error *err);
	/* err says what only a lost record can have put in place. Returns true and clears err if the owner finds out what that did. */
	bool (*may_be_lost)(void *context, const struct replay *replay, struct error *err);
	/* Called once the newest record is whole on every mirror, before anything of it is written in place. */
	bool (*durable)(void *context, const struct replay *replay, struct error *err);
	/* What is in place of this tree block is newer than the records, and stays. */
	bool (*holds)(void *context, uint64_t logical);
};

struct replay {
	struct replay_owner owner;
	struct journal_record record[2];
	unsigned n;
	struct block **block;		/* of the records, held; the newer one if both records have it */
	size_t n_blocks, room;
	struct journal_point at;	/* where the operation stands once the records are in place */
	uint64_t disk_epoch;		/* of the newest authentic header on disk; 0: none could be read */
	enum crypt_state disk_state;	/* the state in that header */
	uint64_t changed_later;		/* a new block of the newest record that a later record has changed since; 0: there is none */
};

/*
 * Makes the image consistent after a crash: finds the last records, lays their blocks over the trees in memory, checks that everything they
 * touch fits and may be touched, and only then writes. The journal must be open. Sets the header's epoch. Nothing is checked until
 * replay_check().
 */
bool replay_load(struct operation *op, const struct replay_owner *owner, struct replay *replay, struct error *err) must_use;
/* Checks that every block and range may be written. */
bool replay_check(struct operation *op, const struct replay *replay, struct error *err) must_use;
/*
 * The newest record once more, flush; the blocks of the root tree, flush; the others and the ranges, flush; reads them back; makes the parity
 * that a crash may have left wrong.
 */
bool replay_write(struct operation *op, struct replay *replay, struct error *err) must_use;
void replay_free(struct replay *replay);

/* Is this a place that a record may name? Otherwise ERROR_STATE. type: of the chunks it may be in. */
bool replay_target_fits(const struct operation *op, uint64_t logical, uint64_t len, uint64_t type, struct error *err) must_use;

#endif /* COMMON_CONVERT_REPLAY_H */
