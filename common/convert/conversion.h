/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A running conversion. All work lies on one line: STRUCTURE (crypt items get their places), DATA (units in order of place), LEAVES (member
 * leaves by address), INDEX (its items in order of key), FINISH. Everything before the cursor is sealed, everything behind it is plain.
 * Sealing moves the cursor forward, unsealing moves it back, aborting turns round. See format/README.md, "The conversion".
 */
#ifndef COMMON_CONVERT_CONVERSION_H
#define COMMON_CONVERT_CONVERSION_H

#include "common/convert/convert.h"
#include "common/sealed/digest.h"
#include "common/sealed/domain-view.h"
#include "common/sealed/payloads.h"
#include "common/tree/journal.h"

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

struct conversion_lost {	/* a journal record that was durable and is gone, see lost-record.h */
	bool is_lost;
	bool turned;		/* all it did was to turn the conversion round */
	struct lost_unit *unit;	/* units it may have converted, in order of place */
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

	struct disk_crypt_state state;	/* the tail; op_id, domain, begin digest... are fixed at the beginning */
	struct crypt_header header;	/* of the domain, as last committed */
	enum crypt_direction direction;
	enum crypt_phase phase;
	uint64_t cursor;
	bool drop_verity;		/* the feature bit is cleared when the conversion ends */

	struct subvolume_list list;
	struct scan *scan;		/* of the members */
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
	struct conversion_lost lost;
	size_t n_undecided;		/* tree blocks of no member with two valid mirrors that differ */
	uint64_t undecided;		/* one of them */
	struct error not_whole;		/* the first damage that did not stop the conversion; reported when it has finished */
};

void conversion_close(struct conversion *c);	/* a zeroed struct is fine */

/* --- state.c: the superblock copies --- */
/*
 * The digest of the members as they are now. A resume must get the same result as the beginning, from any state. c->scan, c->flags and
 * c->state.op_id must be set.
 */
bool conversion_begin_digest(const struct conversion *c, uint8_t digest[CRYPT_MAC_SIZE], struct error *err) must_use;
/* Fills the fixed fields of c->state. c->schedule, c->header and the volume must be set. */
bool state_fill(struct conversion *c, enum crypt_operation operation, const struct crypt_range *keys,
		const struct crypt_range slot[CRYPT_JOURNAL_SLOTS], bool accepted, struct error *err) must_use;
/* Writes phase, cursor, epoch and sequence with a MAC into the tail of every superblock copy, with the bit set. */
bool state_write(struct conversion *c, struct error *err) must_use;
bool state_is_authentic(const struct key_schedule *schedule, const struct disk_crypt_state *state, bool *authentic,
			struct error *err) must_use;
/*
 * Makes sure that the bit is set in every copy and that nobody else opened the image before. This is the last step before the first change
 * in place. From then on others may open the image, but no kernel mounts it.
 */
bool state_claim(struct conversion *c, struct error *err) must_use;
/* Writes FINISHED, then clears bit and tail. verity: the compat_ro bit afterwards. */
bool state_clear(struct conversion *c, bool verity, struct error *err) must_use;
/* The newest tail among the valid superblock copies that have the bit set; NULL: none. Not authenticated. */
const struct super_copy *state_newest(const struct volume *volume, struct crypt_state_tail *tail, struct error *err);
/* The error for a bit that is set without any readable tail. why: the error of state_newest(). Always false. */
bool state_unreadable(const struct volume *volume, const struct error *why, struct error *err);

/* status.c: how much is done, in percent. Uses direction, phase, cursor and n_unit_items of the tail. */
unsigned state_percent(const struct crypt_state_tail *state);
/* Do all copies with the bit set carry this tail? */
bool state_is_unanimous(const struct volume *volume, const struct crypt_state_tail *tail);
/*
 * keyless.c: sets *yes if the tail of this copy belongs to a decryption of which nothing else is left, so that no key can be checked and
 * none is needed. The volume uses this copy from then on.
 */
bool state_needs_no_key(struct volume *volume, const struct crypt_state_tail *tail, unsigned copy, bool *yes, struct error *err) must_use;
/*
 * false-state.c: sets *is_false if the primary records no conversion, the key opens the sealing of this number, and its header says that
 * everything is sealed and contradicts every copy that records a conversion: the MAC of its state is wrong, or it is not newer than the
 * header. The volume uses the primary from then on.
 */
bool state_is_false(struct volume *volume, uint16_t number, const struct key_source *key, bool *is_false, struct error *err) must_use;
/* Hints what to do if this cannot be decided and the primary and all headers record no conversion. */
void state_hint(struct volume *volume, struct error *err);
/*
 * Finds the newest tail that the key vouches for, so that an altered copy does not get in the way of a good one. Opens the domain from the
 * copies beside the trees or, if those are wiped, from the root tree. Afterwards volume->super is the copy that carries the tail.
 */
bool state_open(struct volume *volume, const struct key_source *key, struct crypt_state_tail *tail, struct domain **domain,
		struct error *err) must_use;

