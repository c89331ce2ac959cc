/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New metadata chunks of every profile on several devices: the devices and lengths that a kernel would choose, and what all trees say of them. */
#include "common/tree/chunk-alloc.h"
#include "common/tree/chunk-room.h"

#include "common/volume/device-extents.h"
#include "common/volume/mirror.h"
#include "common/volume/stripe.h"
#include "tests/unit/set-fixture.h"

#define GIB (1ull << 30)
/* Each superblock has the item that the chunk tree has for its device. */
static void superblocks_agree(struct volume *fresh)
{
	struct tree tree;

	ok(tree_open(fresh, CHUNK_TREE_ID, &tree, &err));
	for (unsigned i = 0; i < n_set; i++) {
		struct disk_superblock disk;
		cleanup_tree_iter struct tree_iter iter = { 0 };
		bool found;

		assert_int_equal(pread(set[i].fd, &disk, sizeof(disk), SUPER_OFFSET_0), sizeof(disk));

		const struct key key = { DEV_ITEMS_ID, KEY_DEV_ITEM, le64(disk.dev_item.devid) };

		assert_int_equal(key.offset, i + 1);
		ok(tree_find(&tree, &key, &iter, &found, &err));
		assert_true(found && iter.item.left == sizeof(disk.dev_item));
		assert_memory_equal(iter.item.at, &disk.dev_item, sizeof(disk.dev_item));
	}
}

struct row {
	const char *options;
	uint64_t profile;
	unsigned n;
	uint64_t mib[N_MAX];
	unsigned n_stripes;
	unsigned sub_stripes;
	enum form form;
};

/* The longest run of MiB that nothing has, and how many there are. */
struct gap { uint64_t devid, longest, total; };

static struct gap gap_of(uint64_t devid)
{
	const uint64_t size = set[devid - 1].size / 65536;
	struct gap gap = { .devid = devid };
	bool *used = calloc(size, 1);

	assert_non_null(used);
	memset(used, true, MIB / 65536);
	for (size_t i = 0; i < volume->n_chunks; i++)
		for (unsigned s = 0; s < volume->chunks[i].n_stripes; s++)
			if (volume->chunks[i].stripe[s].devid == devid)
				memset(used + volume->chunks[i].stripe[s].physical / 65536, true, stripe_length(&volume->chunks[i]) / 65536);
	for (uint64_t i = 0, run = 0; i < size; i++) {
		run = used[i] ? 0 : run + 1;
		gap.total += !used[i];
		gap.longest = run > gap.longest ? run : gap.longest;
	}
	gap.longest = gap.longest * 65536 / MIB;
	free(used);
	return gap;
}

static int most_first(const void *a, const void *b)
{
	const struct gap *x = a, *y = b;

	if (x->longest != y->longest)
		return x->longest < y->longest ? 1 : -1;
	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return x->devid < y->devid ? -1 : 1;
}

static void add_one(const struct row *row, uint64_t bytes)
{
	const size_t n_chunks = volume->n_chunks;
	const uint64_t n_free = allocator_n_free_blocks(allocator);
	cleanup_volume struct volume *fresh = NULL;
	const struct chunk *chunk;
	struct superblock before;
	struct gap gap[N_MAX];

	for (unsigned i = 0; i < n_set; i++)
		gap[i] = gap_of(i + 1);
	qsort(gap, n_set, sizeof(gap[0]), most_first);
	superblock_copy(&before, &volume->super);
	begin();
	ok(chunk_alloc(tx, bytes, &err));
	transaction_drop(tx);
	tx = NULL;
	assert_int_equal(volume->n_chunks, n_chunks);
	assert_int_equal(allocator_n_free_blocks(allocator), n_free);
	ok(tree_check(volume, &err));

	begin();
	ok(chunk_alloc(tx, bytes, &err));
	assert_true((allocator_n_free_blocks(allocator) - n_free + 12) * volume->super.node_size >= bytes);
	commit();
	ok(tree_check(volume, &err));
	assert_int_equal(volume->n_chunks, n_chunks + 1);
	assert_memory_equal(before.disk.sys_chunk_array, volume->super.disk.sys_chunk_array, sizeof(before.disk.sys_chunk_array));

	open_set(&fresh);
	ok(tree_check(fresh, &err));
	superblocks_agree(fresh);
	assert_int_equal(fresh->n_chunks, n_chunks + 1);
	chunk = &fresh->chunks[n_chunks];
	assert_int_equal(chunk->type & ~GROUP_DATA, GROUP_METADATA | row->profile);
	assert_int_equal(chunk->sub_stripes, row->sub_stripes);
	assert_int_equal(chunk->stripe_len, 65536);
	assert_int_equal(chunk->length % (stripe_n_data(chunk) * MIB), 0);
	assert_true(chunk->length >= bytes && chunk->length < bytes + 8 * MIB);
	assert_int_equal(chunk->n_stripes, row->n_stripes);
	for (unsigned i = 0; i < chunk->n_stripes; i++)
		if (row->profile == GROUP_DUP ? chunk->stripe[i].devid != chunk->stripe[0].devid : chunk->stripe[i].devid != gap[i].devid)
			fail_msg("%s: stripe %u is on devid %u, not %u", row->options, i, (unsigned)chunk->stripe[i].devid,
				 (unsigned)gap[i].devid);
}

