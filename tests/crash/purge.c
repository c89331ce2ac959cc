/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * purge [--states N] [--seed N] [--only KIND,WRITE,SEED] IMAGE: power cuts while the first sealing of the image, of which no subvolume is left, is
 * removed. From each state one goes on or back, without a key, the power may go once more, and in the end the sealing must be gone or be there
 * as before, whichever was asked for, and everything else as it was. Then the state and the records are forged.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/volume/volume.h"
#include "tests/crash/content.h"
#include "tests/crash/cut.h"
#include "tests/crash/purge-run.h"
#include "tests/support/tree-check.h"

#define AGAIN_PERCENT 50	/* of the states, in which the power goes a second time */
#define AGAIN_MOST 2		/* and a third one */

struct end {
	uint64_t trees;
	struct content content;
};
static struct disk start;
static struct disk_log log_of_run;
static struct end before, after;
static unsigned n_states, n_unfinished, n_again, n_old, n_new, n_late, n_failures;
static char where[400];

static bool bad(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool bad(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "FAILED: %s: %s\n", where, text);
	n_failures++;
	return false;
}

static bool read_end(struct disk *disk, unsigned form, struct end *end, struct error *err)
{
	cleanup_volume struct volume *volume = purge_run_open(disk);
	const struct members none = { 0 };

	if (!tree_check_used(volume, err))
		return false;
	/* The backup roots in it are all the current ones afterwards; the rest of it is part of the content. */
	memset(&volume->super.disk, 0, sizeof(volume->super.disk));
	return tree_fingerprint(volume, &end->trees, err) && content_read(disk, &none, form, &end->content, err);
}

static bool same(const struct end *a, const struct end *b)
{
	return a->trees == b->trees && !content_compare(&a->content, &b->content);
}

/* --- judging -------------------------------------------------------------------------------------------------------- */

static bool judge_end(struct disk *disk, unsigned form, bool want_new, bool want_old)
{
	struct error err = { 0 };
	struct end end;

	if (!read_end(disk, form, &end, &err))
		return bad("%s", err.text);

	const bool is_new = same(&end, &after), is_old = same(&end, &before);

	if (!is_new && !is_old)
		return bad("neither as before nor without the sealing (%s)", content_compare(&end.content, &after.content));
	if (is_new ? want_old : want_new)
		return bad(is_new ? "the sealing is gone, and should be there" : "the sealing is there, and should be gone");
	*(is_new ? &n_new : &n_old) += 1;
	return true;
}

static bool judge(struct disk *disk, unsigned times, struct rng *rng);

static bool judge_again(const struct disk *disk, const struct disk_log *log, unsigned times, struct rng *rng)
{
	const struct cut cut = cut_any(log, rng);
	const size_t len = strlen(where);
	char text[CUT_TEXT_SIZE];
	struct disk twice;
	bool ok;

	cut_text(&cut, text);
	snprintf(where + len, sizeof(where) - len, ", then %.60s", text);
	cut_apply(disk, log, &cut, &twice);
	n_again++;
	ok = judge(&twice, times + 1, rng);
	disk_free(&twice);
	return ok;
}

static bool judge_unfinished(const struct disk *disk, unsigned times, struct rng *rng)
{
	enum convert_goal goal = rng_below(rng, 2) ? CONVERT_ABORT : CONVERT_RESUME;
	struct disk_log log = { 0 };
	struct error err = { 0 };
	struct disk tried;
	bool ok;

	disk_clone(disk, &tried);
	tried.log = &log;
	ok = purge_run_continue(&tried, goal, &err);
	if (!ok && err.kind == ERROR_REFUSED && tried.n_writes == 0) {
		n_late++;
		goal = goal == CONVERT_ABORT ? CONVERT_RESUME : CONVERT_ABORT;
		ok = purge_run_continue(&tried, goal, &err);
	}
	tried.log = NULL;
	if (!ok)
		bad("%s: status %d: %s", goal == CONVERT_ABORT ? "abort" : "resume", err.kind, err.text);
	ok = ok && judge_end(&tried, CONTENT_PLAIN, goal == CONVERT_RESUME, goal == CONVERT_ABORT);
	disk_free(&tried);
	if (ok && times < AGAIN_MOST && rng_below(rng, 100) < AGAIN_PERCENT)
		ok = judge_again(disk, &log, times, rng);
	disk_log_free(&log);
	return ok;
}

