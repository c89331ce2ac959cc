/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cuts the power while images are sealed and unsealed, and while that is undone, and judges what is left.
 * campaign [--states N] [--jobs N] [--seed N] [--export DIR] [--only CHAIN,KIND,WRITE,SEED [--repeat N]]
 *          [--copying IMAGE] [--used IMAGE --key FILE] [--degraded] [--bad CHAIN,KIND,AT,SEED,CUT] IMAGE...
 * The first image gets most of the states.  --only: that one power cut, as a failure names it (KIND: 0 prefix, 1 torn, 2 subset, 3 mirrors).
 * Beside the power cuts, two fifths as many whole runs are on a device that loses or changes a write, or fails one or a flush; --bad: that one.
 * --copying: an image whose set shares with others, and gets copies.
 * --degraded: of several devices one is often lost with the power.
 * --used: a sealed image that a kernel has used since, with its volume key.
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

#include "tests/crash/bad-device.h"

#define STATES_FOR_ALL 500u	/* power cuts */
#define FAILURES_MAX 20	/* then it is clear enough */

static struct {
	unsigned states, jobs, repeat;
	uint64_t seed;
	const char *export, *only, *bad, *copying, *used, *key;
	bool degraded;
} opt = { .states = 700, .jobs = 1, .repeat = 1, .seed = 1 };

static struct chains chains;
static struct cut *cuts[CHAINS_MAX];
static size_t n_cuts[CHAINS_MAX];
static struct bad_device *bad_devices[CHAINS_MAX];
static size_t n_bad_devices[CHAINS_MAX];

/* --- judging ------------------------------------------------------------------------------------------ */

/* Among the chains of rekeyings, or among all others. */
static void share_out_among(bool rekeys, unsigned states)
{
	struct rng rng = { opt.seed };
	unsigned weight = 0;

	for (size_t i = 0; i < chains.n; i++)
		weight += chains.at[i].measure->rekeys == rekeys ? chains.at[i].weight : 0;
	for (size_t i = 0; i < chains.n; i++) {
		const struct chain *chain = &chains.at[i];

		if (chain->measure->rekeys != rekeys)
			continue;
		/* About one in six comes from a second power cut. */
		n_cuts[i] = (size_t)states * chain->weight * 5 / 6 / weight + 1;
		cuts[i] = cuts_choose(&chain->log, n_cuts[i], &rng);
		n_bad_devices[i] = (size_t)states * chain->weight * 2 / 5 / weight + 1;
		bad_devices[i] = calloc(n_bad_devices[i] + 1, sizeof(struct bad_device));
		if (!bad_devices[i])
			harness_fail("out of memory");
		for (size_t j = 0; j < n_bad_devices[i]; j++)
			bad_devices[i][j] = bad_device_any(chain, &rng);
	}
}

/* A seventh as many for rekeyings come on top. */
static void share_out(void)
{
	share_out_among(false, opt.states);
	share_out_among(true, opt.states / 7);
}

static void usage(void)
{
	harness_fail("usage: campaign [--states N] [--jobs N] [--seed N] [--export DIR] "
		     "[--only CHAIN,KIND,WRITE,SEED [--repeat N]] [--copying IMAGE] [--used IMAGE --key FILE] [--bad CHAIN,KIND,AT,SEED,CUT] IMAGE...");
}

/* All but one cut go. */
static void keep_only(const char *which)
{
	unsigned chain, kind;
	size_t at;
	uint64_t seed;

	if (sscanf(which, "%u,%u,%zu,%" SCNx64, &chain, &kind, &at, &seed) != 4 || chain >= chains.n || kind >= CUT_KINDS ||
	    at > chains.at[chain].log.n)
		usage();
	for (size_t i = 0; i < chains.n; i++) {
		n_cuts[i] = i == chain ? opt.repeat : 0;
		n_bad_devices[i] = 0;
	}
	cuts[chain] = calloc(opt.repeat, sizeof(struct cut));
	if (!cuts[chain])
		harness_fail("out of memory");
	for (unsigned i = 0; i < opt.repeat; i++)
		cuts[chain][i] = (struct cut){ (enum cut_kind)kind, at, seed };
	opt.states = opt.repeat;
}

static void keep_bad(const char *which)
{
	unsigned chain, kind, cut;
	struct bad_device bad = { 0 };

	if (sscanf(which, "%u,%u,%zu,%" SCNx64 ",%u", &chain, &kind, &bad.at, &bad.seed, &cut) != 5 || chain >= chains.n || kind >= FAULT_KINDS)
		usage();
	bad.kind = (enum fault_kind)kind;
	bad.cut = cut;
	for (size_t i = 0; i < chains.n; i++)
		n_cuts[i] = n_bad_devices[i] = 0;
	bad_devices[chain][0] = bad;
	n_bad_devices[chain] = 1;
	opt.states = 0;
}

static struct judge judge_of(const struct chain *chain, uint64_t seed, struct tally *tally)
{
	return (struct judge){
		.measure = chain->measure,
		.tally = tally,
		.rng = { opt.seed ^ seed },
		.resealed = chain->resealed,
		.export = opt.export,
		.loses_devices = opt.degraded,
	};
}

