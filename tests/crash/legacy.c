/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * legacy [--states N] [--seed N] [--only KIND,WRITE,SEED] [--export DIRECTORY] IMAGE KEY SUBVOL: power cuts while subvolumes in the format of 2016 are
 * decrypted, and while that is undone. Whoever goes on ends with the very disk that no power cut had come to, whoever undoes it with that of an
 * undisturbed abort; a wrong key changes nothing. --export writes these two disks, and two on the way, for btrfs check,
 * a kernel and the program.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/convert/state.h"
#include "common/util/hex.h"
#include "common/util/take.h"
#include "common/volume/mirror.h"
#include "format/journal.h"
#include "tests/crash/cut.h"
#include "tests/crash/legacy-run.h"

#define AGAIN_PERCENT 40	/* of the states, in which the power goes a second time, */
#define DEPTH_MAX 3u		/* and of those a third time */

static struct disk start, home, undone;	/* the disk as it was, and the two ends */
static unsigned n_states, n_unfinished, n_again, n_home, n_undone, n_late, n_untouched, n_lost, n_no_ivs, n_failures;
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

/* --- judging ------------------------------------------------------------------------------------------------------------- */

/* In a volume's own words: nothing was changed that anybody reads. */
static bool is_finished(struct disk *disk, bool *finished, struct error *err)
{
	cleanup_volume struct volume *volume = NULL;

	if (!legacy_disk_open(disk, &volume, err))
		return false;
	*finished = !volume_is_unfinished(volume);
	/* A torn primary beside a clean copy is written again by whoever comes, without a key. */
	if (!*finished || volume->copy[0].valid)
		return true;
	volume_close(TAKE(volume));
	return legacy_disk_go_on(disk, CONVERT_RESUME, legacy_wrong_key, err);
}

/* The first page that differs; n_pages: none. */
static size_t first_other(const struct disk *disk, const struct disk *want)
{
	size_t i = 0;

	while (i < want->n_pages && memcmp(disk->page[i], want->page[i], DISK_PAGE) == 0)
		i++;
	return i;
}

static bool same(const struct disk *disk, const struct disk *want, const char *what)
{
	const size_t page = first_other(disk, want);

	return page == want->n_pages || bad("%s: the page at %zu is another one", what, page * DISK_PAGE);
}

static bool judge(struct disk *disk, unsigned depth, struct rng *rng);

static bool judge_again(const struct disk *disk, const struct disk_log *log, unsigned depth, struct rng *rng)
{
	const struct cut cut = cut_any(log, rng);
	char text[CUT_TEXT_SIZE];
	struct disk again;
	bool ok;

	cut_text(&cut, text);
	snprintf(where + strlen(where), sizeof(where) - strlen(where), ", then %.60s", text);
	cut_apply(disk, log, &cut, &again);
	n_again++;
	ok = judge(&again, depth + 1, rng);
	disk_free(&again);
	return ok;
}

static bool wrong_key_is_refused(struct disk *disk)
{
	struct error err = { 0 };
	struct disk tried;
	bool ok;

	disk_clone(disk, &tried);
	if (legacy_disk_go_on(&tried, CONVERT_RESUME_DECRYPT, legacy_wrong_key, &err))
		ok = bad("a wrong key goes on");
	else if (err.kind != ERROR_KEY)
		ok = bad("a wrong key: status %d: %s", err.kind, err.text);
	else
		ok = tried.n_writes == 0 || bad("a wrong key writes");
	disk_free(&tried);
	return ok;
}

/* Makes the newest record unreadable. False: there is none. */
static bool lose_record(struct disk *disk)
{
	const uint8_t zeros[DISK_SECTOR] = { 0 };
	struct volume *volume = NULL;
	struct crypt_state_tail tail;
	struct error err = { 0 };
	uint64_t newest = 0;
	bool found;

	found = legacy_disk_open(disk, &volume, &err) && state_newest(volume, &tail, &err) && tail.phase < CRYPT_PHASE_FINISH;
	for (unsigned i = 0; found && i < CRYPT_JOURNAL_SLOTS; i++) {
		struct disk_journal_header bytes;
		struct cursor at = { (const uint8_t *)&bytes, sizeof(bytes), 0 };
		struct journal_header header;

		if (volume_read(volume, tail.slot[i].logical, &bytes, sizeof(bytes), 0, &err) && journal_header_read(&at, &header, &err) &&
		    memcmp(header.op_id, tail.disk.op_id, sizeof(header.op_id)) == 0 && header.sequence > newest)
			newest = header.sequence;
	}
	found = found && newest > 0;
	if (found && !volume_write(volume, tail.slot[newest % CRYPT_JOURNAL_SLOTS].logical, zeros, sizeof(zeros), &err))
		harness_fail("%s", err.text);
	volume_close(volume);
	return found;
}

/*
 * If what it changed may be in place, nothing but the record can tell: going on with the one before it would decrypt twice what is plain text
 * already. If it is not, it may as well be made again.
 */
