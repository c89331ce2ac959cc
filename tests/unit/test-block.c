/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tree blocks: mirrors, expectations, and what the cache keeps. */
#include "common/volume/block.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/volume/block-cache.h"
#include "common/volume/mirror.h"
#include "tests/unit/image.h"

#define MIB (1ull << 20)

static struct image image;
static struct volume *volume;

static int make(void **state)
{
	(void)state;
	image_make(&image, 128 * MIB, "-m dup -d single -n 4096 --csum xxhash", 300);
	return 0;
}

static int remove_it(void **state)
{
	(void)state;
	image_remove(&image);
	return 0;
}

static int open_it(void **state)
{
	(void)state;
	volume = image_volume(&image);
	return 0;
}

static int close_it(void **state)
{
	(void)state;
	volume_close(volume);
	image_heal(&image);
	return 0;
}

static struct block *get(uint64_t logical)
{
	struct block *block;
	struct error err;

	if (!block_get(volume, logical, NULL, &block, &err))
		fail_msg("%s", err.text);
	return block;
}

static void refused(uint64_t logical, const struct block_expect *expect, const char *format, ...)
{
	struct error err = { 0 };
	struct block *block;
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (block_get(volume, logical, expect, &block, &err))
		fail_msg("read, although: %s", text);
	assert_string_equal(err.text, text);
	assert_int_equal(err.kind, ERROR_CORRUPT);
}

/* Without making the checksum right, unlike image_edit_block(). */
static void spoil(uint64_t logical, unsigned mirror, size_t at)
{
	const struct chunk *chunk;
	struct error err;
	uint8_t byte;

	assert_true(volume_chunk(volume, logical, &chunk, &err));
	image_read(&image, chunk_physical(chunk, logical, mirror) + at, &byte, 1);
	byte ^= 0x80;
	image_patch(&image, chunk_physical(chunk, logical, mirror) + at, &byte, 1);
}

/* How a text about the first of two mirrors begins. */
static const char *mirror_1(uint64_t logical)
{
	static char text[64];
	const struct chunk *chunk;
	struct error err;

	assert_true(volume_chunk(volume, logical, &chunk, &err));
	snprintf(text, sizeof(text), "mirror 1 of 2 (devid 1, physical %" PRIu64 "): ", chunk_physical(chunk, logical, 0));
	return text;
}

/* And of one about both. */
static const char *no_mirror(uint64_t logical)
{
	static char text[128];

	snprintf(text, sizeof(text), "none of 2 mirrors is right: %s", mirror_1(logical));
	return text;
}

static void survives_one_bad_mirror_not_two(void **state)
{
	const uint64_t root = volume->super.root;
	struct error err = { 0 };
	char text[256];

	(void)state;
	assert_true(block_verify_mirrors(volume, root, &err));
	spoil(root, 0, 4095);
	block_put(get(root));
	snprintf(text, sizeof(text), "%stree block at %#" PRIx64 ": the xxhash64 checksum does not match; "
		 "mirror 2 is right and is used", mirror_1(root), root);
	assert_string_equal(image.warning, text);
	assert_false(block_verify_mirrors(volume, root, &err));

	block_put(get(root));	/* from the cache: no second warning */
	assert_int_equal(image.n_warnings, 1);

	block_cache_drop_idle(volume);
	spoil(root, 1, 200);
	refused(root, NULL, "%stree block at %#" PRIx64 ": the xxhash64 checksum does not match", no_mirror(root), root);
}

static void flip(uint8_t *bytes, void *at)
{
	bytes[*(size_t *)at] ^= 1;
}