/* --- commit.c: records and batches --- */
/* Have the crypt items left the root tree, so that everything is plain? */
static inline bool conversion_is_cut(enum crypt_direction direction, enum crypt_phase phase, uint64_t cursor)
{
	return direction == CRYPT_TO_PLAIN && (phase == CRYPT_PHASE_STRUCTURE ? cursor == 0 : phase >= CRYPT_PHASE_FINISH);
}
/*
 * At the end of a conversion: did it reach data and leaves at all? An encryption that is undone before that has not even placed all units.
 */
static inline bool conversion_has_touched(const struct conversion *c)
{
	return c->direction == CRYPT_TO_SEALED || c->cursor == UINT64_MAX;
}
/* Commits with the header's new epoch (and state) in the same record. Moves c->phase and c->cursor. */
bool conversion_commit(struct conversion *c, struct transaction *tx, enum crypt_phase phase, uint64_t cursor,
		       const struct journal_range *ranges, size_t n_ranges, struct error *err) must_use;
/* The same for the very first record: the superblocks are set once it is durable. */
bool conversion_commit_first(struct conversion *c, struct transaction *tx, enum crypt_phase phase, uint64_t cursor,
			     struct error *err) must_use;
/* Makes everything written so far durable and reads every tree block back. */
bool conversion_flush(struct conversion *c, struct error *err) must_use;
/* Can this transaction take another step that changes up to n_blocks tree blocks, with n_ranges ranges and n_tags tags in all? */
bool conversion_has_room(const struct conversion *c, const struct transaction *tx, size_t n_blocks, size_t n_ranges, size_t n_tags);
/* Opens the journal of c->state. */
bool conversion_open_journal(struct conversion *c, const struct crypt_range slot[CRYPT_JOURNAL_SLOTS], struct error *err) must_use;
/*
 * Called right before the first write, and earlier if that is far off. Returns false with ERROR_STOPPED if the user asked to stop. Nothing
 * was changed.
 */