static void every_profile(void **state)
{
	static const struct row rows[] = {
		{ "-m single -d single", 0, 3, { 200, 600, 400 }, 1, 1, AS_MADE },
		{ "-m dup -d single", GROUP_DUP, 2, { 200, 400 }, 2, 1, AS_MADE },
		{ "-m raid0 -d single", GROUP_RAID0, 3, { 200, 600, 400 }, 3, 1, AS_MADE },
		{ "-m raid1 -d raid0", GROUP_RAID1, 2, { 200, 300 }, 2, 1, AS_MADE },
		{ "-m raid1 -d raid1", GROUP_RAID1, 4, { 200, 600, 400, 1000 }, 2, 1, AS_MADE },
		{ "-m raid10 -d raid10", GROUP_RAID10, 4, { 200, 600, 400, 1000 }, 4, 2, AS_MADE },
		{ "-m raid10 -d raid10", GROUP_RAID10, 5, { 200, 600, 400, 1000, 300 }, 4, 2, AS_MADE },
		{ "-m raid1c3 -d single", GROUP_RAID1C3, 4, { 200, 600, 400, 1000 }, 3, 1, AS_MADE },
		{ "-m raid1c4 -d single", GROUP_RAID1C4, 5, { 200, 600, 400, 1000, 300 }, 4, 1, AS_MADE },
		{ "-m raid5 -d raid5", GROUP_RAID5, 2, { 200, 600 }, 2, 1, AS_MADE },
		{ "-m raid5 -d raid5", GROUP_RAID5, 4, { 200, 600, 400, 1000 }, 4, 1, AS_MADE },
		{ "-m raid6 -d raid6", GROUP_RAID6, 3, { 200, 600, 400 }, 3, 1, AS_MADE },
		{ "-m raid6 -d single", GROUP_RAID6, 5, { 200, 600, 400, 1000, 300 }, 5, 1, AS_MADE },
		{ "-m raid1 -d raid1 --mixed -n 4096", GROUP_RAID1, 3, { 200, 600, 400 }, 2, 1, AS_MADE },
		{ "-m raid1 -d single", GROUP_RAID1, 3, { 200, 600, 400 }, 2, 1, GROUP_TREE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		make_and_open(rows[i].n, rows[i].mib, rows[i].options);
		if (rows[i].form == GROUP_TREE) {
			begin();
			ok(edit_to_group_tree(tx, &err));
			commit();
		}
		add_one(&rows[i], 20 * MIB);
		add_one(&rows[i], 9 * MIB);
		remove_set(state);
	}
}

/* A device that is full does not count, one with little room makes no short chunk, and too few are none. */
static void short_of_room(void **state)
{
	static const uint64_t uneven[] = { 400, 400, 400, 110 }, two[] = { 200, 600 };
	cleanup_chunk_plan struct chunk_plan raid0 = { 0 }, pair = { 0 };
	cleanup_chunk_room struct chunk_room room = { 0 };
	uint64_t total = 0;

	make_and_open(4, uneven, "-m raid0 -d single");
	ok(chunk_plan_make(volume, allocator, 500 * MIB, &raid0, &err));
	assert_int_equal(raid0.n, 1);
	assert_int_equal(raid0.chunk[0].n_stripes, 3);
	chunk_plan_free(&raid0);
	/* All that there is: then the last one is used as well. */
	ok(chunk_room_find(volume, &room, &err));
	for (size_t i = 0; i < room.n; i++)
		total += room.device[i].total;
	ok(chunk_plan_make(volume, allocator, 2 * GIB, &raid0, &err));
	if (raid0.usable >= 2 * GIB || raid0.length > total || raid0.length + 12 * MIB < total)
		fail_msg("%zu chunks of %llu MiB, there are %llu", raid0.n, (unsigned long long)(raid0.length / MIB), (unsigned long long)(total / MIB));
	remove_set(state);

	for (unsigned i = 0; i < 2; i++) {
		make_and_open(2, two, i == 0 ? "-m raid1 -d raid1" : "-m raid5 -d single");
		ok(chunk_plan_make(volume, allocator, GIB, &pair, &err));
		/* what the smaller device has */
		assert_true(pair.usable < GIB && pair.length > 30 * MIB && pair.length < 200 * MIB);
		chunk_plan_free(&pair);
		begin();
		assert_false(chunk_alloc(tx, GIB, &err));
		assert_int_equal(err.kind, ERROR_NO_SPACE);
		remove_set(state);
	}
}

/* The stripes of a plan overlap nothing, not even each other, and nothing of them is in the first MiB. */
static void nothing_overlaps(void **state)
{
	static const uint64_t mib[] = { 6000, 7000, 8000, 9000 };
	static const char *const options[] = { "-m raid1 -d single", "-m raid10 -d single", "-m raid0 -d single", "-m raid1c3 -d single", "-m dup" };

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		make_and_open(4, mib, options[i]);

		const size_t n_chunks = volume->n_chunks;

		begin();
		ok(chunk_alloc(tx, 3 * GIB, &err));	/* the chunk map refuses what leaves its device */
		assert_true(volume->n_chunks >= n_chunks + 3);
		ok(device_extents_check(volume, &err));
		for (size_t k = n_chunks; k < volume->n_chunks; k++) {
			assert_true(volume->chunks[k].length <= GIB);
			for (unsigned s = 0; s < volume->chunks[k].n_stripes; s++)
				assert_true(volume->chunks[k].stripe[s].physical >= MIB && volume->chunks[k].stripe[s].physical % 65536 == 0);
		}
		commit();
		ok(tree_check(volume, &err));
		remove_set(state);
	}
}