static void a_right_checksum_is_not_enough(void **state)
{
	const uint64_t root = volume->super.root;
	size_t fsid = offsetof(struct disk_header, fsid), bytenr = offsetof(struct disk_header, bytenr) + 1;

	(void)state;
	image_edit_block(&image, volume, root, 3, flip, &fsid);
	refused(root, NULL, "%stree block at %#" PRIx64 ": its fsid is that of another filesystem", no_mirror(root), root);
	image_heal(&image);
	image_edit_block(&image, volume, root, 3, flip, &bytenr);
	refused(root, NULL, "%stree block at %#" PRIx64 ": bytenr is %#" PRIx64 ", not where it is", no_mirror(root), root, root ^ 256);
}

static void mirrors_that_are_both_right_must_be_equal(void **state)
{
	size_t generation = offsetof(struct disk_header, generation);
	struct error err = { 0 };
	char text[128];

	(void)state;
	image_edit_block(&image, volume, volume->super.root, 2, flip, &generation);
	block_put(get(volume->super.root));
	assert_false(block_verify_mirrors(volume, volume->super.root, &err));
	snprintf(text, sizeof(text), "mirror 2 of 2: tree block at %#" PRIx64 ": it differs from mirror 1", volume->super.root);
	assert_string_equal(err.text, text);
}

/* A write that reached one mirror only: the parent tells which is the newer. */
static void takes_the_mirror_that_the_parent_means(void **state)
{
	const struct block_expect expect = { .level = -1, .generation = volume->super.generation };
	size_t generation = offsetof(struct disk_header, generation);
	struct error err = { 0 };
	struct block *block;

	(void)state;
	image_edit_block(&image, volume, volume->super.root, 1, flip, &generation);
	assert_true(block_get(volume, volume->super.root, &expect, &block, &err));
	assert_true(block->node.generation == volume->super.generation);
	assert_int_equal(image.n_warnings, 1);
	block_put(block);
}

static void is_what_was_expected_cached_or_not(void **state)
{
	const uint64_t root = volume->super.root, generation = volume->super.generation;
	char have[KEY_TEXT_SIZE], want[KEY_TEXT_SIZE];
	struct block *block = get(root);
	struct key first = node_key(&block->node, 0);
	const unsigned level = block->node.level;
	struct error err = { 0 };

	(void)state;
	block_put(block);
	for (unsigned cached = 0; cached < 2; cached++) {
		const struct key other = { 1, 2, 3 };
		const char *mirror = cached ? "" : no_mirror(root);
		const struct block_expect right = { .level = level, .generation = generation, .first = &first };

		for (unsigned wrong = 0; wrong < 3; wrong++) {
			struct block_expect expect = right;

			if (!cached)
				block_cache_drop_idle(volume);
			if (wrong == 0) {
				expect.level++;
				refused(root, &expect, "%stree block at %#" PRIx64 ": level is %u, %u was expected", mirror, root,
					level, level + 1);
			} else if (wrong == 1) {
				expect.generation--;
				refused(root, &expect, "%stree block at %#" PRIx64 ": generation is %" PRIu64 ", %" PRIu64
					" was expected", mirror, root, generation, generation - 1);
			} else {
				expect.first = &other;
				refused(root, &expect, "%stree block at %#" PRIx64 ": first key is %s, %s was expected", mirror,
					root, key_text(&first, have), key_text(&other, want));
			}
		}
		assert_true(block_get(volume, root, &right, &block, &err));
		block_put(block);
	}
}