static bool lost_record_does_no_harm(const struct disk *disk, enum convert_goal goal)
{
	struct disk without, tried;
	struct error err = { 0 };
	bool ok = true;

	disk_clone(disk, &without);
	if (lose_record(&without)) {
		disk_clone(&without, &tried);
		n_lost++;
		if (legacy_disk_go_on(&tried, goal, legacy_key, &err))
			ok = same(&tried, goal == CONVERT_ABORT ? &undone : &home, "without a record");
		else if (err.kind != ERROR_STATE && err.kind != ERROR_REFUSED)
			ok = bad("without a record: status %d: %s", err.kind, err.text);
		else
			ok = tried.n_writes == 0 || bad("without a record it is refused, and writes");
		disk_free(&tried);
	}
	disk_free(&without);
	return ok;
}

static bool judge_unfinished(struct disk *disk, unsigned depth, struct rng *rng)
{
	enum convert_goal goal = rng_below(rng, 2) ? CONVERT_ABORT : CONVERT_RESUME_DECRYPT;
	struct disk_log log = { 0 };
	struct error err = { 0 };
	struct disk tried;
	bool ok;

	if (!wrong_key_is_refused(disk) || !lost_record_does_no_harm(disk, goal))
		return false;
	n_unfinished++;
	disk_clone(disk, &tried);
	tried.log = &log;
	ok = legacy_disk_go_on(&tried, goal, legacy_key, &err);
	/* It is too late for an abort, or it is being undone. */
	if (!ok && err.kind == ERROR_REFUSED && tried.n_writes == 0) {
		n_no_ivs += strstr(err.text, "it cannot be undone any more: the data are plain text, and the IVs that encrypted them are being removed") != NULL;
		n_late++;
		goal = goal == CONVERT_ABORT ? CONVERT_RESUME_DECRYPT : CONVERT_ABORT;
		ok = legacy_disk_go_on(&tried, goal, legacy_key, &err);
	}
	tried.log = NULL;
	if (!ok)
		bad("%s: status %d: %s", goal == CONVERT_ABORT ? "abort" : "resume", err.kind, err.text);
	ok = ok && same(&tried, goal == CONVERT_ABORT ? &undone : &home, goal == CONVERT_ABORT ? "undone" : "decrypted");
	*(goal == CONVERT_ABORT ? &n_undone : &n_home) += ok;
	disk_free(&tried);
	if (ok && depth < DEPTH_MAX && rng_below(rng, 100) < AGAIN_PERCENT)
		ok = judge_again(disk, &log, depth, rng);
	disk_log_free(&log);
	return ok;
}

/* Nothing says that anything is unfinished: it had not begun, or has ended. */
static bool judge_finished(struct disk *disk)
{
	struct error err = { 0 };

	if (first_other(disk, &home) == home.n_pages || first_other(disk, &undone) == undone.n_pages)
		return true;
	n_untouched++;
	return (legacy_disk_decrypt(disk, LEGACY_NEVER, &err) || bad("from the beginning: status %d: %s", err.kind, err.text)) && same(disk, &home, "from the beginning");
}

static bool judge(struct disk *disk, unsigned depth, struct rng *rng)
{
	struct error err = { 0 };
	bool finished;

	if (!is_finished(disk, &finished, &err))
		return bad("status %d: %s", err.kind, err.text);
	return finished ? judge_finished(disk) : judge_unfinished(disk, depth, rng);
}

/* --- what is cut -------------------------------------------------------------------------------------------------------------- */

struct chain {
	const char *name;
	struct disk from;
	struct disk_log log;
};
/* The decryption; an abort of one that had come into phase LEAVES; one that had come into DATA. */
static struct chain chains[3];
#define CHAINS (sizeof(chains) / sizeof(chains[0]))

static void judge_cut(unsigned number, const struct cut *cut, uint64_t seed)
{
	const struct chain *const chain = &chains[number];
	struct rng rng = { seed ^ cut->seed };
	char text[CUT_TEXT_SIZE];
	struct disk disk;

	cut_text(cut, text);
	snprintf(where, sizeof(where), "%s, %s [--only %u,%u,%zu,%" PRIx64 "]", chain->name, text, number, cut->kind, cut->at, cut->seed);
	cut_apply(&chain->from, &chain->log, cut, &disk);
	judge(&disk, 1, &rng);
	disk_free(&disk);
	n_states++;
}

/* Decrypts until it stands in that phase, and has done some of it; false: it has ended before. */
static bool stop_in(enum crypt_phase phase, struct disk *disk)
{
	for (unsigned stop = 1;; stop++) {
		struct crypt_state_tail tail;
		struct error err = { 0 };
		cleanup_volume struct volume *volume = NULL;

		disk_clone(&start, disk);
		/* Before the first write it is asked for each extent that it looks at. */
		if (legacy_disk_decrypt(disk, stop, &err) || err.kind != ERROR_STOPPED)
			return false;
		if (disk->n_writes > 0 && legacy_disk_open(disk, &volume, &err) && state_newest(volume, &tail, &err) && tail.phase == phase && tail.cursor != UINT64_MAX)
			return true;
		disk_free(disk);
	}
}

