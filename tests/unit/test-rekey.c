/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is sealed gets a new volume key: whole, cut off anywhere, gone on with and undone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "common/sealed/domain.h"
#include "common/sealed/inline-map.h"
#include "common/sealed/unit-map.h"
#include "tests/crash/cut.h"
#include "tests/crash/leak.h"
#include "tests/crash/run.h"
#include "tests/unit/image.h"

#define ok(call) do { \
	struct error ok_err = { 0 }, *const err = &ok_err; \
	if (!(call)) \
		fail_msg("%s:%d: %s", __func__, __LINE__, ok_err.text); \
} while (0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* `make torture` has more. */
#define N_CUTS (getenv("TORTURE") ? 300u : 4u)
#define EVERY (getenv("TORTURE") ? 1u : 3u)

static struct image image;
static struct keys before, after;
static struct members members;
static struct disk plain, sealed;
static struct content plain_content, sealed_content;
static struct leaks *leaks;
static unsigned n_stops;		/* how often a rekeying asks whether to */

static void is_as_sealed_before(struct disk *disk, const char *where)
{
	struct content content;

	/* A power cut before it began may have torn a mirror of the superblock. */
	ok(content_read(disk, &members, CONTENT_PLAIN | CONTENT_TORN, &content, err));

	const char *differs = content_compare(&sealed_content, &content);

	if (differs)
		fail_msg("%s: %s is not as before", where, differs);
	ok(run_verify(disk, &before, err));
}

static void is_rekeyed(struct disk *disk, const char *where)
{
	struct error why = { 0 };
	struct content content;
	struct disk opened;
	uint64_t at;

	if (!leaks_none(leaks, disk, &at))
		fail_msg("%s: plain text at %#llx", where, (unsigned long long)at);
	ok(run_verify(disk, &after, err));
	assert_false(run_verify(disk, &before, &why));
	assert_int_equal(why.kind, ERROR_KEY);
	disk_clone(disk, &opened);
	ok(run_decrypt(&opened, &after, NEVER, err));
	ok(content_read(&opened, &members, CONTENT_PLAIN, &content, err));

	const char *differs = content_compare(&plain_content, &content);

	if (differs)
		fail_msg("%s: %s is not as before sealing", where, differs);
	disk_free(&opened);
}

static void gets_a_new_key(void **state)
{
	struct disk disk;

	(void)state;
	disk_clone(&sealed, &disk);
	ok(run_rekey(&disk, &before, &after, CIPHER_CHACHA20_POLY1305, NEVER, err));
	n_stops = run_n_asked;
	is_rekeyed(&disk, "whole");
	disk_free(&disk);
}

/* Everything that a nonce was used for: U or I, and tags. */
struct used {
	uint8_t nonce[CRYPT_NONCE_SIZE];
	uint64_t what;
};

struct all_used {
	struct used at[4096];
	size_t n;
};

static void use(struct all_used *all, const uint8_t *nonce, const void *context, size_t context_len, const void *tags, size_t tags_len)
{
	struct used *used = &all->at[all->n++];

	assert_true(all->n < ARRAY_SIZE(all->at));
	memcpy(used->nonce, nonce, sizeof(used->nonce));
	used->what = XXH64(tags, tags_len, XXH64(context, context_len, 0));
}

static bool use_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	(void)place, (void)go, (void)err;
	use(context, unit->u.nonce, &unit->u, sizeof(unit->u), unit->tags, (size_t)unit->blocks * CRYPT_TAG_SIZE);
	return true;
}

static bool use_inline(void *context, const struct crypt_inline_unit *unit, uint64_t place, struct error *err)
{
	(void)place, (void)err;
	use(context, unit->disk.i.nonce, &unit->disk.i, sizeof(unit->disk.i), unit->disk.tag, sizeof(unit->disk.tag));
	return true;
}

