/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Units of many extents: found by number, by address and by unit, and what each extent costs in memory. */
#include "common/sealed/unit-find.h"
#include "common/sealed/unit-map.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/sealed.h"

#define NUMBER 9	/* a domain of which there are units only */
#define N_EXTENTS 20000u
#define BASE (UINT64_C(1) << 30)
#define ITEM_MAX 16000u
#define MIB (UINT64_C(1) << 20)

static struct scan_extent extent[N_EXTENTS];
static struct scan scan = { .extent = extent, .n_extents = N_EXTENTS };

/* Items with room for no more, as they are made. */
static uint8_t item[ITEM_MAX];
static size_t item_len;
static unsigned n_units;
static uint64_t n_items, n_all_units;

static void put_item(void)
{
	if (n_units == 0)
		return;
	crypt_head_write((struct disk_crypt_head *)item, CRYPT_UNITS, n_units);
	sealed_insert_at(NUMBER, CRYPT_UNITS, n_items++, item, item_len);
	n_units = 0;
}

static void put_unit(const struct scan_extent *of, uint64_t offset, uint32_t blocks)
{
	const struct disk_crypt_unit unit = {
		.u = {
			.cipher = CIPHER_AES_256_GCM,
			.unit_id = to_le64(of->logical + offset),
			.blocks = to_le32(blocks),
			.extent_len = to_le64(of->length),
			.offset_in_extent = to_le64(offset),
		},
		.root = to_le64(FS_TREE_ID),
		.inode = to_le64(of->inode),
		.file_offset = to_le64(of->file_offset),
		.address = to_le64(of->logical),
	};

	if (n_units > 0 && item_len + crypt_unit_size(blocks) > ITEM_MAX)
		put_item();
	if (n_units == 0)
		item_len = sizeof(struct disk_crypt_head);
	memcpy(item + item_len, &unit, sizeof(unit));
	memset(item + item_len + sizeof(unit), 0, crypt_unit_size(blocks) - sizeof(unit));
	item_len += crypt_unit_size(blocks);
	n_units++;
	n_all_units++;
}

/* Every extent is one block, but one of every so many is large, of many units in several items. */
static void put_units(unsigned every)
{
	uint64_t at = BASE;

	n_items = n_all_units = 0;
	for (unsigned i = 0; i < N_EXTENTS; i++) {
		const uint32_t blocks = i % every == every / 2 ? 1200 : 1;

		extent[i] = (struct scan_extent){ .logical = at, .inode = 257 + i / 2, .file_offset = i % 2 * MIB,
						  .length = (uint64_t)blocks * CRYPT_BLOCK };
		for (uint32_t done = 0; done < blocks; done += 500)
			put_unit(&extent[i], (uint64_t)done * CRYPT_BLOCK, blocks - done < 500 ? blocks - done : 500);
		at += extent[i].length + (i % 3) * CRYPT_BLOCK;
	}
	put_item();
}

static bool add_blocks(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	uint64_t *end = context;

	(void)place, (void)go, (void)err;
	assert_int_equal(unit->unit_id, *end);
	*end += (uint64_t)unit->blocks * CRYPT_BLOCK;
	return true;
}

static void finds_every_group(void **state)
{
	cleanup_unit_map struct unit_map *map = NULL;
	struct unit_group group;

	(void)state;
	put_units(400);
	sealed_ok(unit_map_read(sealed.volume, NUMBER, &map, err));
	assert_int_equal(map->n_groups, N_EXTENTS);
	assert_int_equal(map->n_items, n_items);
	assert_int_equal(map->n_units, n_all_units);
	assert_false(unit_map_at(map, BASE, &group));
	sealed_ok(unit_map_join_placed(map, &scan, err));
	for (unsigned i = 0; i < N_EXTENTS; i++) {
		const uint64_t end = extent[i].logical + extent[i].length;

		assert_true(unit_map_at(map, extent[i].logical, &group));
		assert_int_equal(group.number, i);
		assert_int_equal(group.address, extent[i].logical);
		assert_true(unit_map_of(map, end - CRYPT_BLOCK, &group));
		assert_int_equal(group.number, i);
		assert_int_equal(group.unit_id, extent[i].logical);
		assert_int_equal(group.extent_len, extent[i].length);
		assert_int_equal(unit_map_of(map, end, &group), i + 1 < N_EXTENTS && i % 3 == 0);
		if (i % 50 == 0) {
			uint64_t at = extent[i].logical;

			group = unit_map_group(map, i);
			sealed_ok(unit_map_visit(map, &group, add_blocks, &at, err));
			assert_int_equal(at, end);
		}
	}
}

