/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proofs of inodes whose names take turns: each inode is gone through once, not once for each name. */
#include "common/sealed/inode-proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/sealed/inode-version.h"
#include "common/sealed/proof-memory.h"
#include "format/ondisk.h"
#include "tests/unit/no-units.h"
#include "tests/unit/sealed.h"

#define FIRST 100000	/* no file of the image has a number this high */
#define N_INODES 40
#define N_NAMES 50	/* of each */
#define DIRECTORY 256

static size_t name_of(char name[16], unsigned inode, unsigned i)
{
	return (size_t)snprintf(name, 16, "name-%u-%u", inode, i);
}

/* Into a tree that may be changed in memory: what is proven of an inode is the same in any. */
static void insert(uint64_t objectid, uint8_t type, uint64_t offset, const void *bytes, size_t len)
{
	const struct key key = { objectid, type, offset };

	sealed_insert(&key, bytes, len);
}

static void insert_inode(unsigned number)
{
	struct disk_inode_item inode = { .nlink = to_le32(N_NAMES), .mode = to_le32(S_IFREG | 0644) };
	uint8_t refs[N_NAMES * (sizeof(struct disk_inode_ref) + 16)];
	size_t len = 0;

	for (unsigned i = 0; i < N_NAMES; i++) {
		struct disk_inode_ref ref = { .index = to_le64(i + 2) };
		char name[16];
		const size_t name_len = name_of(name, number, i);

		ref.name_len = to_le16((uint16_t)name_len);
		memcpy(refs + len, &ref, sizeof(ref));
		memcpy(refs + len + sizeof(ref), name, name_len);
		len += sizeof(ref) + name_len;
	}
	insert(FIRST + number, KEY_INODE_ITEM, 0, &inode, sizeof(inode));
	insert(FIRST + number, KEY_INODE_REF, DIRECTORY, refs, len);
}

/* The entries of the first n inodes, as sealing makes them. */
static void insert_index(const struct tree *tree, unsigned n)
{
	static const struct unit_finder nothing = { no_extent, no_payload, NULL };
	const struct canonical_input input = {
		.kind = DIGEST_SEALED, .volume = sealed.volume, .schedule = sealed.schedule, .finder = &nothing,
	};
	cleanup_canonical struct canonical canonical = { 0 };
	struct {
		struct disk_crypt_head head;
		struct disk_crypt_index_entry entry[N_INODES];
	} item;

	crypt_head_write(&item.head, CRYPT_INDEX, n);
	sealed_ok(canonical_open(&input, &canonical, err));
	for (unsigned i = 0; i < n; i++) {
		struct orphan_memory orphans = { 0 };
		const struct inode_versions from = { &canonical, &orphans, tree, NULL };
		struct inode_version version;
		struct crypt_index_entry entry;

		sealed_ok(inode_version_read(&from, FIRST + i, INODE_PARTS_ALL, &version, err));
		assert_int_equal(inode_version_items(&version), 2);
		sealed_ok(inode_version_entry(&canonical, &version, INODE_ENTRY_FILE, &entry, err));
		crypt_index_write(&entry, &item.entry[i]);
	}
	sealed_insert_at(DOMAIN, CRYPT_INDEX, 0, &item, sizeof(item.head) + n * sizeof(item.entry[0]));
}

static bool proves(struct inode_prover *prover, const struct tree *tree, unsigned inode, unsigned i)
{
	char name[16];
	const size_t len = name_of(name, inode, i);
	bool proven;

	sealed_ok(inode_prove_name(prover, tree, (struct name_to_prove){ FIRST + inode, false, DIRECTORY, name, len }, &proven, err));
	return proven;
}

static void names_that_take_turns_cost_one_proof_of_each(void **state)
{
	cleanup_domain struct domain *domain = NULL;
	struct inode_prover *prover;
	struct tree tree;
	bool proven;

	(void)state;
	for (unsigned i = 0; i < N_INODES; i++)
		insert_inode(i);
	sealed_ok(tree_open(sealed.volume, ROOT_TREE_ID, &tree, err));
	insert_index(&tree, N_INODES - 1);	/* the last one was planted */
	sealed_ok(tree_open(sealed.volume, ROOT_TREE_ID, &tree, err));
	sealed_ok(domain_read(sealed.volume, DOMAIN, &domain, err));
	domain->schedule = sealed.schedule;
	domain->header.n_index_items = 1;
	sealed_ok(inode_prover_new(domain, &prover, err));
	for (unsigned i = 0; i < N_NAMES; i++) {
		for (unsigned inode = 0; inode < N_INODES; inode++)
			assert_int_equal(proves(prover, &tree, inode, i), inode < N_INODES - 1);
	}
	/* The planted one is looked at twice: the second time by tags. */
	assert_int_equal(inode_prover_proofs(prover), N_INODES + 1);
	/* No name that it has not, nor one of another, for what is remembered. */
	sealed_ok(inode_prove_name(prover, &tree, (struct name_to_prove){ FIRST, false, DIRECTORY, "name-1-0", 8 }, &proven, err));
	assert_false(proven);
	sealed_ok(inode_prove_name(prover, &tree, (struct name_to_prove){ FIRST, false, DIRECTORY + 1, "name-0-0", 8 }, &proven, err));
	assert_false(proven);
	assert_true(proves(prover, &tree, 0, 0));
	assert_int_equal(inode_prover_proofs(prover), N_INODES + 1);
	inode_prover_free(prover);
	domain->schedule = NULL;
}

static void remembers_as_many_as_there_is_room_for(void **state)
{
	const uint64_t n = 3 * PROOF_MEMORY_ROWS * PROOF_MEMORY_WAYS;
	struct proof_memory memory = { 0 };
	struct error gap = { 0 };
	uint64_t kept = 0;

	(void)state;
	error_set(&gap, ERROR_CORRUPT, "a gap");
	assert_null(proof_memory_find(&memory, 5, 1, INODE_ENTRY_FILE));
	for (uint64_t i = 0; i < n; i++) {
		proof_memory_add(&memory, 5, i, INODE_ENTRY_FILE, i % 2, i % 3 ? NULL : &gap);
		assert_non_null(proof_memory_find(&memory, 5, 0, INODE_ENTRY_FILE));	/* what is asked for stays */
	}
	for (uint64_t i = 0; i < n; i++) {
		const struct proof_memo *memo = proof_memory_find(&memory, 5, i, INODE_ENTRY_FILE);

		if (!memo)
			continue;
		kept++;
		assert_int_equal(memo->proven, i % 2);
		assert_int_equal(memo->gap != NULL, i % 3 == 0);
		if (memo->gap)
			assert_string_equal(memo->gap->text, "a gap");
	}
	assert_true(kept <= PROOF_MEMORY_ROWS * PROOF_MEMORY_WAYS);
	assert_true(kept > PROOF_MEMORY_ROWS * PROOF_MEMORY_WAYS / 2);
	assert_null(proof_memory_find(&memory, 5, n - 1, INODE_ENTRY_NAMES));
	assert_null(proof_memory_find(&memory, 6, n - 1, INODE_ENTRY_FILE));
	assert_non_null(proof_memory_find(&memory, 5, n - 1, INODE_ENTRY_FILE));
	proof_memory_free(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SEALED_TEST(names_that_take_turns_cost_one_proof_of_each),
		cmocka_unit_test(remembers_as_many_as_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, sealed_make, sealed_remove);
}
