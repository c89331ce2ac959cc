/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sealed filesystem on a device that cannot read everywhere: what the reader reads around, and what verify says of it. */
#include "common/sealed/domain-reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/fs/path.h"
#include "common/sealed/scan.h"
#include "common/volume/mirror.h"
#include "tests/unit/fault-device.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"
#include "tests/unit/whole-file.h"

#define N_FILES 40u
#define FILE_NAME "dir0/file00000"	/* four blocks */
#define OTHER_NAME "dir6/file00016"	/* four others */

static struct image image;
static struct secret *key;

/* Physical ranges that give an I/O error. */
static struct {
	uint64_t at, len;
} broken[4];
static unsigned n_broken;

/* --- the device ------------------------------------------------------------------------------------------------- */

static bool fail_broken(void *bytes, size_t len, uint64_t at, struct error *err)
{
	(void)bytes;
	for (unsigned i = 0; i < n_broken; i++) {
		if (at < broken[i].at + broken[i].len && broken[i].at < at + len)
			return error_set(err, ERROR_IO, "disk.img: cannot read %zu bytes at %llu", len, (unsigned long long)at);
	}
	return true;
}

static struct volume *open_volume(void)
{
	static const struct fault_hooks hooks = { .read = fail_broken };
	struct device *below = image_device(&image);
	struct volume *volume = NULL;

	below->writable = false;
	ok(volume_open(fault_device(&hooks, "disk.img", below), NULL, &volume, err));
	return volume;
}

