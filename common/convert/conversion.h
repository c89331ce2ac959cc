/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A running conversion. All work lies on one line: STRUCTURE (crypt items get their places), DATA (units in order of place), LEAVES (member
 * leaves by address), INDEX (its items in order of key), FINISH. Everything before the cursor is sealed, everything behind it is plain.
 * Sealing moves the cursor forward, unsealing moves it back, aborting turns round. See format/README.md, "The conversion".
 */
#ifndef COMMON_CONVERT_CONVERSION_H
#define COMMON_CONVERT_CONVERSION_H

#include <stdarg.h>

#include "common/convert/convert.h"
#include "common/convert/copy-plan.h"
#include "common/convert/operation.h"
#include "common/convert/side.h"
#include "common/sealed/digest.h"
#include "common/sealed/domain-view.h"
#include "common/sealed/payloads.h"

/* The cure where a filesystem has too little room. */
#define MAKE_ROOM "mount it and make room: delete files, or `btrfs balance start -dusage=50`"

#define BATCH_BYTES (64u << 20)		/* the most data in one record */
#define JOURNAL_SLOT_WANTED (32u << 20)
#define JOURNAL_SLOT_LEAST (1u << 20)
#define KEYS_AREA_SIZE (64u << 10)	/* holds copies of header and slots */

struct conversion_bad {		/* bad-block items, see bad-blocks.h */
	struct crypt_bad_block *at;	/* sorted by unit id and block */
	size_t n, room;
	size_t n_stored;	/* how many are in the tree */
	size_t first_new;	/* from this one on they are written again */
	bool changed;		/* by the next record */
	uint64_t n_found;	/* units_check(): how many blocks will be skipped */
	uint64_t *spoil;	/* addresses of sectors whose checksums that record makes wrong */
	size_t n_spoil, spoil_room;
};

struct conversion_differing {	/* blocks without checksums whose copies differ, see differing.h */
	uint64_t *at;		/* address | whether the right copy is known | mirror, ascending */
	size_t n, room;
};

struct conversion_lost {	/* a journal record that was durable and is gone, see lost-record.h */
	bool is_lost;
	bool turned;		/* all it did was to turn the conversion round */
	struct lost_unit *unit;	/* units it may have converted, in order of place */
	size_t n, room;
	uint64_t until;		/* behind the last of them */
	uint64_t n_damaged;	/* blocks that are on neither side of it */
};

struct conversion_old {		/* while rekeying: the sealing before, whose items stay as they are until the end */
	struct crypt_header header;
	struct key_schedule *schedule;	/* NULL: it is no rekeying */
	struct unit_map *units;		/* joined; from phase DATA on by the stored addresses alone */
	struct inline_map *inlines;
	uint64_t *source;		/* for each member of the scan: the one whose units it has */
	struct crypt_bad_block *bad;	/* sorted by unit id and block */
	size_t n_bad, bad_room;
	struct disk_crypt_bridge bridge;
};

struct conversion {
	struct volume *volume;
	const struct convert_ui *ui;
	struct convert_plan *plan;

	struct allocator *allocator;
	struct key_schedule *schedule;
	struct mac *nonce_mac;

	struct operation op;		/* uses header and schedule */
	struct crypt_header header;	/* of the domain, as last committed */
	enum crypt_direction direction;
	enum crypt_phase phase;
	uint64_t cursor;

	struct subvolume_list list;
	struct scan *scan;		/* of the members */
	struct copy_plan *copy;		/* what they share and must be copied; NULL: nothing */
	struct unit_map *units;		/* joined; when sealing for the first time: as placed */
	bool has_every_extent;		/* unsealing: the tags confirm that every extent that was sealed is in the scan */
	struct inline_map *inlines;
	struct crypt_inode_flags *flags;	/* the two bits before sealing, sorted by (member, inode) */
	size_t n_flags;
	uint64_t *flags_member;		/* for each member of the scan: whose flags count (for a snapshot: those of its source) */
	struct crypt_member *members;	/* as sealed, sorted by id */
	size_t n_members;
	uint64_t n_index_items, n_index_entries;	/* from phase INDEX on; in the header from FINISH on */
	struct conversion_bad bad;
	struct conversion_old old;
	struct conversion_differing differing;	/* when sealing for the first time */
	struct conversion_lost lost;
	const struct domain *keys;	/* a resume that ends in what these slots open: as it was opened; borrowed */
	size_t n_undecided;		/* tree blocks of no member with two valid mirrors that differ */
	uint64_t undecided;		/* one of them */
	struct error not_whole;		/* the first damage that did not stop the conversion; reported when it has finished */
};