/* Where nothing is as it was sealed: by the file that the units are of, in its subvolume if that is still there. */
static void guesses_by_what_units_say(void **state)
{
	enum { N = 200 };
	struct scan_extent moved[N];
	uint64_t members[] = { FS_TREE_ID, 300 };
	struct scan now = { .extent = moved, .member = members, .n_members = 2, .n_extents = N };
	cleanup_unit_map struct unit_map *map = NULL;
	const struct chunk *data = NULL;
	struct unit_group group;

	(void)state;
	put_units(2 * N_EXTENTS + 1);
	for (size_t i = 0; i < sealed.volume->n_chunks; i++) {
		if (sealed.volume->chunks[i].type & GROUP_DATA)
			data = &sealed.volume->chunks[i];
	}
	assert_non_null(data);
	for (unsigned i = 0; i < N; i++) {
		moved[i] = extent[i + 7000];
		moved[i].logical = data->logical + 2 * i * CRYPT_BLOCK;
		moved[i].member = i % 2;	/* of every second the subvolume is another */
		moved[i].marked = 1;
	}
	moved[4].marked = 0;
	moved[5].length += CRYPT_BLOCK;
	sealed_ok(unit_map_read(sealed.volume, NUMBER, &map, err));
	sealed_ok(unit_map_join(map, &now, sealed.schedule, UNIT_PLACE_END, err));
	assert_int_equal(map->n_joined, 0);
	sealed_ok(unit_map_guess(map, err));
	assert_int_equal(map->n_joined, 0);
	assert_int_equal(map->n_guessed, N - 2);
	assert_int_equal(unit_map_joined_bytes(map), 0);
	for (unsigned i = 0; i < N; i++) {
		const bool found = unit_map_at(map, moved[i].logical, &group);

		assert_int_equal(found, i != 4 && i != 5);
		if (found) {
			assert_true(group.guessed);
			assert_int_equal(group.unit_id, extent[i + 7000].logical);
			assert_int_equal(group.address, moved[i].logical);
		}
	}
}

/* The design allows 48 bytes for each extent, or tree block: items of units fill a tree block each. */
static void takes_48_bytes_for_each_extent(void **state)
{
	cleanup_unit_map struct unit_map *map = NULL;
	size_t bytes;

	(void)state;
	put_units(2 * N_EXTENTS + 1);
	sealed_ok(unit_map_read(sealed.volume, NUMBER, &map, err));
	sealed_ok(unit_map_join_placed(map, &scan, err));
	bytes = malloc_usable_size(map->group) + malloc_usable_size(map->n_before) + malloc_usable_size(map->of_extent) + sizeof(extent);
	assert_true(bytes >= (size_t)N_EXTENTS * 40);
	if (bytes > 48 * (N_EXTENTS + n_items))
		fail_msg("%zu bytes for %u extents and %llu items of units", bytes, N_EXTENTS, (unsigned long long)n_items);
}

static void refuses_units_that_do_not_fit(void **state)
{
	cleanup_unit_map struct unit_map *map = NULL, *again = NULL;
	struct error error = { 0 };

	(void)state;
	put_units(400);
	extent[5].length += CRYPT_BLOCK;
	sealed_ok(unit_map_read(sealed.volume, NUMBER, &map, err));
	assert_false(unit_map_join_placed(map, &scan, &error));
	assert_int_equal(error.kind, ERROR_CORRUPT);
	scan.n_extents--;
	sealed_ok(unit_map_read(sealed.volume, NUMBER, &again, err));
	assert_false(unit_map_join_placed(again, &scan, &error));
	scan.n_extents++;
	assert_non_null(strstr(error.text, "there are tags for 20000 extents, but the subvolumes have 19999"));
}

/* Each by its address, in an order that no memory of the last one helps with. */
static void finds_units_without_a_pass(void **state)
{
	struct domain domain = { .volume = sealed.volume, .number = NUMBER, .schedule = sealed.schedule };
	const struct unit_map items = { .volume = sealed.volume, .domain = NUMBER };
	cleanup_unit_seeker struct unit_seeker *seeker = NULL;
	struct unit_group group;
	bool found, confirmed;

	(void)state;
	put_units(400);
	domain.header.domain = NUMBER;
	domain.header.n_unit_items = n_items;
	sealed_ok(unit_seeker_new(&domain, &seeker, err));
	for (unsigned i = 0; i < N_EXTENTS; i++) {
		const struct scan_extent *at = &extent[i * 7919u % N_EXTENTS];
		const struct unit_wanted wanted = { .address = at->logical, .length = at->length, .inode = at->inode, .marked = true };
		uint64_t end = at->logical;

		sealed_ok(unit_find(seeker, &wanted, UNIT_BY_PLACE, &group, &found, &confirmed, err));
		assert_true(found);
		assert_false(confirmed);
		assert_int_equal(group.unit_id, at->logical);
		assert_int_equal(group.extent_len, at->length);
		assert_int_equal(group.address, at->logical);
		if (i % 50 == 0 || at->length > CRYPT_BLOCK) {
			sealed_ok(unit_map_visit(&items, &group, add_blocks, &end, err));
			assert_int_equal(end, at->logical + at->length);
		}
	}
	assert_int_equal(unit_seeker_passes(seeker), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SEALED_TEST(finds_units_without_a_pass),
		SEALED_TEST(finds_every_group),
		SEALED_TEST(guesses_by_what_units_say),
		SEALED_TEST(takes_48_bytes_for_each_extent),
		SEALED_TEST(refuses_units_that_do_not_fit),
	};

	return cmocka_run_group_tests(tests, sealed_make, sealed_remove);
}