static void judge_bad(size_t number, const struct bad_device *bad, struct tally *tally)
{
	struct judge judge = judge_of(&chains.at[number], bad->seed, tally);
	char text[BAD_DEVICE_TEXT_SIZE];

	bad_device_text(bad, text);
	snprintf(judge.where, sizeof(judge.where), "%zu %s, %s [--bad %zu,%u,%zu,%" PRIx64 ",%u]", number, chains.at[number].name, text, number,
		 bad->kind, bad->at, bad->seed, bad->cut);
	judge.loses_devices = false;	/* what it lost may have been the only copy */
	__atomic_add_fetch(&tally->n_bad, 1, __ATOMIC_RELAXED);
	bad_device_judge(&chains.at[number], bad, &judge);
}

static void judge_cut(size_t number, const struct cut *cut, struct tally *tally)
{
	const struct chain *chain = &chains.at[number];
	struct judge judge = judge_of(chain, cut->seed, tally);
	char text[CUT_TEXT_SIZE];
	struct disk disk;

	cut_text(cut, text);
	snprintf(judge.where, sizeof(judge.where), "%zu %s, %s", number, chain->name, text);
	cut_apply(&chain->start, &chain->log, cut, &disk);
	judge_state(&judge, &disk, chain->before, chain->after);
	disk_free(&disk);
}

static void work(unsigned worker, struct tally *tally)
{
	size_t number = 0;

	for (size_t c = 0; c < chains.n; c++) {
		for (size_t i = 0; i < n_cuts[c]; i++) {
			if (number++ % opt.jobs == worker && tally->n_failures < FAILURES_MAX)
				judge_cut(c, &cuts[c][i], tally);
		}
		for (size_t i = 0; i < n_bad_devices[c]; i++) {
			if (number++ % opt.jobs == worker && tally->n_failures < FAILURES_MAX)
				judge_bad(c, &bad_devices[c][i], tally);
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
		{ "only", required_argument, NULL, 'o' }, { "used", required_argument, NULL, 'u' },
		{ "key", required_argument, NULL, 'k' }, { "bad", required_argument, NULL, 'b' },
		{ "repeat", required_argument, NULL, 'n' }, { "copying", required_argument, NULL, 'c' }, { "degraded", no_argument, NULL, 'd' }, { 0 },
	};

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 's': opt.states = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'j': opt.jobs = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'r': opt.seed = strtoull(optarg, NULL, 0); break;
		case 'e': opt.export = optarg; break;
		case 'o': opt.only = optarg; break;
		case 'u': opt.used = optarg; break;
		case 'c': opt.copying = optarg; break;
		case 'b': opt.bad = optarg; break;
		case 'k': opt.key = optarg; break;
		case 'd': opt.degraded = true; break;
		case 'n': opt.repeat = (unsigned)strtoul(optarg, NULL, 0); break;
		default: usage();
		}
	}
	if (optind == argc || opt.jobs == 0 || !opt.used != !opt.key)
		usage();
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
		record_image(&chains, argv[i], i == optind ? 4 : 1);
	record_by_passphrase(&chains, argv[optind]);
	if (opt.copying)
		record_copying(&chains, opt.copying, 2);
	if (opt.used)
		record_used(&chains, opt.used, opt.key, 1);
	share_out();
	if (opt.only)
		keep_only(opt.only);
	if (opt.bad)
		keep_bad(opt.bad);
	for (size_t i = 0; i < chains.n; i++)
		printf("%2zu %s: %s: %zu writes, %u flushes, %zu power cuts, %zu runs on a bad device\n", i, chains.at[i].measure->image, chains.at[i].name,
		       chains.at[i].log.n, chains.at[i].log.n_flushes, n_cuts[i], n_bad_devices[i]);
	fflush(stdout);
	ok = run_workers(tally);
	printf("%u power cuts on the way to plain text, %u on the way to a sealed set; a sector of data lost, and said so: %u times\n",
	       tally->n_towards[SIDE_PLAIN], tally->n_towards[SIDE_SEALED] + tally->n_towards[SIDE_OLD], tally->n_lost);
	printf("%u states (seed %#" PRIx64 "): %u unfinished (%u within the index), %u after a second power cut; %u runs on a bad device; %u resumed, %u undone, %u refused; "
	       "%u results sealed, %u plain; %u times a device was lost as well; %u failures\n", tally->n_states, opt.seed, tally->n_unfinished, tally->n_in_index, tally->n_again,
	       tally->n_bad, tally->n_resumed,
	       tally->n_undone, tally->n_refused, tally->n_sealed, tally->n_plain, tally->n_degraded, tally->n_failures);
	if (!ok)
		harness_fail("a part of the campaign died");
	/* With so many, each phase has its share. */
	if (!opt.only && opt.states >= STATES_FOR_ALL && tally->n_in_index == 0)
		harness_fail("no power cut was within the index");
	return tally->n_failures > 0 || tally->n_states < opt.states;
}