bool conversion_may_begin(const struct conversion *c, struct error *err) must_use;
/* True if the user asked to stop: everything is flushed, the state is written, and err says ERROR_STOPPED. */
bool conversion_stops(struct conversion *c, bool *stops, struct error *err) must_use;
void conversion_progress(const struct conversion *c, uint64_t done, uint64_t total);
void conversion_forget_secrets(const struct conversion *c);	/* once c->schedule exists and the slots are made */
void conversion_note(const struct conversion *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- pack.c: how units and inline units are packed into items --- */
struct unit_packer {		/* over the extents of a scan; deterministic */
	const struct scan *scan;
	uint32_t item_max;	/* bytes of an item */
	size_t extent;		/* the next extent */
	uint64_t offset;	/* the offset in it */
};
uint32_t crypt_item_max(uint32_t node_size);
unsigned inline_units_per_item(uint32_t node_size);
unsigned index_entries_per_item(uint32_t node_size);	/* index.c */
/* Writes the next item to out (item_max bytes; NULL: only count). Returns false at the end. */
bool unit_pack_next(struct unit_packer *packer, enum crypt_cipher cipher, uint8_t *out, uint32_t *len, unsigned *n_units);

/* --- survey.c: what the leaves of the members hold --- */
struct survey {
	uint64_t n_inline_units;
	uint64_t n_index_most;	/* upper limit of index entries */
	struct crypt_inode_flags *flags;
	size_t n_flags;
};
bool survey_run(const struct scan *scan, struct survey *survey, struct error *err) must_use;

/* --- the phases, for both directions; they continue from c->cursor --- */
/* Computes how many items of each kind there will be, into c->header. */
void structure_count(struct conversion *c, size_t n_slots);
/* The most tree blocks that inserting one item may change: the root tree path with its splits, and what settling adds. */
#define CRYPT_INSERT_BLOCKS 24u
bool conversion_insert(struct conversion *c, struct transaction *tx, enum crypt_kind kind, uint64_t index, const void *data, size_t len,
		       struct error *err) must_use;
bool structure_build(struct conversion *c, const struct disk_crypt_slot *slots, size_t n_slots, struct error *err) must_use;	/* the first record */
bool structure_continue(struct conversion *c, struct error *err) must_use;
bool structure_cut(struct conversion *c, struct error *err) must_use;	/* restores root items, removes crypt items, frees blocks */
bool data_seal(struct conversion *c, struct error *err) must_use;
bool data_seal_until(struct conversion *c, uint64_t place, struct error *err) must_use;	/* only the units before place */
bool data_reseal(struct conversion *c, struct error *err) must_use;	/* aborts an unsealing: nonces as they were */
bool data_unseal(struct conversion *c, struct error *err) must_use;
bool leaves_convert(struct conversion *c, struct error *err) must_use;
/* Are all leaves, as the volume reads them now, in the form in which the conversion leaves them? ERROR_CORRUPT: no. */
bool leaves_hold(struct conversion *c, struct error *err) must_use;
bool index_fill(struct conversion *c, struct error *err) must_use;	/* also finds where the units are now */
bool csum_gaps_clear(struct conversion *c, struct error *err) must_use;	/* clears old checksums between items */
bool roots_seal(struct conversion *c, struct error *err) must_use;	/* root items, seal and header in one record */
bool roots_reseal(struct conversion *c, struct error *err) must_use;	/* the header alone */
/*
 * mirrors.c: checks that the members' tree blocks are right on every mirror, and makes the mirrors equal. Called before anything is removed
 * that could tell a wrong one. ERROR_CORRUPT if they are not right, or if two valid mirrors differ and nothing tells which is right: then
 * nothing is chosen.
 */
bool mirrors_check(struct conversion *c, struct error *err) must_use;
/*
 * data-back.c: checks every block of every unit against its tag, on every mirror. A block that does not match is completed or written
 * again.
 */
bool data_read_back(struct conversion *c, struct error *err) must_use;
bool finish_run(struct conversion *c, struct error *err) must_use;	/* reads back, wipes, clears */
bool finish_tell(const struct conversion *c, struct error *err) must_use;	/* afterwards: false if all is converted but something is damaged */
bool conversion_run(struct conversion *c, struct error *err) must_use;	/* does whatever is left to do in c->direction */

/* --- encrypt.c, decrypt.c --- */
/* Writes header and slots to their place outside the trees, where an unfinished conversion finds them. */
bool keys_area_write(struct conversion *c, const struct crypt_range *keys, const struct disk_crypt_slot *slots, size_t n_slots,
		     struct error *err) must_use;
/*
 * Reads and takes over everything that belongs to an opened domain: scan, units joined as boundary says, inline units, members, flags,
 * keys. check: compare it with the seal as options say.
 */
bool conversion_take_domain(struct conversion *c, struct domain *domain, uint64_t boundary, bool check,
			    const struct domain_view_options *options, bool *changed, struct error *err) must_use;

/* --- check-units.c --- */
/*
 * Reads every unit of the scan's extents. ERROR_CORRUPT with the file's name if a block is authentic on no mirror, is not a known bad block
 * and may not be skipped. tell: name those that will be skipped. c->bad.n_found: their number.
 */
bool units_check(struct conversion *c, bool tell, struct error *err) must_use;
/* The same for one extent of the scan that was sealed in this conversion. A skipped block becomes a bad block. */
bool extent_check_sealed(struct conversion *c, size_t extent, struct error *err) must_use;
/*
 * The csum tree is rewritten along with the data, so it must be known before any change whether it can be read and has everything a kernel
 * needs. ERROR_CORRUPT names the first file.
 */
bool csums_complete(struct conversion *c, struct error *err) must_use;
/*
 * The same before an unfinished conversion goes on. When damage is skipped, and in FINISH, each file is reported and the first one becomes
 * c->not_whole.
 */
bool csums_kept(struct conversion *c, struct error *err) must_use;

/* --- memory.c --- */
/*
 * Called before the very first write of each run: from then on memory cannot run out. c->scan (if there is one), c->header, c->allocator
 * and the journal must be set.
 */
bool conversion_hold_memory(struct conversion *c, struct error *err) must_use;

/* --- csum-update.c --- */
/* Replaces the stored checksums of [logical, +len) with those of bytes. Sectors without a checksum stay without. */
bool csum_update(struct conversion *c, struct transaction *tx, uint64_t logical, const uint8_t *bytes, size_t len,
		 struct error *err) must_use;
/*
 * Gets the stored checksum of one sector: CSUM_SIZE bytes, of which the csum type's size counts. *has false: it has none. csum_put() needs
 * a sector that has one.
 */
bool csum_get(struct conversion *c, uint64_t logical, uint8_t *value, bool *has, struct error *err) must_use;
bool csum_put(struct conversion *c, struct transaction *tx, uint64_t logical, const uint8_t *value, struct error *err) must_use;

/* --- preflight.c --- */
bool preflight_features(struct volume *volume, struct error *err) must_use;
/* Always false: of a subvolume that is deleted, in a filesystem without orphan items of subvolumes; why: what is wanted of it, " and ...", or "". */
bool refuse_dead(uint64_t id, const char *why, struct error *err);
/* Visits every block of the trees that a conversion writes to, from any mirror. */
bool conversion_trees_walk(struct volume *volume, tree_visit *visit, void *context, struct error *err) must_use;
/* Can these trees be read? With one block missing, the conversion could neither be finished nor undone. */
bool preflight_trees(struct volume *volume, struct error *err) must_use;
/* Finds journal slots and key area in free space. */
/* The sizes depend on the amount of data to convert. */
bool preflight_places(struct allocator *allocator, const struct scan *scan, struct crypt_range *keys,
		      struct crypt_range slot[CRYPT_JOURNAL_SLOTS], struct error *err) must_use;

/* --- continue.c --- */
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

#endif /* COMMON_CONVERT_CONVERSION_H */