static void use_all(struct disk *disk, struct all_used *all)
{
	cleanup_volume struct volume *volume = NULL;
	cleanup_unit_map struct unit_map *map = NULL;
	uint16_t *numbers;
	size_t n;

	ok(volume_open(disk_device(disk, false), NULL, &volume, err));
	ok(domain_numbers(volume, &numbers, &n, err));
	assert_int_equal(n, 1);
	ok(unit_map_read(volume, numbers[0], &map, err));
	ok(unit_map_visit_all(map, use_unit, all, err));
	ok(inline_visit_all(volume, numbers[0], use_inline, all, err));
	free(numbers);
}

/* Two copies of one unfinished rekeying go their ways: what was durable is the same in both, and no other nonce is in both. */
static void copies_share_no_nonce(void **state)
{
	static struct all_used one, two;
	size_t n_common = 0;
	struct disk stopped, copy[2];
	struct error why = { 0 };

	(void)state;
	disk_clone(&sealed, &stopped);
	assert_false(run_rekey(&stopped, &before, &after, 0, n_stops / 2, &why));
	assert_int_equal(why.kind, ERROR_STOPPED);
	for (unsigned i = 0; i < 2; i++) {
		disk_clone(&stopped, &copy[i]);
		ok(run_continue(&copy[i], CONVERT_RESUME, &after, false, NEVER, err));
		use_all(&copy[i], i == 0 ? &one : &two);
		disk_free(&copy[i]);
	}
	disk_free(&stopped);
	assert_int_equal(one.n, two.n);
	for (size_t i = 0; i < one.n; i++) {
		for (size_t j = 0; j < two.n; j++) {
			if (memcmp(one.at[i].nonce, two.at[j].nonce, CRYPT_NONCE_SIZE) != 0)
				continue;
			assert_int_equal(i, j);
			assert_true(one.at[i].what == two.at[j].what);
			n_common++;
		}
	}
	assert_true(n_common > 0 && n_common < one.n);
}

static void stops_and_goes_on_or_back(void **state)
{
	struct disk disk;

	(void)state;
	assert_true(n_stops > 3);
	for (unsigned stop = 0; stop < n_stops; stop += EVERY) {
		struct error why = { 0 };
		struct disk other;

		disk_clone(&sealed, &disk);
		assert_false(run_rekey(&disk, &before, &after, 0, stop, &why));
		if (why.kind != ERROR_STOPPED)
			fail_msg("stop %u: %s", stop, why.text);
		disk_clone(&disk, &other);
		assert_false(run_continue(&other, CONVERT_RESUME, &before, false, NEVER, &why));
		assert_int_equal(why.kind, ERROR_KEY);
		ok(run_continue(&other, CONVERT_RESUME, &after, false, NEVER, err));
		is_rekeyed(&other, "resumed");
		disk_free(&other);
		ok(run_continue(&disk, CONVERT_ABORT, &after, false, NEVER, err));
		is_as_sealed_before(&disk, "undone");
		disk_free(&disk);
	}
}

/* Goes on, or back, from a power cut; if again is not NULL, the power goes another time while it does so. */
static void settle(struct disk *disk, enum convert_goal goal, struct rng *again, const char *where)
{
	struct convert_status status;
	struct error why = { 0 };
	uint64_t at;

	if (!leaks_none(leaks, disk, &at))
		fail_msg("%s: plain text at %#llx", where, (unsigned long long)at);
	ok(run_status(disk, &after, false, &status, err));
	if (!status.unfinished) {
		if (run_verify(disk, &after, &why))
			is_rekeyed(disk, where);
		else
			is_as_sealed_before(disk, where);
		return;
	}
	if (again) {
		struct disk_log log = { 0 };
		struct disk copy, cut_off;

		disk_clone(disk, &copy);
		copy.log = &log;
		if (run_continue(&copy, goal, &after, false, NEVER, &why) && log.n > 0) {
			const struct cut cut = cut_any(&log, again);

			cut_apply(disk, &log, &cut, &cut_off);
			settle(&cut_off, rng_below(again, 2) ? CONVERT_ABORT : CONVERT_RESUME, NULL, where);
			disk_free(&cut_off);
		}
		disk_log_free(&log);
		disk_free(&copy);
	}
	why = (struct error){ 0 };
	if (run_continue(disk, goal, &after, false, NEVER, &why)) {
		/* If only the primary superblock is torn, there is nothing to go on with: it is written again. */
		if (goal == CONVERT_RESUME && status.state.operation != 0)
			is_rekeyed(disk, where);
		else if (run_verify(disk, &after, &why))
			is_rekeyed(disk, where);
		else
			is_as_sealed_before(disk, where);
		return;
	}
	/* Too late for one of the two. */
	if (why.kind != ERROR_REFUSED || (goal == CONVERT_ABORT ? !strstr(why.text, "nothing to undo") : !strstr(why.text, "is an abort")))
		fail_msg("%s, %s: %s", where, goal == CONVERT_ABORT ? "abort" : "resume", why.text);
	ok(run_continue(disk, goal == CONVERT_ABORT ? CONVERT_RESUME : CONVERT_ABORT, &after, false, NEVER, err));
	if (goal == CONVERT_ABORT)
		is_rekeyed(disk, where);
	else
		is_as_sealed_before(disk, where);
}