static void refuses_addresses_outside(void **state)
{
	(void)state;
	refused(1, NULL, "tree block at 0x1: logical address 1 is in no chunk");

	const struct chunk *last = &volume->chunks[volume->n_chunks - 1];

	struct error err = { 0 };
	struct block *block;

	assert_false(block_get(volume, last->logical + last->length - 2048, NULL, &block, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_non_null(strstr(err.text, "past the end of chunk"));
}

static void keeps_what_is_held_or_changed(void **state)
{
	const uint64_t root = volume->super.root;
	struct block *block = get(root), *same = get(root);

	(void)state;
	assert_ptr_equal(block, same);
	assert_ptr_equal(block_hold(block), block);
	assert_int_equal(block->n_refs, 3);
	block_cache_drop_all(volume);
	block_cache_forget(volume, root);
	assert_ptr_equal(block_cache_find(volume->cache, root), block);
	block_put(block);
	block_put(block);
	block->bytes[4000] ^= 0xff;
	const uint8_t mine = block->bytes[4000];

	block_set_changed(block, true);
	block_put(block);
	block_cache_drop_idle(volume);
	assert_ptr_equal(block_cache_find(volume->cache, root), block);
	block = get(root);
	assert_int_equal(block->bytes[4000], mine);
	block_put(block);
	block_cache_drop_all(volume);
	assert_null(block_cache_find(volume->cache, root));
	block = get(root);
	assert_int_not_equal(block->bytes[4000], mine);
	block_set_changed(block, true);
	block_put(block);
	block_set_changed(block, false);
	block_cache_drop_idle(volume);	/* clean again: it goes */
	assert_null(block_cache_find(volume->cache, root));
	block_put(NULL);
}

static void new_blocks_are_zeros_that_are_not_on_disk(void **state)
{
	const uint64_t logical = volume->chunks[volume->n_chunks - 1].logical;
	struct error err = { 0 };
	struct block *block, *second;

	(void)state;
	assert_true(block_new(volume, logical, &block, &err));
	assert_true(block->changed && block->is_new && block->n_refs == 1);
	for (size_t i = 0; i < 4096; i++)
		assert_int_equal(block->bytes[i], 0);
	assert_false(block_new(volume, logical, &second, &err));
	assert_false(block_refresh(block, &err));	/* zeros are no block */
	struct block *root = get(volume->super.root);

	memcpy(block->bytes, root->bytes, 4096);
	((struct disk_header *)block->bytes)->bytenr = to_le64(logical);
	assert_true(block_refresh(block, &err));
	assert_int_equal(block->node.n_items, root->node.n_items);
	block_put(root);
	block_put(block);
	block_cache_forget(volume, logical);
	assert_null(block_cache_find(volume->cache, logical));
}

/* Puts more idle blocks into the cache than it keeps: the oldest go. */
static void the_cache_is_bounded(void **state)
{
	const unsigned room = BLOCK_CACHE_IDLE_MAX / 4096, n = room + 100;
	struct error err = { 0 };
	unsigned n_kept = 0;

	(void)state;
	block_cache_drop_idle(volume);	/* what opening has read */
	for (unsigned i = 0; i < n; i++) {
		struct block *block;

		assert_true(block_new(volume, 4096ull * i, &block, &err));
		block_set_changed(block, false);
		block_put(block);
		if (i == 500)
			block_put(block_hold(block_cache_find(volume->cache, 0)));	/* used again: young */
	}
	for (unsigned i = 0; i < n; i++)
		n_kept += block_cache_find(volume->cache, 4096ull * i) != NULL;
	assert_int_equal(n_kept, room);
	assert_non_null(block_cache_find(volume->cache, 4096ull * (n - 1)));
	assert_non_null(block_cache_find(volume->cache, 0));
	assert_null(block_cache_find(volume->cache, 4096 * 100));
	assert_non_null(block_cache_find(volume->cache, 4096 * 101));
	block_cache_drop_idle(volume);
	assert_null(block_cache_find(volume->cache, 4096ull * (n - 1)));
}

#define with_volume(test) cmocka_unit_test_setup_teardown(test, open_it, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_volume(survives_one_bad_mirror_not_two),
		with_volume(a_right_checksum_is_not_enough),
		with_volume(mirrors_that_are_both_right_must_be_equal),
		with_volume(takes_the_mirror_that_the_parent_means),
		with_volume(is_what_was_expected_cached_or_not),
		with_volume(refuses_addresses_outside),
		with_volume(keeps_what_is_held_or_changed),
		with_volume(new_blocks_are_zeros_that_are_not_on_disk),
		with_volume(the_cache_is_bounded),
	};

	return cmocka_run_group_tests(tests, make, remove_it);
}
