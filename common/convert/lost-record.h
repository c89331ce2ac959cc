/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A journal record of phase DATA that was durable, has changed things in place, and is gone: the one behind the newest valid one.  What it did is
 * told from what is in place.  format/README.md, "A lost record".
 */
#ifndef COMMON_CONVERT_LOST_RECORD_H
#define COMMON_CONVERT_LOST_RECORD_H

#include "common/convert/conversion.h"

/*
 * Something is in place, as err says, that only a lost record can have put there.  True where it may be looked for, and err is cleared; else err
 * stays, with a hint where it could be.
 */
bool lost_record_is_sought(struct conversion *c, struct error *err) must_use;

/*
 * Before the first write: what the lost record can have converted, by tags where they are; ERROR_CORRUPT where some of it is on neither side and not
 * so many blocks may be skipped, ERROR_REFUSED where another number was given.  turns: the conversion is about to turn round.
 */
bool lost_record_look(struct conversion *c, const struct replay *replay, bool turns, struct error *err) must_use;
/* May as many blocks be skipped as were found? */
bool lost_record_number_fits(const struct conversion *c, struct error *err) must_use;

/* Does this leaf, in place, have tags that no record has?  It must not be written until one has them. */
bool lost_record_holds(const struct conversion *c, uint64_t leaf);
/* Once the valid records are in place: the tags that were found become durable, and the state that knows of the lost record is taken back. */
bool lost_record_take(struct conversion *c, struct error *err) must_use;
/* Before the conversion turns round: what the lost record can have converted belongs to what lies behind. */
bool lost_record_finish(struct conversion *c, struct error *err) must_use;

/* Is this unit, which is sealed for the first time, to be sealed with the tags that it has? */
bool lost_record_has_tags(const struct conversion *c, uint64_t place);
/* Is block i of it one that cannot be told, and stays as it is? */
bool lost_record_leaves(const struct conversion *c, uint64_t place, uint32_t i);

void lost_record_free(struct conversion *c);

#endif /* COMMON_CONVERT_LOST_RECORD_H */
