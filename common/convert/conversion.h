/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A running conversion.  All work stands on one line: STRUCTURE (crypt items get their places), DATA (units in order of
 * place), LEAVES (member leaves by address), INDEX (its items in order of key), FINISH.  What lies before the cursor is sealed, what lies behind it is plain.
 * Sealing moves the cursor forward, unsealing moves it back, and aborting is turning round.
 * format/README.md, "The conversion".
 */
#ifndef COMMON_CONVERT_CONVERSION_H
#define COMMON_CONVERT_CONVERSION_H

#include "common/convert/convert.h"
#include "common/fs/digest.h"
#include "common/fs/domain-view.h"
#include "common/fs/payloads.h"
#include "common/tree/journal.h"

#define BATCH_BYTES (64u << 20)		/* of data, at most, in one record */
#define JOURNAL_SLOT_WANTED (32u << 20)
#define JOURNAL_SLOT_LEAST (1u << 20)
#define KEYS_AREA_SIZE (64u << 10)	/* copies of header and slots */

struct conversion_bad {		/* bad-block items; bad-blocks.h */
	struct crypt_bad_block *at;	/* by unit id, block */
	size_t n, room;
	size_t n_stored;	/* so many are in the tree, */
	size_t first_new;	/* and from this one on they are to be written again, */
	bool changed;		/* with the next record */
	uint64_t n_found;	/* units_check(): so many will be skipped */
	uint64_t *spoil;	/* places of sectors whose checksums must not match by then */
	size_t n_spoil, spoil_room;
};

struct conversion_lost {	/* a journal record that was durable and is gone; lost-record.h */
	bool is_lost;
	bool turned;		/* all that it did is to say that the conversion turns round */
	struct lost_unit *unit;	/* those that it can have converted, in order of place */
	size_t n, room;
	uint64_t until;		/* behind the last of them */
	uint64_t n_damaged;	/* blocks that are on neither side of it */
};

struct conversion {
	struct volume *volume;
	const struct convert_ui *ui;
	struct convert_plan *plan;

	struct allocator *allocator;
	struct journal journal;
	struct key_schedule *schedule;
	struct mac *nonce_mac;

	struct disk_crypt_state state;	/* the tail; op_id, domain, begin digest... fixed at the beginning */
	struct crypt_header header;	/* of the domain, as last committed */
	enum crypt_direction direction;
	enum crypt_phase phase;
	uint64_t cursor;
	bool drop_verity;		/* the feature bit goes with the conversion's end */

	struct subvolume_list list;
	struct scan *scan;		/* of the members */
	struct unit_map *units;		/* joined; while sealing for the first time: as placed */
	bool has_every_extent;		/* unsealing: a tag says of each extent that was sealed that it is in the scan */
	struct inline_map *inlines;
	struct crypt_inode_flags *flags;	/* the two bits, before sealing; sorted by (member, inode) */
	size_t n_flags;
	uint64_t *flags_member;		/* for each member of the scan: whose flags count (a snapshot: its source's) */
	struct crypt_member *members;	/* as sealed; sorted by id */
	size_t n_members;
	uint64_t n_index_items, n_index_entries;	/* from phase INDEX on; the header says so from FINISH on */
	struct conversion_bad bad;
	struct conversion_lost lost;
	size_t n_undecided;		/* tree blocks, of no member, of which two valid mirrors differ */
	uint64_t undecided;		/* one of them */
	struct error not_whole;		/* gone on with all the same: the first damage that is to be told when it has finished */
};

void conversion_close(struct conversion *c);	/* zeroed struct is fine */

/* --- state.c: the superblock copies --- */
/* What the members are now: at a resume the same must come out as at the beginning, from any state.  c->scan, c->flags and c->state.op_id are set. */
bool conversion_begin_digest(const struct conversion *c, uint8_t digest[CRYPT_MAC_SIZE], struct error *err) must_use;
/* Fills the fixed fields of c->state (c->schedule, c->header and the volume must be set). */
bool state_fill(struct conversion *c, enum crypt_operation operation, const struct crypt_range *keys,
		const struct crypt_range slot[CRYPT_JOURNAL_SLOTS], bool accepted, struct error *err) must_use;
/* Writes phase, cursor, epoch, sequence with a MAC into the tail of every superblock copy, the bit set. */
bool state_write(struct conversion *c, struct error *err) must_use;
bool state_is_authentic(const struct key_schedule *schedule, const struct disk_crypt_state *state, bool *authentic,
			struct error *err) must_use;
