/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the index and bad blocks: looked up, walked, and refused where they are out of order. */
#include "common/sealed/inode-index.h"

#include "common/sealed/crypt-list.h"
#include "tests/unit/sealed.h"
#include "tests/unit/test.h"

#define PER_ITEM 4u
#define N_ENTRIES 40u

/* Inodes 257, 257, 259, 259...: every second number has none, every other one has two versions. */
static struct crypt_index_entry entry_of(unsigned i)
{
	struct crypt_index_entry entry = { .inode = 257 + i / 2 * 2, .hint = 1000 + i };

	memset(entry.mac, (int)(i % 2 ? 0x80 : 0x7f), sizeof(entry.mac));
	return entry;
}

static void put_entries(uint64_t index, const struct crypt_index_entry *entries, unsigned n)
{
	struct {
		struct disk_crypt_head head;
		struct disk_crypt_index_entry entry[PER_ITEM];
	} item;

	crypt_head_write(&item.head, CRYPT_INDEX, n);
	for (unsigned i = 0; i < n; i++)
		crypt_index_write(&entries[i], &item.entry[i]);
	sealed_insert_at(DOMAIN, CRYPT_INDEX, index, &item, sizeof(item.head) + n * sizeof(item.entry[0]));
}

static void put_index(void)
{
	for (unsigned at = 0; at < N_ENTRIES; at += PER_ITEM) {
		struct crypt_index_entry entries[PER_ITEM];

		for (unsigned i = 0; i < PER_ITEM; i++)
			entries[i] = entry_of(at + i);
		put_entries(at / PER_ITEM, entries, PER_ITEM);
	}
}

static bool count(void *context, const struct crypt_index_entry *entry, struct error *err)
{
	unsigned *n = context;
	const struct crypt_index_entry want = entry_of(*n);

	(void)err;
	assert_int_equal(entry->inode, want.inode);
	assert_memory_equal(entry->mac, want.mac, sizeof(want.mac));
	assert_int_equal(entry->hint, want.hint);
	(*n)++;
	return true;
}

static bool has(uint64_t n_items, uint64_t inode, const uint8_t *mac, uint64_t *hint)
{
	struct crypt_index_entry entry = { .inode = inode };
	bool found = false;

	memcpy(entry.mac, mac, sizeof(entry.mac));
	sealed_ok(inode_index_has(sealed.volume, DOMAIN, n_items, &entry, &found, err));
	if (hint)
		*hint = entry.hint;
	return found;
}

static void finds_each_version_and_nothing_else(void **state)
{
	const uint64_t n_items = N_ENTRIES / PER_ITEM;
	unsigned n = 0;

	(void)state;
	put_index();
	sealed_ok(inode_index_visit_all(sealed.volume, DOMAIN, count, &n, err));
	assert_int_equal(n, N_ENTRIES);
	for (unsigned i = 0; i < N_ENTRIES; i++) {
		const struct crypt_index_entry entry = entry_of(i);
		uint8_t other[CRYPT_ENTRY_MAC_SIZE];
		uint64_t hint = 0;

		assert_true(has(n_items, entry.inode, entry.mac, &hint));
		assert_int_equal(hint, entry.hint);
		memcpy(other, entry.mac, sizeof(other));
		other[15] ^= 1;
		assert_false(has(n_items, entry.inode, other, NULL));
		assert_false(has(n_items, entry.inode + 1, entry.mac, NULL));
	}
	assert_false(has(n_items, 0, entry_of(0).mac, NULL));
	assert_false(has(n_items, UINT64_MAX, entry_of(0).mac, NULL));
	assert_false(has(0, 257, entry_of(0).mac, NULL));
	/* Whatever a header says, only what is there is found. */
	assert_true(has(1, 257, entry_of(0).mac, NULL));
	assert_true(has(UINT32_MAX, 257, entry_of(0).mac, NULL));
}

/* More versions of one inode than an item holds. */
static void finds_versions_across_items(void **state)
{
	struct crypt_index_entry entries[3 * PER_ITEM];

	(void)state;
	for (unsigned i = 0; i < 3 * PER_ITEM; i++) {
		entries[i] = (struct crypt_index_entry){ .inode = i == 0 ? 256 : 300 };
		entries[i].mac[0] = (uint8_t)i;
	}
	for (unsigned i = 0; i < 3; i++)
		put_entries(i, entries + i * PER_ITEM, PER_ITEM);
	for (unsigned i = 1; i < 3 * PER_ITEM; i++)
		assert_true(has(3, 300, entries[i].mac, NULL));
	assert_true(has(3, 256, entries[0].mac, NULL));
	assert_false(has(3, 256, entries[1].mac, NULL));
}

static void refuses_entries_out_of_order(void **state)
{
	struct crypt_index_entry entries[2] = { entry_of(1), entry_of(1) };
	struct error err = { 0 };
	unsigned n = 1;

	(void)state;
	put_entries(0, entries, 2);
	assert_false(inode_index_visit_all(sealed.volume, DOMAIN, count, &n, &err));
	assert_string_equal(err.text, "crypt index item 0: entry 1, of inode 257, is out of order");
}

static void misses_an_item(void **state)
{
	const struct crypt_index_entry entry = entry_of(0);
	struct error err = { 0 };
	unsigned n = 0;

	(void)state;
	put_entries(1, &entry, 1);
	assert_false(inode_index_visit_all(sealed.volume, DOMAIN, count, &n, &err));
	assert_string_equal(err.text, "crypt index item 0 of sealing 7 is missing");
}

static bool count_bad(void *context, const struct crypt_bad_block *bad, struct error *err)
{
	(void)bad, (void)err;
	++*(unsigned *)context;
	return true;
}

static void bad_blocks_ascend(void **state)
{
	struct {
		struct disk_crypt_head head;
		struct disk_crypt_bad_block bad[2];
	} item;
	const struct crypt_bad_block bad[] = { { 1 << 20, 3, BAD_CARRIED }, { 1 << 20, 4, BAD_SKIPPED } };
	const struct key key = crypt_key(DOMAIN, CRYPT_BAD_BLOCKS, 0);
	struct error why = { 0 };
	unsigned n = 0;

	(void)state;
	crypt_head_write(&item.head, CRYPT_BAD_BLOCKS, 2);
	for (unsigned i = 0; i < 2; i++)
		crypt_bad_block_write(&bad[i], &item.bad[i]);
	sealed_insert(&key, &item, sizeof(item));
	sealed_ok(bad_blocks_visit(sealed.volume, DOMAIN, count_bad, &n, err));
	assert_int_equal(n, 2);
	sealed_remove_item(&key);
	crypt_bad_block_write(&bad[0], &item.bad[1]);
	sealed_insert(&key, &item, sizeof(item));
	assert_false(bad_blocks_visit(sealed.volume, DOMAIN, count_bad, &n, &why));
	assert_string_equal(why.text, "crypt bad blocks item 0: block 3 of unit 0x100000 is out of order");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SEALED_TEST(finds_each_version_and_nothing_else),
		SEALED_TEST(finds_versions_across_items),
		SEALED_TEST(refuses_entries_out_of_order),
		SEALED_TEST(misses_an_item),
		SEALED_TEST(bad_blocks_ascend),
	};

	return cmocka_run_group_tests(tests, sealed_make, sealed_remove);
}
