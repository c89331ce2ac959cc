/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keys [--states N] [--seed N] [--only CHANGE,KIND,WRITE,SEED] IMAGE: power cuts while key slots of a sealed set are added, replaced, removed,
 * wrapped again and restored. From each state one goes on or back with a key of either set, the power may go once more, and in the end the slots must
 * be the old ones or the new ones, whichever was asked for, those that are gone nowhere on the disk, and the sealed set as it was.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/recovery-key.h"
#include "tests/crash/cut.h"
#include "tests/crash/key-run.h"
#include "tests/crash/oracle.h"

#define AGAIN_PERCENT 30	/* of the states, in which the power goes a second time */
#define VERIFY_PERCENT 8

enum { ALICE, BOB, RECOVERY, SECRETS };
static struct secret *secret[SECRETS], *typed;	/* typed: the recovery key as one writes it */
static struct keys keys;

/* Slots by the secrets that open them; the same secret again may mean another slot for it. */
static const struct way {
	const char *name;
	unsigned before, after;		/* bits of secrets */
	unsigned rewrap;		/* bits of those that get a new slot */
	bool wipe, wipe_free, restore;	/* restore: from a header backup that was made when the slots were those of `after` */
} ways[] = {
	{ "add", 1u << ALICE, 1u << ALICE | 1u << BOB, 0, false, false, false },
	{ "change", 1u << ALICE, 1u << BOB, 0, true, false, false },
	{ "remove", 1u << ALICE | 1u << BOB, 1u << BOB, 0, true, false, false },
	{ "recovery", 1u << BOB, 1u << BOB | 1u << RECOVERY, 0, false, false, false },
	{ "label", 1u << ALICE | 1u << BOB, 1u << ALICE | 1u << BOB, 1u << BOB, true, false, false },
	{ "remove the last one", 1u << ALICE, 0, 0, true, false, false },
	{ "remove --wipe-free", 1u << ALICE | 1u << RECOVERY, 1u << RECOVERY, 0, true, true, false },
	{ "restore", 1u << BOB | 1u << RECOVERY, 1u << ALICE, 0, true, false, true },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

struct chain {
	const struct way *way;
	struct disk start;
	struct disk_log log;
	struct slots before, after;
};

static struct chain chains[WAYS];
static unsigned n_states, n_unfinished, n_again, n_old, n_new, n_late, n_failures;
static char where[256];

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

/* --- recording ------------------------------------------------------------------------------------------------------ */

static void make_slots(struct disk *disk, unsigned secrets, unsigned rewrap, const struct slots *old, struct slots *slots)
{
	size_t k = 0;

	slots->n = 0;
	for (unsigned i = 0; i < SECRETS; i++) {
		const enum crypt_slot_type type = i == RECOVERY ? SLOT_RECOVERY : SLOT_PASSPHRASE;

		if (!(secrets & 1u << i))
			continue;
		while (old && k < old->n && le16(old->at[k].header.number) < i)
			k++;
		slots->at[slots->n++] = old && k < old->n && le16(old->at[k].header.number) == i && !(rewrap & 1u << i) ?
						old->at[k] : key_run_slot(disk, &keys, secret[i], type, i);
	}
}

static void record(struct chain *chain, const struct disk *sealed, const struct way *way)
{
	const struct convert_ui ui = { .wipe_free = way->wipe_free };
	cleanup_header_backup struct header_backup *backup = NULL;
	struct error err = { 0 };
	struct disk disk;

	chain->way = way;
	disk_clone(sealed, &chain->start);
	if (way->restore) {
		make_slots(&chain->start, way->after, 0, NULL, &chain->after);
		if (!key_run_change(&chain->start, &keys, &chain->after, true, NULL, &err))
			harness_fail("%s: %s", way->name, err.text);
		backup = key_run_backup(&chain->start, false);
	}
	make_slots(&chain->start, way->before, 0, NULL, &chain->before);
	if (!key_run_change(&chain->start, &keys, &chain->before, true, NULL, &err))
		harness_fail("%s: %s", way->name, err.text);
	disk_clone(&chain->start, &disk);
	if (!way->restore)
		make_slots(&disk, way->after, way->rewrap, &chain->before, &chain->after);
	disk.log = &chain->log;
	if (!(backup ? key_run_restore(&disk, &keys, backup, &err) : key_run_change(&disk, &keys, &chain->after, way->wipe, &ui, &err)))
		harness_fail("%s: %s", way->name, err.text);
	disk.log = NULL;
	disk_free(&disk);
}

/* --- judging -------------------------------------------------------------------------------------------------------- */

/* One of these secrets, or the volume key. */
static struct key_source any_key(unsigned allowed, struct rng *rng)
{
	const unsigned which = (unsigned)rng_below(rng, SECRETS + 1);

	for (unsigned i = 0; i < SECRETS; i++) {
		const unsigned at = (which + i) % SECRETS;

		if (which < SECRETS && allowed & 1u << at)
			return at == RECOVERY ? (struct key_source){ .secret = typed, .recovery = secret[at], .slot = KEY_SLOT_ANY } :
						(struct key_source){ .secret = secret[at], .slot = KEY_SLOT_ANY };
	}
	return (struct key_source){ .volume_key = keys.volume_key, .slot = KEY_SLOT_ANY };
}

static bool go_on(struct disk *disk, enum convert_goal goal, const struct key_source *key, struct error *err)
{
	const struct volume_options options = { .unfinished = true };
	cleanup_volume struct volume *volume = NULL;
	struct convert_plan plan = { 0 };

	return volume_open(disk_device(disk, true), &options, &volume, err) && convert_continue(volume, goal, key, NULL, &plan, err);
}

static bool gone(const struct disk *disk, const struct slots *left, const struct slots *lost)
{
	for (size_t i = 0; i < lost->n; i++) {
		bool stays = false;

		for (size_t k = 0; k < left->n; k++)
			stays |= memcmp(&left->at[k], &lost->at[i], sizeof(left->at[k])) == 0;
		if (!stays && disk_has_slot(disk, &lost->at[i]))
			return bad("slot %u is still on the disk", le16(lost->at[i].header.number));
	}
	return true;
}

/* begun: it was gone on with, so nothing may be left of the other side. */
static bool judge_end(const struct chain *chain, struct disk *disk, bool begun, bool want_new, bool want_old, struct rng *rng)
{
	struct slots now;
	struct error err = { 0 };

	key_run_slots(disk, &now);

	const bool is_new = slots_same(&now, &chain->after), is_old = slots_same(&now, &chain->before);

	if (!is_new && !is_old)
		return bad("%zu key slots, neither the old nor the new ones", now.n);
	if (want_new && !is_new)
		return bad("the old key slots, and they should be the new ones");
	if (want_old && !is_old)
		return bad("the new key slots, and they should be the old ones");
	*(is_new ? &n_new : &n_old) += 1;
	if (begun && !gone(disk, is_new ? &chain->after : &chain->before, is_new ? &chain->before : &chain->after))
		return false;
	return rng_below(rng, 100) >= VERIFY_PERCENT || run_verify(disk, &keys, &err) || bad("verify: %s", err.text);
}

static bool judge(const struct chain *chain, struct disk *disk, bool again, struct rng *rng);

static bool judge_again(const struct chain *chain, const struct disk *disk, const struct disk_log *log, struct rng *rng)
{
	const struct cut cut = cut_any(log, rng);
	char text[CUT_TEXT_SIZE];
	struct disk twice;
	bool ok;

	cut_text(&cut, text);
	snprintf(where + strlen(where), sizeof(where) - strlen(where), ", then %.60s", text);
	cut_apply(disk, log, &cut, &twice);
	n_again++;
	ok = judge(chain, &twice, true, rng);
	disk_free(&twice);
	return ok;
}

/* verdict: of the specification alone */
static bool judge_unfinished(const struct chain *chain, const struct disk *disk, const struct verdict *verdict, bool again, struct rng *rng)
{
	const bool forward = verdict->direction == CRYPT_TO_SEALED;
	enum convert_goal goal = rng_below(rng, 2) ? CONVERT_ABORT : CONVERT_RESUME;
	/* Once the copies are wiped, only the slots of the root tree open it. */
	const unsigned allowed = verdict->phase < CRYPT_PHASE_FINISHED ? chain->way->before | chain->way->after :
				 forward ? chain->way->after : chain->way->before;
	const struct key_source key = any_key(allowed, rng);
	struct disk_log log = { 0 };
	struct error err = { 0 };
	struct disk tried;
	bool ok;

	disk_clone(disk, &tried);
	tried.log = &log;
	ok = go_on(&tried, goal, &key, &err);
	if (!ok && err.kind == ERROR_REFUSED && (forward ? goal == CONVERT_ABORT && verdict->phase >= CRYPT_PHASE_FINISH : goal == CONVERT_RESUME) &&
	    tried.n_writes == 0) {
		n_late++;
		goal = goal == CONVERT_ABORT ? CONVERT_RESUME : CONVERT_ABORT;
		ok = go_on(&tried, goal, &key, &err);
	}
	tried.log = NULL;
	if (!ok)
		bad("%s: status %d: %s", goal == CONVERT_ABORT ? "abort" : "resume", err.kind, err.text);
	ok = ok && judge_end(chain, &tried, true, goal == CONVERT_RESUME, goal == CONVERT_ABORT, rng);
	disk_free(&tried);
	if (ok && !again && rng_below(rng, 100) < AGAIN_PERCENT)
		ok = judge_again(chain, disk, &log, rng);
	disk_log_free(&log);
	return ok;
}

static bool judge(const struct chain *chain, struct disk *disk, bool again, struct rng *rng)
{
	struct verdict verdict;
	struct error err = { 0 };
	const struct key_source key = { .volume_key = keys.volume_key, .slot = KEY_SLOT_ANY };

	if (!oracle_judge(disk, &keys, &verdict, &err))
		return bad("%s", err.text);
	if (verdict.unfinished && !verdict.restorable) {
		n_unfinished++;
		return judge_unfinished(chain, disk, &verdict, again, rng);
	}
	if (verdict.restorable && !go_on(disk, CONVERT_RESUME, &key, &err))
		return bad("writing the primary superblock again: status %d: %s", err.kind, err.text);
	return judge_end(chain, disk, false, false, false, rng);
}

static void judge_cut(unsigned number, const struct cut *cut, uint64_t seed)
{
	const struct chain *chain = &chains[number];
	struct rng rng = { seed ^ cut->seed };
	char text[CUT_TEXT_SIZE];
	struct disk disk;

	cut_text(cut, text);
	snprintf(where, sizeof(where), "%s, %s [--only %u,%u,%zu,%" PRIx64 "]", chain->way->name, text, number, cut->kind, cut->at, cut->seed);
	cut_apply(&chain->start, &chain->log, cut, &disk);
	judge(chain, &disk, false, &rng);
	disk_free(&disk);
	n_states++;
}

/* --- what had ended is put back ---------------------------------------------------------------------------------------- */

static void copy_range(const struct disk *from, struct disk *to, uint64_t at, uint64_t len)
{
	uint8_t *bytes = malloc(len);

	if (!bytes)
		harness_fail("out of memory");
	disk_read(from, at, bytes, len);
	disk_write(to, at, bytes, len);
	free(bytes);
}

/* How many writes there are until all superblocks have the state: key copies, record, new blocks, superblocks. */
static size_t n_until_state(const struct disk_log *log)
{
	size_t n = 0;

	while (n < log->n && log->write[n].at != superblock_offset(0))
		n++;
	return n + 1;
}

/*
 * The change of key slots ends, and another subvolume is sealed. Then somebody puts back what was on the disk while the change was unfinished:
 * whoever goes on with it would take away what the other one needs.
 */
static void judge_put_back(const struct chain *chain)
{
	const struct key_source key = { .volume_key = keys.volume_key, .slot = KEY_SLOT_ANY };
	const struct cut cut = { .kind = CUT_PREFIX, .at = chain->log.n }, middle = { .kind = CUT_PREFIX, .at = n_until_state(&chain->log) };
	struct disk ended, stopped, disk;
	struct error err = { 0 };

	snprintf(where, sizeof(where), "%s, put back after another subvolume was sealed", chain->way->name);
	cut_apply(&chain->start, &chain->log, &cut, &ended);
	set_name = "other";
	if (!run_encrypt(&ended, &keys, NEVER, NULL, &err))
		harness_fail("other: %s", err.text);
	cut_apply(&chain->start, &chain->log, &middle, &stopped);
	disk_clone(&ended, &disk);
	for (size_t i = 0; i < middle.at; i++)
		copy_range(&stopped, &disk, chain->log.write[i].at, chain->log.write[i].len);
	for (int goal = CONVERT_RESUME; goal <= CONVERT_ABORT; goal += CONVERT_ABORT - CONVERT_RESUME) {
		const uint64_t n_writes = disk.n_writes;

		if (go_on(&disk, (enum convert_goal)goal, &key, &err))
			bad("goes on");
		else if (err.kind != ERROR_STATE || !strstr(err.text, "older than the header of sealing 2"))
			bad("status %d: %s", err.kind, err.text);
		else if (disk.n_writes != n_writes)
			bad("is refused, and writes");
	}
	set_name = "target";
	disk_free(&disk);
	disk_free(&stopped);
	disk_free(&ended);
}

static void prepare(const char *path)
{
	static struct disk plain, sealed;
	struct error err = { 0 };

	keys_new(&keys);
	for (unsigned i = 0; i < SECRETS; i++) {
		if (!secret_random(CRYPT_RECOVERY_SIZE, &secret[i], &err))
			harness_fail("%s", err.text);
	}
	if (!recovery_key_text(secret[RECOVERY], &typed, &err))
		harness_fail("%s", err.text);
	disk_load(path, &plain);
	disk_clone(&plain, &sealed);
	if (!run_encrypt(&sealed, &keys, NEVER, NULL, &err))
		harness_fail("%s", err.text);
	for (unsigned i = 0; i < WAYS; i++) {
		record(&chains[i], &sealed, &ways[i]);
		printf("%u %s: %zu writes, %u flushes\n", i, ways[i].name, chains[i].log.n, chains[i].log.n_flushes);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "states", required_argument, NULL, 's' }, { "seed", required_argument, NULL, 'r' }, { "only", required_argument, NULL, 'o' }, { 0 },
	};
	unsigned states = 100, only_way, only_kind;
	const char *only = NULL;
	struct error err = { 0 };
	uint64_t seed = 1;

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 's': states = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'r': seed = strtoull(optarg, NULL, 0); break;
		case 'o': only = optarg; break;
		default: harness_fail("usage: keys [--states N] [--seed N] [--only CHANGE,KIND,WRITE,SEED] IMAGE");
		}
	}
	if (optind + 1 != argc || !secret_init(&err))
		harness_fail("one IMAGE is needed");
	prepare(argv[optind]);
	if (only) {
		struct cut cut;

		if (sscanf(only, "%u,%u,%zu,%" SCNx64, &only_way, &only_kind, &cut.at, &cut.seed) != 4 || only_way >= WAYS || only_kind >= CUT_KINDS)
			harness_fail("--only CHANGE,KIND,WRITE,SEED");
		cut.kind = (enum cut_kind)only_kind;
		judge_cut(only_way, &cut, seed);
		return n_failures > 0;
	}
	for (unsigned i = 0; i < WAYS; i++) {
		const size_t n = states / WAYS + (i < states % WAYS);
		struct rng rng = { seed + i };
		struct cut *cuts = cuts_choose(&chains[i].log, n, &rng);

		for (size_t k = 0; k < n && n_failures < 20; k++)
			judge_cut(i, &cuts[k], seed);
		free(cuts);
	}
	for (unsigned i = 0; i < WAYS; i += 3)
		judge_put_back(&chains[i]);
	printf("%u states (seed %#" PRIx64 "): %u unfinished, %u after a second power cut; %u with the new key slots, %u with the old ones; %u came too late for "
	       "what was asked; %u failures\n", n_states, seed, n_unfinished, n_again, n_new, n_old, n_late, n_failures);
	return n_failures > 0 || n_states < states || n_unfinished == 0 || n_new == 0 || n_old == 0;
}