/*
 * Sees to it that the bit is set in every copy, and that nobody else came in before it was: the last thing before the first change in place.  From
 * then on others may open the image, which no kernel mounts.
 */
bool state_claim(struct conversion *c, struct error *err) must_use;
/* FINISHED, then without bit and tail.  verity: the compat_ro bit afterwards. */
bool state_clear(struct conversion *c, bool verity, struct error *err) must_use;
/* The newest tail among the valid superblock copies whose bit is set; NULL: none.  Not authenticated. */
const struct super_copy *state_newest(const struct volume *volume, struct crypt_state_tail *tail, struct error *err);
/* Where there is none although the bit is set; why: what state_newest() said.  Always false. */
bool state_unreadable(const struct volume *volume, const struct error *why, struct error *err);

/* status.c: how much of the way lies behind; of the tail direction, phase, cursor and n_unit_items count. */
unsigned state_percent(const struct crypt_state_tail *state);
/* Do all copies whose bit is set carry this tail? */
bool state_is_unanimous(const struct volume *volume, const struct crypt_state_tail *tail);
/*
 * keyless.c: *yes where the tail of a copy, which is used from then on, is of a decryption of which nothing is left but that tail, so that no
 * key can be checked and none is needed.
 */
bool state_needs_no_key(struct volume *volume, const struct crypt_state_tail *tail, unsigned copy, bool *yes, struct error *err) must_use;
/*
 * false-state.c: *is_false where the primary, which is used from then on, says nothing of a conversion, the key opens the sealing of this number, its
 * header says that everything is sealed, and contradicts every copy that does say so: the MAC of its state is wrong, or it is not newer than the header.
 */
bool state_is_false(struct volume *volume, uint16_t number, const struct convert_key *key, bool *is_false, struct error *err) must_use;
/* What to do where it cannot be told, and the primary and all headers say nothing of a conversion. */
void state_hint(struct volume *volume, struct error *err);
/*
 * The newest tail that the key vouches for: a changed copy does not stand in the way of a good one.  Opens the domain, from the copies
 * beside the trees, or, where those are wiped, from the root tree; volume->super is the copy that carries the tail afterwards.
 */
bool state_open(struct volume *volume, const struct convert_key *key, struct crypt_state_tail *tail, struct domain **domain,
		struct error *err) must_use;

/* --- commit.c: records and batches --- */
/* Have the crypt items left the root tree (and everything is plain)? */
static inline bool conversion_is_cut(enum crypt_direction direction, enum crypt_phase phase, uint64_t cursor)
{
	return direction == CRYPT_TO_PLAIN && (phase == CRYPT_PHASE_STRUCTURE ? cursor == 0 : phase >= CRYPT_PHASE_FINISH);
}
/* At the end of a conversion: has it come to data and leaves at all?  An encryption that is undone before has not even placed all units. */
static inline bool conversion_has_touched(const struct conversion *c)
{
	return c->direction == CRYPT_TO_SEALED || c->cursor == UINT64_MAX;
}
/* Commits with the header's new epoch (and state) in the same record; moves c->phase and c->cursor. */
bool conversion_commit(struct conversion *c, struct transaction *tx, enum crypt_phase phase, uint64_t cursor,
		       const struct journal_range *ranges, size_t n_ranges, struct error *err) must_use;
/* The same for the very first record: the superblocks are set once it is durable. */
bool conversion_commit_first(struct conversion *c, struct transaction *tx, enum crypt_phase phase, uint64_t cursor,
			     struct error *err) must_use;
