/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One step of a conversion: record, header, position. */
#ifndef COMMON_CONVERT_COMMIT_H
#define COMMON_CONVERT_COMMIT_H

#include "common/convert/conversion.h"

/* Commits with the header's new epoch (and state) in the same record. Moves c->phase and c->cursor. */
bool conversion_commit(struct conversion *c, struct transaction *tx, enum crypt_phase phase, uint64_t cursor, struct error *err) must_use;
/* Commits *tx, asks whether to stop, and begins the next one. After a failure *tx is NULL. */
bool conversion_commit_step(struct conversion *c, struct transaction **tx, enum crypt_phase phase, uint64_t cursor, struct error *err) must_use;
/* Commits in the phase it is in, with data. */
bool conversion_commit_data(struct conversion *c, struct transaction *tx, uint64_t cursor, const struct journal_data *data,
			    struct error *err) must_use;
/* The same for the very first record: the superblocks are set once it is durable. */
bool conversion_commit_first(struct conversion *c, struct transaction *tx, enum crypt_phase phase, uint64_t cursor,
			     struct error *err) must_use;
/* Writes where it stands into the superblocks. */
bool conversion_write_state(struct conversion *c, struct error *err) must_use;
/* Can this transaction take another step that changes up to n_blocks tree blocks, with n_ranges ranges and n_tags tags in all? */
bool conversion_has_room(const struct conversion *c, const struct transaction *tx, size_t n_blocks, size_t n_ranges, size_t n_tags);
/* Asked between two steps. False if the user asked to stop: everything is flushed, the state is written, and err says ERROR_STOPPED. */
bool conversion_may_go_on(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_COMMIT_H */