static void record(void)
{
	static const enum crypt_phase phases[] = { CRYPT_PHASE_LEAVES, CRYPT_PHASE_DATA };
	struct error err = { 0 };

	chains[0].name = "decrypting";
	disk_clone(&start, &chains[0].from);
	disk_clone(&start, &home);
	home.log = &chains[0].log;
	if (!legacy_disk_decrypt(&home, LEGACY_NEVER, &err))
		harness_fail("decrypting: %s", err.text);
	home.log = NULL;
	for (unsigned i = 0; i < 2; i++) {
		struct chain *const chain = &chains[1 + i];
		struct disk disk;

		chain->name = i == 0 ? "undoing from the leaves" : "undoing from the data";
		if (!stop_in(phases[i], &chain->from))
			harness_fail("%s: it never stopped there", chain->name);
		disk_clone(&chain->from, &disk);
		disk.log = &chain->log;
		if (!legacy_disk_go_on(&disk, CONVERT_ABORT, legacy_key, &err))
			harness_fail("%s: %s", chain->name, err.text);
		disk.log = NULL;
		if (i == 0)
			undone = disk;
		else if (first_other(&disk, &undone) != disk.n_pages)
			harness_fail("two aborts end differently");
	}
	for (unsigned i = 0; i < CHAINS; i++)
		printf("%u %s: %zu writes, %u flushes\n", i, chains[i].name, chains[i].log.n, chains[i].log.n_flushes);
	fflush(stdout);
}

static void read_key(const char *text)
{
	struct error err = { 0 };

	if (!secret_new(16, &legacy_key, &err) || !secret_random(16, &legacy_wrong_key, &err) || !hex_read(text, secret_bytes(legacy_key), 16))
		harness_fail("KEY has 32 hexadecimal digits");
}

static void export(const char *directory)
{
	const struct { const char *name; const struct disk *disk; } disks[] = {
		{ "home", &home }, { "undone", &undone }, { "in-leaves", &chains[1].from }, { "in-data", &chains[2].from },
	};

	for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s.img", directory, disks[i].name);
		disk_export(disks[i].disk, path);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "states", required_argument, NULL, 's' }, { "seed", required_argument, NULL, 'r' }, { "only", required_argument, NULL, 'o' },
		{ "export", required_argument, NULL, 'e' }, { 0 },
	};
	const char *only = NULL, *directory = NULL;
	unsigned states = 100, number, kind;
	struct error err = { 0 };
	uint64_t seed = 1;

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 's': states = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'r': seed = strtoull(optarg, NULL, 0); break;
		case 'o': only = optarg; break;
		case 'e': directory = optarg; break;
		default: harness_fail("usage: legacy [--states N] [--seed N] [--only CHAIN,KIND,WRITE,SEED] [--export DIRECTORY] IMAGE KEY SUBVOL");
		}
	}
	if (optind + 3 != argc || !secret_init(&err))
		harness_fail("IMAGE, KEY and SUBVOL are needed");
	disk_load(argv[optind], &start);
	read_key(argv[optind + 1]);
	legacy_set = argv[optind + 2];
	record();
	if (directory)
		export(directory);
	n_failures += legacy_judge_forged(&chains[2].from, &home);
	if (only) {
		struct cut cut;

		if (sscanf(only, "%u,%u,%zu,%" SCNx64, &number, &kind, &cut.at, &cut.seed) != 4 || number >= CHAINS || kind >= CUT_KINDS)
			harness_fail("--only CHAIN,KIND,WRITE,SEED");
		cut.kind = (enum cut_kind)kind;
		judge_cut(number, &cut, seed);
		return n_failures > 0;
	}
	for (unsigned i = 0; i < CHAINS; i++) {
		const size_t n = i == 0 ? states - 2 * (states / 4) : states / 4;
		struct rng rng = { seed + i };
		struct cut *const cuts = cuts_choose(&chains[i].log, n, &rng);

		for (size_t k = 0; k < n && n_failures < 20; k++)
			judge_cut(i, &cuts[k], seed);
		free(cuts);
	}
	printf("%u states (seed %#" PRIx64 "): %u unfinished, %u after a further power cut; %u decrypted, %u undone, %u from the beginning; %u came too late for what "
	       "was asked, %u without a record; %u failures\n", n_states, seed, n_unfinished, n_again, n_home, n_undone, n_untouched, n_late, n_lost, n_failures);
	return n_failures > 0 || n_states < states || n_unfinished == 0 || n_home == 0 || n_undone == 0 || n_late == 0 || n_lost == 0 || (n_no_ivs == 0 && states >= 100);
}
