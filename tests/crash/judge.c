/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a disk after a power cut: status, wrong key, resume, abort, and what they lead to. */
#include "tests/crash/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/volume/csum.h"

#define DEPTH_MAX 2
#define AGAIN_PERCENT 12	/* so often the power goes a second time, while the first time is being recovered */
#define EXPORTS_OF_A_KIND 3
#define EXPORTS_OF_COPIES 10	/* each cut leaves other references */

static const char *const goal_names[] = { "resume", "resume to plain text", "abort" };
static const char *const side_names[] = { "plain", "sealed", "sealed with the old key" };

static bool bad(struct judge *judge, const char *way, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool bad(struct judge *judge, const char *way, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "FAILED: %s: %s: %s: %s\n", judge->measure->image, judge->where, way, text);
	__atomic_add_fetch(&judge->tally->n_failures, 1, __ATOMIC_RELAXED);
	return false;
}

void judge_fails(struct judge *judge, const char *way, const struct error *err)
{
	bad(judge, way, "status %d: %s", err->kind, err->text);
}

static void count(unsigned *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* Of each kind a few, for btrfs check and the kernel. */
static void export(struct judge *judge, const struct disk *disk, const char *what, unsigned kind, unsigned most)
{
	uint8_t *n = &judge->tally->exported[kind % sizeof(judge->tally->exported)];
	char path[512];

	if (!judge->export || *n >= most || disk->lost)
		return;

	const unsigned number = __atomic_fetch_add(n, 1, __ATOMIC_RELAXED);

	if (number >= most)
		return;
	snprintf(path, sizeof(path), "%s/%s-%s-%u-%u.img", judge->export, judge->measure->image, what, kind, number);
	disk_export(disk, path);
}

/* --- the ends ----------------------------------------------------------------------------------------- */

bool judge_plain(struct judge *judge, struct disk *disk, const char *way)
{
	const struct measure *measure = judge->measure;
	struct error err = { 0 };
	struct content content;

	if (!content_read(disk, &measure->members, judge->torn | measure->form, &content, &err))
		return bad(judge, way, "reading the plain result: %s", err.text);

	const char *differs = content_compare(&measure->plain, &content);

	if (differs)
		return bad(judge, way, "%s is not as it was", differs);
	count(&judge->tally->n_plain);
	export(judge, disk, "plain", 0, measure->form ? EXPORTS_OF_COPIES : EXPORTS_OF_A_KIND);
	return true;
}

/* before: with the keys that a rekeying replaces. */
static bool judge_sealed_with(struct judge *judge, struct disk *disk, bool before, const char *way)
{
	const struct measure *measure = judge->measure;
	const struct keys *keys = before ? &measure->old_keys : &measure->keys;
	const struct content *resealed = measure->rekeys && !before ? NULL : judge->resealed;
	struct error err = { 0 };
	struct content content;
	struct disk opened;
	uint64_t at;
	bool ok;

	if (!content_read(disk, &measure->members, (resealed ? 0 : CONTENT_SEALED | measure->form) | judge->torn, &content, &err))
		return bad(judge, way, "reading the sealed result: %s", err.text);

	const char *differs = content_compare(resealed ? resealed : &measure->sealed, &content);

	if (differs)
		return bad(judge, way, "%s is not %s", differs,
			   resealed ? "as it was before" : "what sealing without a power cut makes of it");
	if (measure->leaks && !leaks_none(measure->leaks, disk, &at))
		return bad(judge, way, "plain text of the sealed set at byte %#" PRIx64, at);
	if (!run_verify(disk, keys, &err))
		return bad(judge, way, "%s", err.text);
	count(&judge->tally->n_sealed);
	if (disk->lost)		/* nothing new is begun without a device */
		return true;
	export(judge, disk, "sealed", 1, measure->form ? EXPORTS_OF_COPIES : EXPORTS_OF_A_KIND);

	disk_clone(disk, &opened);
	ok = run_decrypt(&opened, keys, NEVER, &err) || bad(judge, way, "opening the sealed result: %s", err.text);
	ok = ok && judge_plain(judge, &opened, way);
	disk_free(&opened);
	return ok;
}

bool judge_sealed(struct judge *judge, struct disk *disk, const char *way)
{
	return judge_sealed_with(judge, disk, false, way);
}

bool judge_side(struct judge *judge, struct disk *disk, enum side side, const char *way)
{
	return side == SIDE_PLAIN ? judge_plain(judge, disk, way) : judge_sealed_with(judge, disk, side == SIDE_OLD, way);
}

/* --- status and keys ------------------------------------------------------------------------------------ */

static bool tells_truth(const struct verdict *v, const struct crypt_state_tail *state)
{
	if (state->operation != v->operation)
		return false;
	if (state->direction == v->direction && state->phase == v->phase && state->cursor == v->cursor)
		return true;
	return v->half_record && state->direction == v->half_direction && state->phase == v->half_phase &&
	       state->cursor == v->half_cursor;
}

static bool judge_status(struct judge *judge, const struct disk *disk, const struct verdict *v)
{
	const bool verified = v->unfinished && !v->restorable && !v->keyless;
	struct convert_status status;
	struct error err = { 0 };
	struct disk looked_at;
	bool ok;

	disk_clone(disk, &looked_at);
	ok = run_status(&looked_at, &judge->measure->keys, verified, &status, &err);
	disk_free(&looked_at);
	if (!ok)
		return bad(judge, "status", "%s", err.text);
	if (status.unfinished != v->unfinished)
		return bad(judge, "status", "says %s, which is not true", status.unfinished ? "unfinished" : "finished");
	if (status.damaged_primary == v->primary_valid)
		return bad(judge, "status", "the primary superblock is %s", v->primary_valid ? "valid" : "damaged");
	if (verified && !status.authenticated)
		return bad(judge, "status", "not authenticated with the right key");
	if (!v->unfinished || v->restorable)
		return true;
	if (!tells_truth(v, &status.state) || status.percent > 100)
		return bad(judge, "status", "operation %u direction %u phase %u cursor %#" PRIx64 ", and the truth is %u %u %u %#" PRIx64,
			   status.state.operation, status.state.direction, status.state.phase, status.state.cursor, v->operation,
			   v->direction, v->phase, v->cursor);
	return true;
}

static bool judge_wrong_key(struct judge *judge, const struct disk *disk, enum convert_goal goal)
{
	struct error err = { 0 };
	struct disk tried;
	bool ok = true;

	disk_clone(disk, &tried);
	if (run_continue(&tried, goal, &judge->measure->keys, true, NEVER, &err))
		ok = bad(judge, goal_names[goal], "works with a wrong key");
	else if (err.kind != ERROR_KEY)
		ok = bad(judge, goal_names[goal], "with a wrong key: status %d: %s", err.kind, err.text);
	else if (tried.n_writes != 0)
		ok = bad(judge, goal_names[goal], "writes with a wrong key");
	disk_free(&tried);
	return ok;
}

/* --- going on ------------------------------------------------------------------------------------------- */

struct expected {
	bool refused;
	enum side end;
};

static struct expected expect(const struct verdict *v, enum convert_goal goal)
{
	const enum side back = v->operation == CRYPT_OP_REKEY ? SIDE_OLD : SIDE_PLAIN;
	const enum side end = v->direction == CRYPT_TO_SEALED ? SIDE_SEALED : back;
	const enum side wanted = v->operation == CRYPT_OP_DECRYPT ? SIDE_PLAIN : SIDE_SEALED;

	switch (goal) {
	case CONVERT_RESUME:
		return (struct expected){ end != SIDE_SEALED || wanted != end, end };
	case CONVERT_RESUME_DECRYPT:
		return (struct expected){ end != SIDE_PLAIN || wanted != end, end };
	default:
		if (end != wanted)
			return (struct expected){ false, end };	/* it is being undone already */
		return (struct expected){ v->done, wanted == SIDE_SEALED ? back : SIDE_SEALED };
	}
}

/* The power goes again, anywhere in what has just been done. */
static void judge_again(struct judge *judge, const struct disk *disk, const struct disk_log *log, enum convert_goal goal, enum side end)
{
	struct judge deeper = *judge;
	const struct cut cut = cut_any(log, &judge->rng);
	char text[CUT_TEXT_SIZE];
	struct disk again;

	cut_text(&cut, text);
	deeper.depth++;
	deeper.rng.state = rng_next(&judge->rng);
	snprintf(deeper.where, sizeof(deeper.where), "%.120s, then %s, %s", judge->where, goal_names[goal], text);
	cut_apply(disk, log, &cut, &again);
	judge_state(&deeper, &again, end, end);
	disk_free(&again);
	count(&judge->tally->n_again);
}

bool judge_says_lost(const struct error *err)
{
	return err->kind == ERROR_CORRUPT && (strstr(err->text, "is neither plain text nor the ciphertext") || strstr(err->text, "neither with the old key nor with the new one") ||
					      strstr(err->text, "fails authentication on every mirror") || strstr(err->text, "are not what was sealed"));
}

/* One block is lost, and no more of it than that stands in the way. */
static bool judge_skipping(struct judge *judge, const struct disk *disk, enum convert_goal goal)
{
	struct keys keys = judge->measure->keys;
	struct error err = { 0 };
	struct disk tried;
	bool ok;

	keys.skip = true;
	disk_clone(disk, &tried);
	ok = run_continue(&tried, goal, &keys, false, NEVER, &err) || bad(judge, goal_names[goal], "skipping the block: status %d: %s", err.kind, err.text);
	disk_free(&tried);
	return ok;
}

/* The device is there again, as it was when it was lost. Nobody may take anything from it, unless it was all done then. */
static bool judge_reattached(struct judge *judge, const struct disk *disk, const struct verdict *v, enum side end)
{
	bool ok = true;

	for (int goal = CONVERT_RESUME; ok && goal <= CONVERT_ABORT; goal++) {
		struct error err = { 0 };
		struct disk tried;

		disk_clone(disk, &tried);
		tried.lost = 0;
		if (run_continue(&tried, (enum convert_goal)goal, &judge->measure->keys, false, NEVER, &err))
			ok = v->phase == CRYPT_PHASE_FINISHED ? judge_side(judge, &tried, end, "a lost device that is there again") :
								bad(judge, goal_names[goal], "a lost device that is there again is used");
		else if ((err.kind != ERROR_STATE && err.kind != ERROR_REFUSED) || tried.n_writes != 0)
			ok = bad(judge, goal_names[goal], "a lost device that is there again: status %d: %s", err.kind, err.text);
		disk_free(&tried);
	}
	return ok;
}

static bool judge_goal(struct judge *judge, const struct disk *disk, const struct verdict *v, enum convert_goal goal)
{
	const struct expected expected = expect(v, goal);
	const char *way = goal_names[goal];
	struct disk_log log = { 0 };
	struct error err = { 0 };
	struct disk tried;
	bool ok;

	disk_clone(disk, &tried);
	tried.log = &log;
	ok = run_continue(&tried, goal, &judge->measure->keys, false, NEVER, &err);
	tried.log = NULL;
	if (expected.refused) {
		if (ok)
			ok = bad(judge, way, "is done, and should be refused");
		else if (err.kind != ERROR_REFUSED)
			ok = bad(judge, way, "should be refused: status %d: %s", err.kind, err.text);
		else if (tried.n_writes != 0)
			ok = bad(judge, way, "is refused, and writes");
		else
			ok = true;
		count(&judge->tally->n_refused);
	} else if (!ok && judge->sector_lost && judge_says_lost(&err)) {
		count(&judge->tally->n_lost);
		ok = judge_skipping(judge, disk, goal);
	} else if (!ok) {
		bad(judge, way, "status %d: %s", err.kind, err.text);
	} else {
		ok = judge_side(judge, &tried, expected.end, way) && (!tried.lost || judge_reattached(judge, &tried, v, expected.end));
		count(goal == CONVERT_ABORT ? &judge->tally->n_undone : &judge->tally->n_resumed);
	}
	disk_free(&tried);
	if (ok && !expected.refused && !judge->sector_lost && judge->depth < DEPTH_MAX && rng_below(&judge->rng, 100) < AGAIN_PERCENT)
		judge_again(judge, disk, &log, goal, expected.end);
	disk_log_free(&log);
	return ok;
}

/* --- disks that are not in the middle of anything ----------------------------------------------------- */

/* Everything is as it was, or done; there is nothing to go on with, and a new conversion works. */
static bool judge_finished(struct judge *judge, struct disk *disk, enum side side)
{
	struct error err = { 0 };
	struct disk tried;
	bool ok;

	for (int goal = CONVERT_RESUME; goal <= CONVERT_ABORT; goal++) {
		disk_clone(disk, &tried);
		ok = !run_continue(&tried, (enum convert_goal)goal, &judge->measure->keys, false, NEVER, &err) &&
		     err.kind == ERROR_REFUSED && tried.n_writes == 0;
		disk_free(&tried);
		if (!ok)
			return bad(judge, goal_names[goal], "there is nothing to go on with: status %d: %s", err.kind, err.text);
	}
	/* A mirror of the superblock that was being written when it all ended, or began, is left to the next kernel. */
	judge->torn = CONTENT_TORN;
	ok = judge_side(judge, disk, side, "finished");
	judge->torn = 0;
	if (!ok)
		return false;
	if (side != SIDE_PLAIN)
		return true;	/* judging it opened it already */

	struct judge anew = *judge;

	anew.resealed = NULL;
	disk_clone(disk, &tried);
	ok = run_encrypt(&tried, &judge->measure->keys, NEVER, NULL, &err) || bad(judge, "a new encryption", "%s", err.text);
	ok = ok && judge_sealed(&anew, &tried, "a new encryption");
	disk_free(&tried);
	return ok;
}

static bool judge_restorable(struct judge *judge, const struct disk *disk, enum side side)
{
	struct error err = { 0 };
	struct disk tried;
	bool ok;

	disk_clone(disk, &tried);
	ok = run_continue(&tried, side != SIDE_PLAIN ? CONVERT_RESUME : CONVERT_RESUME_DECRYPT, &judge->measure->keys, false, NEVER, &err) ||
	     bad(judge, "writing the primary superblock again", "status %d: %s", err.kind, err.text);
	ok = ok && judge_side(judge, &tried, side, "primary superblock written again");
	disk_free(&tried);
	return ok;
}

/* --- all of it ------------------------------------------------------------------------------------------ */

/* Of how many devices has the primary superblock the bit, or is torn? */
static unsigned n_marked(const struct disk *disk)
{
	unsigned n = 0;

	for (unsigned part = 0; part < disk->n_parts; part++) {
		uint8_t bytes[SUPER_SIZE];
		struct superblock super;
		struct error ignored;

		disk_read(disk, disk->begin[part] + superblock_offset(0), bytes, sizeof(bytes));
		n += !superblock_read(bytes, superblock_offset(0), &super, &ignored) || !csum_block_matches(super.csum_type, bytes, sizeof(bytes)) ||
		     super.incompat & INCOMPAT_CRYPT_UNFINISHED;
	}
	return n;
}

/* What a kernel makes of the disk depends on the superblock copies alone. Some, but not all devices marked: it may be mounted, and is whole. */
static void export_state(struct judge *judge, const struct disk *disk, const struct verdict *v, enum side side)
{
	const bool has_bit = v->unfinished && !v->restorable;
	const unsigned n = n_marked(disk);

	export(judge, disk, n == disk->n_parts ? "refused" : n > 0 ? "mixed" : "clean",
	       16 + (unsigned)v->phase + 8 * (unsigned)v->direction + 32 * (unsigned)v->operation + 256 * v->primary_valid + 512 * (n % 4) +
		       2048 * has_bit + 4096 * (unsigned)(side == SIDE_PLAIN), 1);
}

static void lose_device(struct judge *judge, struct disk *disk)
{
	struct verdict v;
	struct error err = { 0 };

	if (!judge->loses_devices || disk->n_parts == 1 || disk->lost || rng_below(&judge->rng, 2))
		return;
	disk->lost = 1u << rng_below(&judge->rng, disk->n_parts);
	/* What was never begun, or is over, is judged with all of them. */
	if (!oracle_judge(disk, &judge->measure->keys, &v, &err) || !v.unfinished || v.restorable)
		disk->lost = 0;
	else
		snprintf(judge->where + strlen(judge->where), sizeof(judge->where) - strlen(judge->where), ", lost devices %#x", disk->lost);
}

void judge_state(struct judge *judge, struct disk *disk, enum side before, enum side after)
{
	struct verdict v;
	struct error err = { 0 };

	lose_device(judge, disk);
	count(&judge->tally->n_states);
	count(&judge->tally->n_towards[after]);
	if (disk->lost)
		count(&judge->tally->n_degraded);
	if (!oracle_judge(disk, &judge->measure->keys, &v, &err)) {
		bad(judge, "oracle", "%s", err.text);
		return;
	}
	export_state(judge, disk, &v, after);
	judge_status(judge, disk, &v);
	if (!v.unfinished || v.restorable) {
		/* Not yet begun or already over: whichever it is, the tag of the set says. */
		struct error ignored;
		const bool sealed = run_verify(disk, &judge->measure->keys, &ignored);
		const enum side side = sealed ? SIDE_SEALED : judge->measure->rekeys ? SIDE_OLD : SIDE_PLAIN;

		if (side != before && side != after)
			bad(judge, "finished", "is %s, and should be %s", side_names[side], side_names[after]);
		else if (v.restorable)
			judge_restorable(judge, disk, side);
		else
			judge_finished(judge, disk, side);
		return;
	}
	count(&judge->tally->n_unfinished);
	if (v.phase == CRYPT_PHASE_INDEX && v.cursor > 0)
		count(&judge->tally->n_in_index);
	for (int goal = CONVERT_RESUME; goal <= CONVERT_ABORT; goal++) {
		if (!v.keyless && !judge_wrong_key(judge, disk, (enum convert_goal)goal))
			break;
		if (!judge_goal(judge, disk, &v, (enum convert_goal)goal))
			break;
	}
}
