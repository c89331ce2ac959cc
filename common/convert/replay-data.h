/* SPDX-License-Identifier: GPL-2.0-or-later */
/* After a crash of a conversion: replay.h, with the data that its records overwrite, and with what a lost record may have done. */
#ifndef COMMON_CONVERT_REPLAY_DATA_H
#define COMMON_CONVERT_REPLAY_DATA_H

#include "common/convert/conversion.h"
#include "common/convert/replay.h"

/* c->op must be resumed and its journal open. Sets c->phase, cursor, direction and the header's epoch. */
bool conversion_replay_load(struct conversion *c, struct replay *replay, struct error *err) must_use;

#endif /* COMMON_CONVERT_REPLAY_DATA_H */
