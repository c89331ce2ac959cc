/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A journal record of phase DATA that was durable, has changed things in place, and is gone: the one after the newest valid record. What it
 * did is worked out from what is in place. See format/README.md, "A lost record".
 */
#ifndef COMMON_CONVERT_LOST_RECORD_H
#define COMMON_CONVERT_LOST_RECORD_H

#include "common/convert/conversion.h"
#include "common/convert/replay.h"

/*
 * Something is in place, as err says, that only a lost record can have put there. Returns true and clears err if a lost record may be
 * looked for. Otherwise err stays, with a hint how to allow it.
 */
bool lost_record_is_sought(struct conversion *c, struct error *err) must_use;

/*
 * Before the first write: finds what the lost record may have converted, by tags if there are any. ERROR_CORRUPT if some blocks are on
 * neither side and may not be skipped, ERROR_REFUSED if a different number was given. turns: the conversion is about to turn round.
 */
bool lost_record_look(struct conversion *c, const struct replay *replay, bool turns, struct error *err) must_use;
/* Does the number of blocks to skip equal the number that was found? */
bool lost_record_number_fits(const struct conversion *c, struct error *err) must_use;

/* Does this leaf, in place, have tags that are in no record? It must not be written until a record has them. */
bool lost_record_holds(const struct conversion *c, uint64_t leaf);
/* Once the valid records are in place: makes the tags that were found durable, and takes back the state that knows of the lost record. */
bool lost_record_take(struct conversion *c, struct error *err) must_use;
/* Before the conversion turns round: counts what the lost record may have converted as done. */
bool lost_record_finish(struct conversion *c, struct error *err) must_use;

/* Is this unit, which is sealed for the first time, to be sealed with the tags that it already has? */
bool lost_record_has_tags(const struct conversion *c, uint64_t place);
/* Is block i of the unit one that cannot be identified, and stays as it is? */
bool lost_record_leaves(const struct conversion *c, uint64_t place, uint32_t i);

void lost_record_free(struct conversion *c);

#endif /* COMMON_CONVERT_LOST_RECORD_H */
