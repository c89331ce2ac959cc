/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The search for plain text: which bytes get fingerprints, and that little memory finds the same as much. */
#include "common/audit/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/audit/needles.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

#define N_FILES 40u
#define IMAGE_BYTES (120ull << 20)

static struct image image;
static struct secret *key;

/* --- fingerprints -------------------------------------------------------------------------------------------------- */

/* Position tagged, so that no part is like another. */
static void fill(uint8_t *bytes, size_t len, unsigned seed)
{
	uint64_t x = seed + 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		bytes[i] = (uint8_t)(x >> 56);
	}
}

/* Is a fingerprint of text met, somewhere in [0, end) of the bytes, behind which there are 16 more? */
static bool is_met(const struct needles *needles, const uint8_t *bytes, size_t end, uint32_t text)
{
	uint64_t hash;

	for (const uint8_t *at = bytes; (at = needles_next(needles, at, bytes + end, &hash)) < bytes + end; at++) {
		const struct needle *const needle = needles_find(needles, hash);

		if (needle && needle->text == text + 1)
			return true;
	}
	return false;
}

static void finds_a_block_at_any_offset(void **state)
{
	uint8_t block[NEEDLE_BLOCK], other[3 * NEEDLE_BLOCK] = { 0 };
	struct needles needles;

	(void)state;
	ok(needles_new(100, 0, &needles, err));
	fill(block, sizeof(block), 1);
	fill(other, sizeof(other), 2);
	assert_true(needles_add_block(&needles, NEEDLES_OF_BLOCK_MIN, 7, 0, block, sizeof(block)));
	assert_true(needles.n > 0 && needles.n <= NEEDLES_OF_BLOCK_MIN);
	assert_false(is_met(&needles, other, sizeof(other) - NEEDLE_WINDOW, 7));
	for (unsigned offset = 0; offset < 40; offset++) {
		memcpy(other + 1000 + offset, block, sizeof(block));
		assert_true(is_met(&needles, other, sizeof(other) - NEEDLE_WINDOW, 7));
	}
	needles_free(&needles);
	/* With more of them, any large part of it as well: they are spread over the block. */
	ok(needles_new(100, 0, &needles, err));
	assert_true(needles_add_block(&needles, NEEDLES_OF_BLOCK_MAX, 7, 0, block, sizeof(block)));
	assert_true(needles.n > 2 && needles.n <= NEEDLES_OF_BLOCK_MAX);
	for (unsigned at = 0; at + 1024 <= sizeof(block); at += 64)
		assert_true(is_met(&needles, block + at, 1024 - NEEDLE_WINDOW, 7));
	needles_free(&needles);
}

static void finds_parts_of_short_texts(void **state)
{
	uint8_t text[700], other[1000];
	struct needles needles;

	(void)state;
	for (unsigned len = NEEDLE_WINDOW; len <= sizeof(text); len += 57) {
		ok(needles_new(needles_of_short(len), needles_of_short(len), &needles, err));
		fill(text, len, len);
		assert_true(needles_add_short(&needles, 3, text, len));
		assert_true(needles.n <= needles_of_short(len));
		/* Any part as long as from one fingerprint to the next, and the end. */
		for (unsigned at = 0; at + 1 < len; at++) {
			const unsigned part = len - at < NEEDLE_STEP + NEEDLE_WINDOW ? len - at : NEEDLE_STEP + NEEDLE_WINDOW;

			memset(other, 0, sizeof(other));
			memcpy(other + 33, text + at, part);
			if (part >= NEEDLE_WINDOW)
				assert_true(is_met(&needles, other, 500, 3));
		}
		needles_free(&needles);
	}
}

static void leaves_out_what_says_nothing(void **state)
{
	uint8_t block[NEEDLE_BLOCK];
	struct needles needles;

	(void)state;
	ok(needles_new(100, 0, &needles, err));
	memset(block, 'z', sizeof(block));
	assert_false(needles_add_block(&needles, 2, 0, 0, block, sizeof(block)));
	assert_false(needles_add_short(&needles, 0, block, 200));
	fill(block, sizeof(block), 1);
	assert_false(needles_add_short(&needles, 0, block, NEEDLE_WINDOW - 1));
	assert_int_equal(needles.n, 0);
	/* Few different bytes: only as a whole */
	for (unsigned i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i % 5);
	assert_null(needles_find_block(&needles, block));
	assert_true(needles_add_block(&needles, 2, 4, 8192, block, sizeof(block)));
	assert_false(is_met(&needles, block, sizeof(block) - NEEDLE_WINDOW, 4));
	const struct needle *const needle = needles_find_block(&needles, block);

	assert_non_null(needle);
	assert_int_equal(needle->text, 5);
	assert_int_equal(needle->offset, 8192 | NEEDLE_WHOLE_BLOCK);
	needles_free(&needles);
}

/* --- the search ----------------------------------------------------------------------------------------------------- */

static int seal(void **state)
{
	(void)state;
	image_make(&image, IMAGE_BYTES, "-d single -m single", N_FILES);
	image_seal(&image, &key);
	return 0;
}

static int remove_image(void **state)
{
	(void)state;
	secret_free(key);
	image_remove(&image);
	return 0;
}

struct found {
	uint64_t inode, at, physical, length;
	enum where_kind kind;
};

