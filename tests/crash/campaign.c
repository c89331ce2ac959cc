/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cuts the power while images are sealed and unsealed, and while that is undone, and judges what is left.
 * campaign [--states N] [--jobs N] [--seed N] [--export DIR] [--only CHAIN,KIND,WRITE,SEED] IMAGE...
 * The first image gets most of the states.  --only: that one power cut, as a failure names it (KIND: 0 prefix, 1 torn, 2 subset).
 * Exit 0: everything came right; 1: something did not; 2: it could not be tried.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/judge.h"

#define CHAINS_MAX 16
#define IMAGES_MAX 8
#define UNDONE 3	/* conversions undone from different points, in each direction */

/* One recorded run, and the disk it began with. */
struct chain {
	const struct measure *measure;
	const char *name;
	struct disk start;
	struct disk_log log;
	enum side before, after;
	unsigned weight;
	size_t n;	/* cuts */
	struct cut *cuts;
};

static struct {
	unsigned states, jobs;
	uint64_t seed;
	const char *export, *only;
} opt = { .states = 700, .jobs = 1, .seed = 1 };

static struct measure measures[IMAGES_MAX];
static struct chain chains[IMAGES_MAX * CHAINS_MAX];
static size_t n_chains;

/* --- recording ---------------------------------------------------------------------------------------- */

static struct chain *new_chain(const struct measure *measure, const struct disk *start, const char *name, enum side before, enum side after,
			       unsigned weight)
{
	struct chain *chain = &chains[n_chains++];

	*chain = (struct chain){ .measure = measure, .name = name, .before = before, .after = after, .weight = weight };
	disk_clone(start, &chain->start);
	return chain;
}

static struct disk *new_disk(const struct disk *from)
{
	struct disk *disk = malloc(sizeof(*disk));

	if (!disk)
		harness_fail("out of memory");
	disk_clone(from, disk);
	return disk;
}

static void must(bool ok, const char *what, const struct error *err)
{
	if (!ok)
		harness_fail("%s: %s", what, err->text);
}

/* The sealed disk of an uninterrupted run, and both runs as chains. */
static struct disk *record_both(const struct measure *measure, const struct disk *plain, unsigned weight)
{
	struct error err = { 0 };
	struct chain *encrypt = new_chain(measure, plain, "encrypting", SIDE_PLAIN, SIDE_SEALED, weight);
	struct disk *sealed = new_disk(plain), *opened;

	sealed->log = &encrypt->log;
	must(run_encrypt(sealed, &measure->keys, NEVER, NULL, &err), "encrypting", &err);
	sealed->log = NULL;

	struct chain *decrypt = new_chain(measure, sealed, "decrypting", SIDE_SEALED, SIDE_PLAIN, weight);

	opened = new_disk(sealed);
	opened->log = &decrypt->log;
	must(run_decrypt(opened, &measure->keys, NEVER, &err), "decrypting", &err);
	opened->log = NULL;
	return sealed;
}

static unsigned count_stops(const struct measure *measure, const struct disk *start, bool encrypting)
{
	for (unsigned stop = 0;; stop++) {
		struct error err = { 0 };
		struct disk disk;
		bool done;

		disk_clone(start, &disk);
		done = encrypting ? run_encrypt(&disk, &measure->keys, stop, NULL, &err) : run_decrypt(&disk, &measure->keys, stop, &err);
		disk_free(&disk);
		if (done)
			return stop;
		if (err.kind != ERROR_STOPPED)
			harness_fail("stopping: %s", err.text);
	}
}

/* Stopped early, in the middle and late, then undone: only the undoing is recorded. */
static void record_undone(const struct measure *measure, const struct disk *start, bool encrypting, unsigned weight)
{
	const unsigned n = count_stops(measure, start, encrypting);
	const enum side back = encrypting ? SIDE_PLAIN : SIDE_SEALED;

	for (unsigned i = 0; i < UNDONE; i++) {
		const unsigned stop = i == 0 ? 0 : i == 1 ? n / 2 : n - 1;
		struct error err = { 0 };
		struct disk *stopped = new_disk(start), *undone;
		struct chain *chain;

		if ((encrypting ? run_encrypt(stopped, &measure->keys, stop, NULL, &err) : run_decrypt(stopped, &measure->keys, stop, &err)) ||
		    err.kind != ERROR_STOPPED)
			harness_fail("stopping at step %u: %s", stop, err.text);
		chain = new_chain(measure, stopped, encrypting ? "undoing an encryption" : "undoing a decryption", back, back, weight);
		undone = new_disk(stopped);
		undone->log = &chain->log;
		must(run_continue(undone, CONVERT_ABORT, &measure->keys, false, NEVER, &err), "undoing", &err);
		undone->log = NULL;
	}
}

static void measure_image(struct measure *measure, const char *path, unsigned share)
{
	struct disk *plain = malloc(sizeof(*plain)), *sealed;
	struct error err = { 0 };
	char *name = strdup(strrchr(path, '/') ? strrchr(path, '/') + 1 : path);

	if (!plain || !name)
		harness_fail("out of memory");
	if (strrchr(name, '.'))
		*strrchr(name, '.') = 0;
	measure->image = name;
	keys_new(&measure->keys);
	disk_load(path, plain);

	struct disk trial;

	disk_clone(plain, &trial);
	must(run_encrypt(&trial, &measure->keys, NEVER, &measure->members, &err), "encrypting", &err);
	must(content_read(&trial, &measure->members, true, &measure->sealed, &err), "reading the sealed disk", &err);
	disk_free(&trial);
	must(content_read(plain, &measure->members, false, &measure->plain, &err), "reading the plain disk", &err);
	measure->leaks = leaks_learn(plain, &measure->members);

	sealed = record_both(measure, plain, 3 * share);
	record_undone(measure, plain, true, share);
	record_undone(measure, sealed, false, share);
}

