/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parity of what a crash may have cut off, when the last records are put in place. format/README.md, section 8.11, says why. */
#ifndef COMMON_CONVERT_PARITY_REPLAY_H
#define COMMON_CONVERT_PARITY_REPLAY_H

#include "common/convert/replay.h"

/* Before anything of the records is written: what only parity has, beside their blocks and data, is put in place and flushed. */
bool parity_before_replay(struct operation *op, const struct replay *replay, struct error *err) must_use;

/*
 * Once all of it is in place, so that all data match their checksums: makes the parity of the records' blocks and data, of the places of journal
 * and keys, and, because new blocks of a record that never became durable may lie beside any tree block, of all tree blocks.
 */
bool parity_after_replay(struct operation *op, const struct replay *replay, struct error *err) must_use;

#endif /* COMMON_CONVERT_PARITY_REPLAY_H */
