/* SPDX-License-Identifier: GPL-2.0-or-later */
/* After a crash: the last records. */
#ifndef COMMON_CONVERT_REPLAY_H
#define COMMON_CONVERT_REPLAY_H

#include "common/convert/conversion.h"

/*
 * Makes the image consistent after a crash: finds the last records, lays their blocks over the trees in memory, checks that everything they
 * touch fits and may be touched, and only then writes. c->schedule, c->state and the volume must be set. Sets c->phase, cursor, direction,
 * header, journal. Nothing is checked until replay_check().
 */
struct replay {
	struct journal_record record[2];
	unsigned n;
	struct block **block;		/* of the records, held; the newer one if both records have it */
	size_t n_blocks, room;
	uint64_t disk_epoch;		/* of the newest authentic header on disk; 0: none could be read */
	enum crypt_state disk_state;	/* the state in that header */
	uint64_t changed_later;		/* a new block of the newest record that a later record has changed since; 0: there is none */
};
bool replay_load(struct conversion *c, struct replay *replay, struct error *err) must_use;
/* Checks that every block and range may be written and is what the records say: old, new or torn. */
bool replay_check(struct conversion *c, const struct replay *replay, struct error *err) must_use;
bool replay_write(struct conversion *c, struct replay *replay, struct error *err) must_use;
void replay_free(struct replay *replay);

#endif /* COMMON_CONVERT_REPLAY_H */