static int seal(void **state)
{
	(void)state;
	image_make(&image, 300u << 20, "-d dup -m dup", N_FILES);
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

static int heal(void **state)
{
	(void)state;
	n_broken = 0;
	image_heal(&image);
	return 0;
}

/* --- places ------------------------------------------------------------------------------------------------------- */

/* Physical address of a block of a file, which is one extent. */
static uint64_t place_of(struct volume *volume, const char *name, uint64_t offset, unsigned mirror, uint64_t *logical)
{
	const uint64_t found = image_file_logical(volume, name, offset);
	const struct chunk *chunk;

	ok(volume_chunk(volume, found, &chunk, err));
	assert_int_equal(chunk_n_mirrors(chunk), 2);
	*logical = found;
	return chunk_physical(chunk, found, mirror);
}

static void break_block(struct volume *volume, const char *name, uint64_t offset, unsigned mirror, uint64_t *logical)
{
	broken[n_broken].at = place_of(volume, name, offset, mirror, logical);
	broken[n_broken++].len = CRYPT_BLOCK;
}

static void flip_block(struct volume *volume, const char *name, uint64_t offset, unsigned mirror, uint64_t *logical)
{
	const uint64_t at = place_of(volume, name, offset, mirror, logical) + 77;
	uint8_t byte;

	image_read(&image, at, &byte, 1);
	byte ^= 1;
	image_patch(&image, at, &byte, 1);
}

/* --- verify --------------------------------------------------------------------------------------------------------- */

struct findings {
	unsigned n;
	char text[8][256];
};

static void found_bad(void *context, const char *path, const char *what, const struct verify_range *range)
{
	struct findings *findings = context;

	(void)range;
	if (findings->n < 8)
		snprintf(findings->text[findings->n], sizeof(findings->text[0]), "%s: %s", path, what);
	findings->n++;
}

static void open_domain(struct volume *volume, struct subvolume_list *list, struct domain **domain)
{
	ok(subvolume_list_read(volume, list, err));
	ok(domain_find(volume, list, subvolume_by_id(list, FS_TREE_ID), domain, err));
	assert_non_null(*domain);
	ok(domain_open(*domain, &(const struct key_source){ .volume_key = key, .slot = KEY_SLOT_ANY }, err));
}

static struct verify_result verify(struct volume *volume, struct findings *findings)
{
	const struct domain_reader_options options = { 0 };
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_domain struct domain *domain = NULL;
	struct verify_result result;

	*findings = (struct findings){ 0 };
	open_domain(volume, &list, &domain);
	ok(domain_verify(domain, &list, &options, found_bad, findings, &result, err));
	assert_int_equal(result.n_bad, findings->n);
	return result;
}

static void expect_one(struct volume *volume, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void expect_one(struct volume *volume, const char *format, ...)
{
	struct findings findings;
	char want[256];
	va_list args;

	va_start(args, format);
	vsnprintf(want, sizeof(want), format, args);
	va_end(args);
	verify(volume, &findings);
	assert_int_equal(findings.n, 1);
	assert_string_equal(findings.text[0], want);
}

static void finds_nothing_where_nothing_is(void **state)
{
	cleanup_volume struct volume *volume = open_volume();
	struct findings findings;
	const struct verify_result result = verify(volume, &findings);

	(void)state;
	assert_int_equal(result.n_bad, 0);
	assert_int_equal(result.n_unsealed, 0);
	assert_int_equal(result.n_files, N_FILES);
	assert_int_equal(result.n_blocks, 12);
}

static void names_what_cannot_be_read(void **state)
{
	cleanup_volume struct volume *volume = open_volume();
	unsigned long long at;
	uint64_t logical;

	(void)state;
	break_block(volume, FILE_NAME, 8192, 1, &logical);
	at = logical;
	expect_one(volume, FILE_NAME ": bytes 8192 to 12287 cannot be read on mirror 2 of 2 (data at %llu)", at);
	break_block(volume, FILE_NAME, 8192, 0, &logical);
	expect_one(volume, FILE_NAME ": bytes 8192 to 12287 cannot be read on every mirror (data at %llu)", at);
}

static void says_all_of_one_block(void **state)
{
	cleanup_volume struct volume *volume = open_volume();
	uint64_t logical;

	(void)state;
	flip_block(volume, FILE_NAME, 4096, 0, &logical);
	break_block(volume, FILE_NAME, 4096, 1, &logical);
	expect_one(volume, FILE_NAME ": bytes 4096 to 8191 cannot be read on mirror 2 of 2, fail authentication on mirror 1 of 2 (data at %llu)",
		   (unsigned long long)logical);
}

static void goes_on_after_each(void **state)
{
	cleanup_volume struct volume *volume = open_volume();
	struct findings findings;
	uint64_t logical;

	(void)state;
	flip_block(volume, FILE_NAME, 0, 0, &logical);
	flip_block(volume, FILE_NAME, 4096, 0, &logical);	/* goes with it */
	flip_block(volume, FILE_NAME, 12288, 0, &logical);
	flip_block(volume, OTHER_NAME, 4096, 0, &logical);
	verify(volume, &findings);
	assert_int_equal(findings.n, 3);
}

/* --- reading ---------------------------------------------------------------------------------------------------------- */

struct content {
	size_t len;
	uint8_t bytes[1u << 16];
};

/* Through a reader. */
static bool read_file(struct volume *volume, const char *name, struct content *content, struct error *err)
{
	const struct domain_reader_options options = { 0 };
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_domain struct domain *domain = NULL;
	struct domain_reader *reader = NULL;
	struct extent_source *source;
	struct file_id file;
	struct tree tree;
	uint8_t *bytes = NULL;
	size_t len = 0;

	content->len = 0;
	open_domain(volume, &list, &domain);
	const bool done = path_find(volume, FS_TREE_ID, name, &file, err) && tree_open(volume, FS_TREE_ID, &tree, err) &&
			  domain_reader_open(domain, &list, subvolume_by_id(&list, FS_TREE_ID), &options, &reader, &source, err) &&
			  whole_file_read(source, &tree, file.inode, &bytes, &len, err);

	domain_reader_close(reader);
	if (done) {
		assert_true(len <= sizeof(content->bytes));
		memcpy(content->bytes, bytes, len);
		content->len = len;
	}
	free(bytes);
	return done;
}

/* As it was before: mkfs.btrfs had it from there. */
static void expect_original(struct volume *volume, const char *name)
{
	static struct content have, want;
	char path[256];
	FILE *file;

	ok(read_file(volume, name, &have, err));
	snprintf(path, sizeof(path), "%s/src/%s", image.dir, name);
	file = fopen(path, "r");
	assert_non_null(file);
	want.len = fread(want.bytes, 1, sizeof(want.bytes), file);
	fclose(file);
	assert_true(want.len > 0);
	assert_int_equal(have.len, want.len);
	assert_memory_equal(have.bytes, want.bytes, want.len);
}

static void reads_every_file(void **state)
{
	cleanup_volume struct volume *volume = open_volume();
	char name[64];

	(void)state;
	for (unsigned i = 0; i < N_FILES; i++) {
		snprintf(name, sizeof(name), "dir%u/file%05u", i % 10, i);
		expect_original(volume, name);
	}
}

static void reads_around_what_a_mirror_lost(void **state)
{
	cleanup_volume struct volume *volume = open_volume();
	uint64_t logical;

	(void)state;
	break_block(volume, FILE_NAME, 0, 0, &logical);
	flip_block(volume, FILE_NAME, 4096, 0, &logical);
	flip_block(volume, FILE_NAME, 8192, 1, &logical);
	expect_original(volume, FILE_NAME);
}

static void refuses_what_every_mirror_lost(void **state)
{
	static struct content content;
	cleanup_volume struct volume *volume = open_volume();
	struct error err = { 0 };
	char want[256];
	uint64_t logical;

	(void)state;
	break_block(volume, FILE_NAME, 4096, 0, &logical);
	flip_block(volume, FILE_NAME, 4096, 1, &logical);
	assert_false(read_file(volume, FILE_NAME, &content, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	snprintf(want, sizeof(want), FILE_NAME ": bytes 4096 to 8191 fail authentication on every mirror (data at %llu)",
		 (unsigned long long)logical);
	assert_string_equal(err.text, want);
	assert_int_equal(content.len, 0);	/* it was read in one piece */
	expect_original(volume, OTHER_NAME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(finds_nothing_where_nothing_is, heal),
		cmocka_unit_test_teardown(names_what_cannot_be_read, heal),
		cmocka_unit_test_teardown(says_all_of_one_block, heal),
		cmocka_unit_test_teardown(goes_on_after_each, heal),
		cmocka_unit_test_teardown(reads_every_file, heal),
		cmocka_unit_test_teardown(reads_around_what_a_mirror_lost, heal),
		cmocka_unit_test_teardown(refuses_what_every_mirror_lost, heal),
	};

	return cmocka_run_group_tests(tests, seal, remove_image);
}