static bool judge(struct disk *disk, unsigned times, struct rng *rng)
{
	struct volume *volume = purge_run_open(disk);
	const bool unfinished = volume_is_unfinished(volume), restorable = !unfinished && !volume->copy[0].valid;
	struct error err = { 0 };

	volume_close(volume);
	n_unfinished += unfinished;
	if (unfinished)
		return judge_unfinished(disk, times, rng);
	if (restorable && !purge_run_continue(disk, CONVERT_RESUME, &err))
		return bad("writing the primary superblock again: status %d: %s", err.kind, err.text);
	return judge_end(disk, CONTENT_TORN, false, false);
}

static void judge_cut(const struct cut *cut, uint64_t seed)
{
	struct rng rng = { seed ^ cut->seed };
	char text[CUT_TEXT_SIZE];
	struct disk disk;

	cut_text(cut, text);
	snprintf(where, sizeof(where), "%s [--only %u,%zu,%" PRIx64 "]", text, cut->kind, cut->at, cut->seed);
	cut_apply(&start, &log_of_run, cut, &disk);
	judge(&disk, 0, &rng);
	disk_free(&disk);
	n_states++;
}

/* --- all -------------------------------------------------------------------------------------------------------------- */

static void prepare(const char *path)
{
	struct error err = { 0 };
	struct disk disk;

	disk_load(path, &start);
	disk_clone(&start, &disk);
	if (!read_end(&disk, CONTENT_PLAIN, &before, &err))
		harness_fail("%s", err.text);
	disk.log = &log_of_run;
	if (!purge_run(&disk, &err))
		harness_fail("%s", err.text);
	disk.log = NULL;
	if (!read_end(&disk, CONTENT_PLAIN, &after, &err))
		harness_fail("%s", err.text);
	disk_free(&disk);
	if (before.content.items != after.content.items || before.content.data != after.content.data || before.content.roots != after.content.roots ||
	    before.trees == after.trees)
		harness_fail("what is not interrupted goes wrong");
	printf("%zu writes, %u flushes\n", log_of_run.n, log_of_run.n_flushes);
}

/* Both records are durable and the superblocks say so, and nothing is in place. */
static void stop_begun(struct disk *disk)
{
	struct cut cut = { .kind = CUT_PREFIX };

	while (cut.at < log_of_run.n && log_of_run.write[cut.at].at != superblock_offset(0))
		cut.at++;
	cut.at++;
	cut_apply(&start, &log_of_run, &cut, disk);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "states", required_argument, NULL, 's' }, { "seed", required_argument, NULL, 'r' }, { "only", required_argument, NULL, 'o' }, { 0 },
	};
	unsigned states = 100, only_kind;
	const char *only = NULL;
	struct error err = { 0 };
	uint64_t seed = 1;
	struct disk begun;

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 's': states = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'r': seed = strtoull(optarg, NULL, 0); break;
		case 'o': only = optarg; break;
		default: harness_fail("usage: purge [--states N] [--seed N] [--only KIND,WRITE,SEED] IMAGE");
		}
	}
	if (optind + 1 != argc || !secret_init(&err))
		harness_fail("one IMAGE is needed");
	prepare(argv[optind]);
	if (only) {
		struct cut cut;

		if (sscanf(only, "%u,%zu,%" SCNx64, &only_kind, &cut.at, &cut.seed) != 3 || only_kind >= CUT_KINDS)
			harness_fail("--only KIND,WRITE,SEED");
		cut.kind = (enum cut_kind)only_kind;
		judge_cut(&cut, seed);
		return n_failures > 0;
	}

	struct rng rng = { seed };
	struct cut *const cuts = cuts_choose(&log_of_run, states, &rng);

	for (size_t i = 0; i < states && n_failures < 20; i++)
		judge_cut(&cuts[i], seed);
	free(cuts);
	stop_begun(&begun);
	n_failures += purge_judge_forged(&begun);
	printf("%u states (seed %#" PRIx64 "): %u unfinished, %u after a further power cut; %u without the sealing, %u with it; %u came too late for what was "
	       "asked; %u failures\n", n_states, seed, n_unfinished, n_again, n_new, n_old, n_late, n_failures);
	return n_failures > 0 || n_states < states || n_unfinished == 0 || n_new == 0 || n_old == 0;
}