void conversion_close(struct conversion *c);	/* a zeroed struct is fine */

/* The side that it writes to; it reads from the other one. */
static inline const struct side *conversion_to(const struct conversion *c)
{
	return side_to(c->op.state.operation, c->direction);
}
/* Is it sealing for the first time? Then the tags of data are not known beforehand. Otherwise each unit has them. */
static inline bool conversion_is_first_time(const struct conversion *c)
{
	return c->op.state.operation == CRYPT_OP_ENCRYPT && conversion_to(c)->is_sealed;
}
static inline bool conversion_is_rekey(const struct conversion *c)
{
	return c->op.state.operation == CRYPT_OP_REKEY;
}
/* Is it making a sealing, so that it draws nonces and writes units? */
static inline bool conversion_draws(const struct conversion *c)
{
	return c->op.state.operation != CRYPT_OP_DECRYPT && conversion_to(c)->is_sealed;
}
/* Have the crypt items left the root tree, so that everything is plain? */
static inline bool conversion_is_cut(enum crypt_direction direction, enum crypt_phase phase, uint64_t cursor)
{
	return direction == CRYPT_TO_PLAIN && (phase == CRYPT_PHASE_STRUCTURE ? cursor == 0 : phase >= CRYPT_PHASE_FINISH);
}
/* Is everything sealed with the new key, so that only the old sealing is left to remove? */
static inline bool rekey_is_made(enum crypt_operation operation, enum crypt_direction direction, enum crypt_phase phase, uint64_t cursor)
{
	return operation == CRYPT_OP_REKEY && direction == CRYPT_TO_SEALED && phase == CRYPT_PHASE_INDEX && cursor == UINT64_MAX;
}
static inline bool conversion_is_rekeyed(const struct conversion *c)
{
	return rekey_is_made(c->op.state.operation, c->direction, c->phase, c->cursor);
}
/*
 * At the end of a conversion: did it reach data and leaves at all? An encryption that is undone before that has not even placed all units.
 */
static inline bool conversion_has_touched(const struct conversion *c)
{
	return conversion_to(c)->is_sealed || c->cursor == UINT64_MAX;
}
/*
 * The digest of the members as they are now. A resume must get the same result as the beginning, from any state. c->scan, c->flags and
 * c->op must be set.
 */
bool conversion_begin_digest(const struct conversion *c, uint8_t digest[CRYPT_MAC_SIZE], struct error *err) must_use;
/*
 * Before the first record: fills the state, opens the journal, holds the memory, and writes the copies of header and slots. c->schedule,
 * c->header and what is to be converted must be known. accepted: it begins with changes accepted.
 */
bool conversion_begin(struct conversion *c, enum crypt_operation operation, const struct operation_places *places, bool accepted,
		      const struct disk_crypt_slot *slots, size_t n_slots, struct error *err) must_use;
/* Goes on with what this state says. */
void conversion_resume(struct conversion *c, const struct disk_crypt_state *state);
bool conversion_open_journal(struct conversion *c, struct error *err) must_use;
/*
 * Called right before the first write, and earlier if that is far off. Returns false with ERROR_STOPPED if the user asked to stop. Nothing
 * was changed.
 */
bool conversion_may_begin(const struct conversion *c, struct error *err) must_use;
/* Reads the units that a sealing or rekeying has placed. They are where their extents are, because nothing moves meanwhile. */
bool conversion_join_placed(struct conversion *c, struct error *err) must_use;
void conversion_report(struct conversion *c);	/* of a finished sealing, to c->plan */
void conversion_progress(const struct conversion *c, uint64_t done, uint64_t total);
void conversion_forget_secrets(const struct conversion *c);	/* once c->schedule exists and the slots are made */
/* For whoever has no conversion. */
void convert_note(const struct convert_ui *ui, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
void conversion_note(const struct conversion *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* COMMON_CONVERT_CONVERSION_H */