static void try_cuts(const struct disk *start, const struct disk_log *log, uint64_t seed, const char *what)
{
	struct rng rng = { seed };
	struct cut *cuts = cuts_choose(log, N_CUTS, &rng);

	for (unsigned i = 0; i < N_CUTS; i++) {
		char where[CUT_TEXT_SIZE + 64], text[CUT_TEXT_SIZE];
		struct disk disk, other;

		cut_text(&cuts[i], text);
		snprintf(where, sizeof(where), "%s, %s", what, text);
		cut_apply(start, log, &cuts[i], &disk);
		disk_clone(&disk, &other);
		settle(&other, CONVERT_ABORT, i % 3 == 0 ? &rng : NULL, where);
		disk_free(&other);
		settle(&disk, CONVERT_RESUME, i % 3 == 1 ? &rng : NULL, where);
		disk_free(&disk);
	}
	free(cuts);
}

static void survives_every_power_cut(void **state)
{
	struct disk_log log = { 0 };
	struct disk disk;

	(void)state;
	disk_clone(&sealed, &disk);
	disk.log = &log;
	ok(run_rekey(&disk, &before, &after, 0, NEVER, err));
	disk.log = NULL;
	try_cuts(&sealed, &log, 1, "rekeying");
	disk_log_free(&log);
	disk_free(&disk);
}

static void survives_every_power_cut_while_undone(void **state)
{
	struct disk_log log = { 0 };
	struct disk stopped, disk;
	struct error why = { 0 };

	(void)state;
	disk_clone(&sealed, &stopped);
	assert_false(run_rekey(&stopped, &before, &after, 0, n_stops - 1, &why));
	disk_clone(&stopped, &disk);
	disk.log = &log;
	ok(run_continue(&disk, CONVERT_ABORT, &after, false, NEVER, err));
	disk.log = NULL;
	try_cuts(&stopped, &log, 2, "undoing");
	disk_log_free(&log);
	disk_free(&disk);
	disk_free(&stopped);
}

static int make(void **state)
{
	(void)state;
	set_name = "/";
	image_make(&image, 114u << 20, "-m dup -d single -n 4096", 400);
	ok(secret_init(err));
	keys_new(&before);
	keys_new(&after);
	disk_load(image.path, &plain);
	disk_clone(&plain, &sealed);
	ok(run_encrypt(&sealed, &before, NEVER, &members, err));
	leaks = leaks_learn(&plain, &members);
	ok(content_read(&plain, &members, CONTENT_PLAIN, &plain_content, err));
	ok(content_read(&sealed, &members, CONTENT_PLAIN, &sealed_content, err));
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	leaks_free(leaks);
	keys_free(&before);
	keys_free(&after);
	disk_free(&sealed);
	disk_free(&plain);
	image_remove(&image);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gets_a_new_key),
		cmocka_unit_test(copies_share_no_nonce),
		cmocka_unit_test(stops_and_goes_on_or_back),
		cmocka_unit_test(survives_every_power_cut),
		cmocka_unit_test(survives_every_power_cut_while_undone),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