/* Everything written so far is durable, and every tree block was read back. */
bool conversion_flush(struct conversion *c, struct error *err) must_use;
/* May another step that changes at most n_blocks tree blocks, with so many ranges and tags in all, go into this transaction? */
bool conversion_has_room(const struct conversion *c, const struct transaction *tx, size_t n_blocks, size_t n_ranges, size_t n_tags);
/* Opens the journal of c->state. */
bool conversion_open_journal(struct conversion *c, const struct crypt_range slot[CRYPT_JOURNAL_SLOTS], struct error *err) must_use;
/* Asked directly before the first write, and where that is far off: false, ERROR_STOPPED, where the user asked to stop.  Nothing was changed. */
bool conversion_may_begin(const struct conversion *c, struct error *err) must_use;
/* True where the user asked to stop: then everything is flushed and the state written; err says ERROR_STOPPED. */
bool conversion_stops(struct conversion *c, bool *stops, struct error *err) must_use;
void conversion_progress(const struct conversion *c, uint64_t done, uint64_t total);
void conversion_forget_secrets(const struct conversion *c);	/* once c->schedule is there and the slots are made */
void conversion_note(const struct conversion *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- pack.c: how units and inline units are laid into items --- */
struct unit_packer {		/* over the extents of a scan; deterministic */
	const struct scan *scan;
	uint32_t item_max;	/* bytes of an item */
	size_t extent;		/* the next one */
	uint64_t offset;	/* in it */
};
uint32_t crypt_item_max(uint32_t node_size);
unsigned inline_units_per_item(uint32_t node_size);
unsigned index_entries_per_item(uint32_t node_size);	/* index.c */
/* The next item into out (item_max bytes; NULL: only count): false at the end. */
bool unit_pack_next(struct unit_packer *packer, enum crypt_cipher cipher, uint8_t *out, uint32_t *len, unsigned *n_units);

/* --- survey.c: what the leaves of the members hold --- */
struct survey {
	uint64_t n_inline_units;
	uint64_t n_index_most;	/* index entries at most */
	struct crypt_inode_flags *flags;
	size_t n_flags;
};
bool survey_run(const struct scan *scan, struct survey *survey, struct error *err) must_use;

/* --- the phases, each in its direction; they go on from c->cursor --- */
/* How many items of each kind there will be, into c->header. */
void structure_count(struct conversion *c, size_t n_slots);
/* Tree blocks that inserting one item may change at most: root tree path with splits, and what settling adds. */
#define CRYPT_INSERT_BLOCKS 24u
bool conversion_insert(struct conversion *c, struct transaction *tx, enum crypt_kind kind, uint64_t index, const void *data, size_t len,
		       struct error *err) must_use;
bool structure_build(struct conversion *c, const struct disk_crypt_slot *slots, size_t n_slots, struct error *err) must_use;	/* first record */
bool structure_continue(struct conversion *c, struct error *err) must_use;
bool structure_cut(struct conversion *c, struct error *err) must_use;	/* root items back, crypt items out, freed */
bool data_seal(struct conversion *c, struct error *err) must_use;
bool data_seal_until(struct conversion *c, uint64_t place, struct error *err) must_use;	/* units before it only */
bool data_reseal(struct conversion *c, struct error *err) must_use;	/* aborting an unsealing: nonces as they were */
bool data_unseal(struct conversion *c, struct error *err) must_use;
bool leaves_convert(struct conversion *c, struct error *err) must_use;
/* Are all leaves, as the volume reads them now, where the conversion leaves them?  ERROR_CORRUPT: no. */
bool leaves_hold(struct conversion *c, struct error *err) must_use;
bool index_fill(struct conversion *c, struct error *err) must_use;	/* finds the units as they are now as well */
bool csum_gaps_clear(struct conversion *c, struct error *err) must_use;	/* old checksums between items */
bool roots_seal(struct conversion *c, struct error *err) must_use;	/* root items, seal, header: one record */
bool roots_reseal(struct conversion *c, struct error *err) must_use;	/* the header alone */
/*
 * mirrors.c: the members' tree blocks hold on every mirror, and those are equal afterwards.  Before anything that a wrong one could be told by goes.
 * ERROR_CORRUPT where they do not, or where two valid ones differ and nothing tells which is right: nothing is chosen then.
 */
bool mirrors_check(struct conversion *c, struct error *err) must_use;
/* data-back.c: every block of every unit is on every mirror what its tag says; one that is not is finished, or written again. */
bool data_read_back(struct conversion *c, struct error *err) must_use;
bool finish_run(struct conversion *c, struct error *err) must_use;	/* read back, wipe, clear */
bool finish_tell(const struct conversion *c, struct error *err) must_use;	/* afterwards: false where all is converted, but not all is well */
bool conversion_run(struct conversion *c, struct error *err) must_use;	/* whatever is left to do, in c->direction */

/* --- encrypt.c, decrypt.c --- */
/* Header and slots to their place outside the trees, where an unfinished conversion finds them. */
bool keys_area_write(struct conversion *c, const struct crypt_range *keys, const struct disk_crypt_slot *slots, size_t n_slots,
		     struct error *err) must_use;
/*
 * Looks at everything that belongs to an opened domain and takes it over: scan, units joined as boundary says, inline units, members, flags, keys.
 * check: against the seal, as options say.
 */
bool conversion_take_domain(struct conversion *c, struct domain *domain, uint64_t boundary, bool check,
			    const struct domain_view_options *options, bool *changed, struct error *err) must_use;

/* --- check-units.c --- */
/*
 * Reads every unit of the scan's extents: ERROR_CORRUPT with the file's name where a block is authentic on no mirror, is no known bad block and may
 * not be skipped.  tell: name those that will be skipped.  c->bad.n_found: how many.
 */
bool units_check(struct conversion *c, bool tell, struct error *err) must_use;
/* The same of one extent of the scan, sealed in this conversion: what is skipped becomes a bad block. */
bool extent_check_sealed(struct conversion *c, size_t extent, struct error *err) must_use;
/*
 * The csum tree is rewritten along with the data: where it cannot be read, or lacks what a kernel needs, that must be known before anything is
 * changed.  ERROR_CORRUPT names the first file.
 */
bool csums_complete(struct conversion *c, struct error *err) must_use;
/* The same before an unfinished conversion goes on; where damage is skipped, and in FINISH, each file is noted, and the first one is c->not_whole. */
bool csums_kept(struct conversion *c, struct error *err) must_use;

/* --- memory.c --- */
/*
 * Before the very first write of each run: from then on memory does not run out.  c->scan (where there is one), c->header, c->allocator and the
 * journal must be there.
 */
bool conversion_hold_memory(struct conversion *c, struct error *err) must_use;

/* --- csum-update.c --- */
/* Replaces the stored checksums of [logical, +len) by those of bytes; sectors without one stay without. */
bool csum_update(struct conversion *c, struct transaction *tx, uint64_t logical, const uint8_t *bytes, size_t len,
		 struct error *err) must_use;
/* The stored checksum of one sector, CSUM_SIZE bytes of which the type's size count; *has false: it has none.  put: where it has one. */
bool csum_get(struct conversion *c, uint64_t logical, uint8_t *value, bool *has, struct error *err) must_use;
bool csum_put(struct conversion *c, struct transaction *tx, uint64_t logical, const uint8_t *value, struct error *err) must_use;

/* --- preflight.c --- */
bool preflight_features(struct volume *volume, const struct subvolume_list *list, struct error *err) must_use;
/* Every block of the trees that a conversion writes to, from any mirror. */
bool conversion_trees_walk(struct volume *volume, tree_visit *visit, void *context, struct error *err) must_use;
/* Can they be read?  One block less, and the conversion could neither be finished nor undone. */
bool preflight_trees(struct volume *volume, struct error *err) must_use;
/* Journal slots and key area in free space. */
/* The sizes depend on what there is to convert. */
bool preflight_places(struct allocator *allocator, const struct scan *scan, struct crypt_range *keys,
		      struct crypt_range slot[CRYPT_JOURNAL_SLOTS], struct error *err) must_use;

/* --- recover.c --- */
/*
 * Makes the image whole again after a crash: finds the last records, lays their blocks over the trees in memory, checks that everything
 * they touch may be touched and fits, and only then writes.  c->schedule, c->state and the volume must be set; sets c->phase, cursor,
 * direction, header, journal.  unchecked: replay_write() not called yet.
 */
struct replay {
	struct journal_record record[2];
	unsigned n;
	struct block **block;		/* of the records, held, the newer ones where both have one */
	size_t n_blocks, room;
	uint64_t disk_epoch;		/* of the newest authentic header on disk, where one could be read; else 0 */
	enum crypt_state disk_state;	/* what it says */
	uint64_t changed_later;		/* a new block of the newest record that is not as that made it, a later one, then; 0: none is */
};
bool replay_load(struct conversion *c, struct replay *replay, struct error *err) must_use;
/* Every block and range may be written and is one of what the records say: old, new or torn. */
bool replay_check(struct conversion *c, const struct replay *replay, struct error *err) must_use;
bool replay_write(struct conversion *c, struct replay *replay, struct error *err) must_use;
void replay_free(struct replay *replay);

#endif /* COMMON_CONVERT_CONVERSION_H */