struct findings {
	struct found at[32];
	unsigned n;
	uint64_t n_passes, n_told;	/* progress never goes back, and ends at its total */
	uint64_t done, total;
};

static void take_plan(void *context, const struct audit_plan *plan)
{
	struct findings *findings = context;

	findings->n_passes = plan->n_passes;
	assert_int_equal(plan->device_bytes, IMAGE_BYTES);
}

static bool take_found(void *context, const struct audit_finding *finding, struct error *err)
{
	struct findings *findings = context;

	(void)err;
	assert_true(findings->n < 32);
	findings->at[findings->n++] = (struct found){
		finding->text->inode, finding->text->file_offset + finding->text_at, finding->physical, finding->length, finding->where.kind,
	};
	return true;
}

static void take_unread(void *context, const struct text *text, const char *why)
{
	(void)context;
	fail_msg("inode %llu: %s", (unsigned long long)text->inode, why);
}

static void take_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
	struct findings *findings = context;

	if (strcmp(what, "search") != 0)
		return;
	assert_true(done >= findings->done && done <= total);
	findings->done = done;
	findings->total = total;
	findings->n_told++;
}

static int compare_found(const void *a, const void *b)
{
	const struct found *const x = a, *const y = b;

	return x->physical < y->physical ? -1 : x->physical > y->physical;
}

static struct audit_result search(size_t memory, struct findings *findings)
{
	const struct audit_listener listener = { take_plan, take_found, take_unread, take_progress, findings };
	const struct domain_reader_options options = { 0 };
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = image_volume(&image);
	cleanup_domain struct domain *domain = NULL;
	struct texts *texts = calloc(1, sizeof(*texts));
	struct domain_reader *reader = NULL;
	struct audit_result result;
	struct error why = { 0 };
	struct tree tree;
	bool unread;

	*findings = (struct findings){ 0 };
	ok(subvolume_list_read(volume, &list, err));
	ok(domain_find(volume, &list, subvolume_by_id(&list, FS_TREE_ID), &domain, err));
	ok(domain_open(domain, &(const struct key_source){ .volume_key = key, .slot = KEY_SLOT_ANY }, err));
	ok(tree_open(volume, FS_TREE_ID, &tree, err));
	ok(domain_reader_open(domain, &list, subvolume_by_id(&list, FS_TREE_ID), &options, &reader, &texts->source, err));
	ok(domain_reader_check_whole(reader, &why, &unread, err));
	assert_int_equal(why.kind, ERROR_NONE);
	texts->subvolume = &tree;
	ok(audit_search(texts, memory, &listener, &result, err));
	domain_reader_close(reader);
	free(texts);
	assert_int_equal(result.n_unread, 0);
	assert_int_equal(result.n_findings, findings->n);
	qsort(findings->at, findings->n, sizeof(findings->at[0]), compare_found);
	return result;
}

/* What image_make() writes to a file, put where nothing is. */
static size_t plant(unsigned file, uint64_t at)
{
	char bytes[32768];
	size_t len = 0;

	for (unsigned line = 0; line < (file % 16 == 0 ? 2000u : 10u); line++)
		len += (size_t)snprintf(bytes + len, sizeof(bytes) - len, "%u %u\n", file, line);
	image_patch(&image, at, bytes, len);
	return len;
}

static void little_memory_finds_the_same(void **state)
{
	const uint64_t end = IMAGE_BYTES;
	struct findings all, few;
	struct audit_result result;
	uint64_t n_passes = 1;
	size_t len[4];

	(void)state;
	image_heal(&image);
	search(audit_memory, &all);
	assert_int_equal(all.n, 0);
	assert_int_equal(all.n_passes, 1);
	/* Over the edge of what is read at a time, at odd addresses, and at the very end */
	len[0] = plant(16, end - (16 << 20) - 9001);
	len[1] = plant(17, end - (12 << 20) - 20);
	len[2] = plant(32, end - (4 << 20) + 4096);
	len[3] = plant(39, end - 100);
	image_patch(&image, end - 100 + len[3], "some other bytes, not of a file", 31);
	result = search(audit_memory, &all);
	assert_int_equal(all.n, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(all.at[i].length, len[i]);
		assert_int_equal(all.at[i].at, 0);
		assert_int_equal(all.at[i].kind, WHERE_NO_CHUNK);
	}
	assert_int_equal(all.at[0].physical, end - (16 << 20) - 9001);
	assert_int_equal(all.at[3].physical, end - 100);
	assert_int_equal(all.done, all.total);
	for (size_t memory = 6000; memory > 1000; memory /= 3) {
		const struct audit_result again = search(memory, &few);

		assert_true(few.n_passes > n_passes);
		n_passes = few.n_passes;
		assert_true(n_passes * memory < 40000);
		assert_int_equal(few.n, all.n);
		assert_memory_equal(few.at, all.at, all.n * sizeof(all.at[0]));
		assert_int_equal(again.text_bytes, result.text_bytes);
		assert_int_equal(again.found_bytes, result.found_bytes);
		assert_int_equal(few.done, few.total);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_a_block_at_any_offset),
		cmocka_unit_test(finds_parts_of_short_texts),
		cmocka_unit_test(leaves_out_what_says_nothing),
		cmocka_unit_test(little_memory_finds_the_same),
	};

	return cmocka_run_group_tests(tests, seal, remove_image);
}