/* --- judging ------------------------------------------------------------------------------------------ */

static void share_out(void)
{
	struct rng rng = { opt.seed };
	unsigned weight = 0;

	for (size_t i = 0; i < n_chains; i++)
		weight += chains[i].weight;
	for (size_t i = 0; i < n_chains; i++) {
		struct chain *chain = &chains[i];

		/* One in five has a second power cut. */
		chain->n = weight ? (size_t)opt.states * chain->weight * 5 / 6 / weight + 1 : 1;
		if (chain->measure->keys.by_passphrase)
			chain->n = opt.states / 150 + 2;
		chain->cuts = cuts_choose(&chain->log, chain->n, &rng);
	}
}

static void usage(void)
{
	harness_fail("usage: campaign [--states N] [--jobs N] [--seed N] [--export DIR] [--only CHAIN,KIND,WRITE,SEED] IMAGE...");
}

/* All but one cut go. */
static void keep_only(const char *which)
{
	unsigned chain, kind;
	size_t at;
	uint64_t seed;

	if (sscanf(which, "%u,%u,%zu,%" SCNi64, &chain, &kind, &at, (int64_t *)&seed) != 4 || chain >= n_chains || kind >= CUT_KINDS ||
	    at > chains[chain].log.n)
		usage();
	for (size_t i = 0; i < n_chains; i++)
		chains[i].n = i == chain;
	chains[chain].cuts[0] = (struct cut){ (enum cut_kind)kind, at, seed };
	opt.states = 1;
}

static void judge_cut(const struct chain *chain, size_t i, struct tally *tally)
{
	const bool slow = chain->measure->keys.by_passphrase;
	struct judge judge = {
		.measure = chain->measure,
		.tally = tally,
		.rng = { opt.seed ^ chain->cuts[i].seed },
		.again_percent = slow ? 0 : 12,
		.export = opt.export,
	};
	char text[CUT_TEXT_SIZE];
	struct disk disk;

	cut_text(&chain->cuts[i], text);
	snprintf(judge.where, sizeof(judge.where), "%zu %s, %s", (size_t)(chain - chains), chain->name, text);
	cut_apply(&chain->start, &chain->log, &chain->cuts[i], &disk);
	judge_state(&judge, &disk, chain->before, chain->after);
	disk_free(&disk);
}

static void work(unsigned worker, struct tally *tally)
{
	size_t number = 0;

	for (size_t c = 0; c < n_chains; c++) {
		for (size_t i = 0; i < chains[c].n; i++) {
			if (number++ % opt.jobs == worker && tally->n_failures < 20)
				judge_cut(&chains[c], i, tally);
		}
	}
}

static bool run_workers(struct tally *tally)
{
	bool ok = true;

	for (unsigned i = 0; i < opt.jobs; i++) {
		const pid_t pid = fork();

		if (pid < 0)
			harness_fail("cannot fork");
		if (pid == 0) {
			work(i, tally);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < opt.jobs; i++) {
		int status;

		if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
			ok = false;
	}
	return ok;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "states", required_argument, NULL, 's' }, { "jobs", required_argument, NULL, 'j' },
		{ "seed", required_argument, NULL, 'r' }, { "export", required_argument, NULL, 'e' },
		{ "only", required_argument, NULL, 'o' }, { 0 },
	};

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 's': opt.states = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'j': opt.jobs = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'r': opt.seed = strtoull(optarg, NULL, 0); break;
		case 'e': opt.export = optarg; break;
		case 'o': opt.only = optarg; break;
		default: usage();
		}
	}
	if (optind == argc || argc - optind >= IMAGES_MAX || opt.jobs == 0)
		usage();
}

/* Once per direction a passphrase instead of the volume key. */
static void record_by_passphrase(const char *path)
{
	struct measure *measure = &measures[IMAGES_MAX - 1];
	struct disk *plain = malloc(sizeof(*plain));

	if (!plain)
		harness_fail("out of memory");
	*measure = measures[0];
	measure->keys.by_passphrase = true;
	disk_load(path, plain);
	record_both(measure, plain, 0);
}

int main(int argc, char **argv)
{
	struct tally *tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct error err = { 0 };
	bool ok;

	if (tally == MAP_FAILED || !secret_init(&err))
		harness_fail("%s", err.text);
	parse(argc, argv);
	for (int i = optind; i < argc; i++)
		measure_image(&measures[i - optind], argv[i], i == optind ? 4 : 1);
	record_by_passphrase(argv[optind]);
	share_out();
	if (opt.only)
		keep_only(opt.only);
	for (size_t i = 0; i < n_chains; i++)
		printf("%2zu %s: %s%s: %zu writes, %u flushes, %zu power cuts\n", i, chains[i].measure->image, chains[i].name,
		       chains[i].measure->keys.by_passphrase ? " with a passphrase" : "", chains[i].log.n, chains[i].log.n_flushes, chains[i].n);
	fflush(stdout);
	ok = run_workers(tally);
	printf("%u states (seed %#" PRIx64 "): %u unfinished, %u after a second power cut; %u resumed, %u undone, %u refused; "
	       "%u results sealed, %u plain; %u failures\n", tally->n_states, opt.seed, tally->n_unfinished, tally->n_again, tally->n_resumed,
	       tally->n_undone, tally->n_refused, tally->n_sealed, tally->n_plain, tally->n_failures);
	if (!ok)
		harness_fail("a part of the campaign died");
	return tally->n_failures > 0 || tally->n_states < opt.states * 9 / 10;
}