/* All blocks of a chunk over a superblock copy can be taken but those that touch it, on any device. */
static void spares_superblocks(void **state)
{
	static const uint64_t mib[] = { 100, 110, 120 };
	static const char *const options[] = { "-m raid0 -d single", "-m raid1c3 -d single", "-m raid5 -d single" };

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		cleanup_chunk_plan struct chunk_plan plan = { 0 };
		uint64_t n = 0, *taken;
		unsigned n_over = 0;

		make_and_open(3, mib, options[i]);
		ok(chunk_plan_make(volume, allocator, 20 * GIB, &plan, &err));
		for (size_t k = 0; k < plan.n; k++)
			for (unsigned s = 0; s < plan.chunk[k].n_stripes; s++)
				n_over += plan.chunk[k].stripe[s].physical <= SUPER_OFFSET_1 &&
					  plan.chunk[k].stripe[s].physical + stripe_length(&plan.chunk[k]) > SUPER_OFFSET_1;
		assert_int_equal(n_over, 3);
		begin();
		n -= allocator_n_free_blocks(allocator);
		ok(chunk_alloc(tx, plan.usable, &err));
		n += allocator_n_free_blocks(allocator) + transaction_n_new(tx);
		assert_true((n + 2) * volume->super.node_size >= plan.usable);
		taken = calloc(allocator_n_free_blocks(allocator), sizeof(*taken));
		assert_non_null(taken);
		for (n = 0; allocator_n_free_blocks(allocator) > 0; n++) {
			ok(allocator_take_block(allocator, &taken[n], &err));
			assert_false(volume_range_is_reserved(volume, taken[n], volume->super.node_size));
		}
		while (n > 0)
			allocator_give_back(allocator, taken[--n]);
		free(taken);
		remove_set(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_profile, remove_set),
		cmocka_unit_test_teardown(short_of_room, remove_set),
		cmocka_unit_test_teardown(nothing_overlaps, remove_set),
		cmocka_unit_test_teardown(spares_superblocks, remove_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
