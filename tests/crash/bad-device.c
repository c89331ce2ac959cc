/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs on a bad device, and what must come of them. */
#include "tests/crash/bad-device.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct bad_device bad_device_any(const struct chain *chain, struct rng *rng)
{
	struct bad_device bad = { .kind = (enum fault_kind)(1 + rng_below(rng, FAULT_KINDS - 1)) };

	bad.at = rng_below(rng, bad.kind == FAULT_FLUSH_FAILS ? chain->log.n_flushes : chain->log.n);
	bad.seed = rng_next(rng);
	/* What was lost of moved extents nobody recognises before it is read back: then a resume is refused. */
	bad.cut = (bad.kind == FAULT_LOST || bad.kind == FAULT_CHANGED) && !chain->measure->used && rng_below(rng, 2);
	return bad;
}

void bad_device_text(const struct bad_device *bad, char text[BAD_DEVICE_TEXT_SIZE])
{
	static const char *const names[FAULT_KINDS] = { "nothing", "lost write", "changed write", "failed write", "failed flush" };

	snprintf(text, BAD_DEVICE_TEXT_SIZE, "%s %zu%s (%#" PRIx64 ")", names[bad->kind], bad->at, bad->cut ? ", then a power cut" : "", bad->seed);
}

static bool run(const struct chain *chain, struct disk *disk, const struct keys *keys, struct error *err)
{
	switch (chain->run) {
	case RUN_ENCRYPT:
		return run_encrypt(disk, keys, NEVER, NULL, err);
	case RUN_REKEY:
		return run_rekey(disk, &chain->measure->old_keys, keys, 0, NEVER, err);
	case RUN_DECRYPT:
		return run_decrypt(disk, keys, NEVER, err);
	default:
		return run_continue(disk, CONVERT_ABORT, keys, false, NEVER, err);
	}
}

static bool go_on(const struct chain *chain, struct disk *disk, const struct keys *keys, struct error *err)
{
	const enum convert_goal goal = chain->run == RUN_ENCRYPT || chain->run == RUN_REKEY ? CONVERT_RESUME : chain->run == RUN_DECRYPT ? CONVERT_RESUME_DECRYPT : CONVERT_ABORT;

	return run_continue(disk, goal, keys, false, NEVER, err);
}

/* What got to the medium, and of that what a power cut leaves. */
static void judge_cut(const struct chain *chain, const struct bad_device *bad, struct judge *judge, const struct faults *faults, const struct disk_log *reached)
{
	struct rng rng = { bad->seed };
	const struct cut cut = cut_any(reached, &rng);
	struct disk after;

	cut_apply(&chain->start, reached, &cut, &after);
	judge->sector_lost = faults_are_on(faults, &after);
	judge_state(judge, &after, chain->before, chain->after);
	disk_free(&after);
}

/* The process has ended; the machine goes on with the caches that it has. */
static void judge_going_on(const struct chain *chain, struct judge *judge, struct disk *disk)
{
	struct error err = { 0 };
	const bool ok = go_on(chain, disk, &judge->measure->keys, &err);

	disk_faults_end(disk);
	if (ok)
		judge_side(judge, disk, chain->after, "going on after a failure");
	else if (err.kind != ERROR_REFUSED)
		judge_fails(judge, "going on after a failure", &err);
	else	/* it had not begun, or had come to its end */
		judge_state(judge, disk, chain->before, chain->after);
}

/*
 * Of data there is one copy only, and of what was in that sector none. The same with parity, where the data have no checksum that could say which of
 * the sectors beside it was changed: the next write there makes parity of what it finds, and the tags tell afterwards.
 */
static bool is_told(const struct chain *chain, const struct bad_device *bad, const struct error *err)
{
	return bad->kind == FAULT_CHANGED && err->kind == ERROR_CORRUPT &&
	       (strstr(err->text, "no mirror has what was written to the block") ||
		(chain->start.n_parts > 1 && judge_says_lost(err)));
}

void bad_device_judge(const struct chain *chain, const struct bad_device *bad, struct judge *judge)
{
	struct measure measure = *judge->measure;
	struct faults faults = { .kind = bad->kind, .at = bad->at, .seed = bad->seed };
	struct disk_log reached = { 0 };
	struct error err = { 0 };
	struct disk disk, medium;
	bool ok;

	measure.keys.read_back = true;
	judge->measure = &measure;
	disk_clone(&chain->start, &disk);
	disk.log = bad->cut ? &reached : NULL;
	disk_faults_begin(&disk, &faults, &medium);
	ok = run(chain, &disk, &measure.keys, &err);
	disk.log = NULL;
	if (bad->kind == FAULT_LOST || bad->kind == FAULT_CHANGED) {
		disk_faults_end(&disk);
		if (!ok && is_told(chain, bad, &err))
			;
		else if (!ok)
			judge_fails(judge, "a run on a bad device", &err);
		else if (bad->cut)
			judge_cut(chain, bad, judge, &faults, &reached);
		else
			judge_side(judge, &disk, chain->after, "a run on a bad device");
	} else if (ok || err.kind != ERROR_IO) {
		judge_fails(judge, "a failure that nobody tells of", &err);
	} else {
		struct disk cut;

		disk_clone(&medium, &cut);
		judge_state(judge, &cut, chain->before, chain->after);
		disk_free(&cut);
		faults.kind = FAULT_NONE;
		judge_going_on(chain, judge, &disk);
	}
	judge->measure = NULL;
	disk_log_free(&reached);
	disk_free(&disk);
	disk_free(&medium);
}
