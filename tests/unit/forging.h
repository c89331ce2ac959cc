/* SPDX-License-Identifier: GPL-2.0-or-later */
/* States and journal records of an unfinished conversion, changed and made authentic again by someone who has the key. */
#ifndef TESTS_UNIT_FORGING_H
#define TESTS_UNIT_FORGING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/convert/conversion.h"
#include "tests/crash/run.h"
#include "tests/unit/ok.h"

#define NODE_SIZE 4096u

/* An unfinished conversion, its state and its newest record, to be changed. */
struct forging {
	struct volume *volume;
	struct key_schedule *schedule;
	struct crypt_state_tail tail;
	struct journal_header header;		/* of the newest record, as it was */
	uint8_t *record;
	bool not_authentic;			/* the MAC of the state stays wrong */
	bool skip;				/* it is gone on with so */
};

struct disk_journal_header *record_header(const struct forging *forging);
struct disk_journal_changed *record_changed(const struct forging *forging, uint32_t i);
uint8_t *record_block(const struct forging *forging, uint32_t i);
struct disk_journal_new *record_new(const struct forging *forging);
struct disk_journal_range *record_range(const struct forging *forging);

void forging_begin(struct disk *disk, const struct secret *volume_key, struct forging *forging);
/* The record carries data, as only those of a decryption of the format of 2016 do; with its MAC. */
void forging_carry(struct forging *forging);
/* The record as it is now gets its MAC, and the state knows of it where it knew of the one before. */
void forging_end_record(struct forging *forging);
void forging_end(struct forging *forging);	/* the state gets its MAC; all is written */
void forging_drop(struct forging *forging);	/* nothing is */

/* Both copies of the header, in the leaves that the record has: edit() changes what they say, which is signed again; spoil() the bytes.  Either may be NULL. */
void forging_edit_headers(struct forging *forging, void (*edit)(struct crypt_header *header), void (*spoil)(uint8_t *payload));

static inline void add(struct le64 *to, int64_t n)
{
	*to = to_le64(le64(*to) + (uint64_t)n);
}

#endif /* TESTS_UNIT_FORGING_H */
