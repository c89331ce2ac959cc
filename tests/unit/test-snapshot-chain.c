/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chains of snapshots: direct, over others, of a source that is gone, rings, and those that belong to nobody. */
#include "common/fs/snapshot-chain.h"

#include <stdlib.h>

#include "tests/unit/fs-image.h"

#define N 8
#define MANY 200000

/* uuid and source are small numbers, 0 for none. */
static struct subvolume made(uint32_t uuid, uint32_t source)
{
	struct subvolume subvolume = { .root = { .has_v2 = true } };

	memcpy(subvolume.root.uuid, &uuid, sizeof(uuid));
	memcpy(subvolume.root.parent_uuid, &source, sizeof(source));
	return subvolume;
}

static void finds_chains(void **state)
{
	struct subvolume at[N] = {
		made(0, 0),	/* the top level of an old filesystem */
		made(1, 9), made(2, 1), made(3, 2),	/* a chain, whose first source is gone */
		made(4, 9),	/* another snapshot of it */
		made(5, 0), made(0, 0),
		made(6, 5),
	};
	const struct subvolume_list list = { .at = at, .n = N };
	static const uint32_t with[N] = { 0, 1, 1, 1, 1, 5, 6, 5 };
	uint32_t *chain = NULL;

	(void)state;
	ok(snapshot_chains(&list, &chain, err));
	for (size_t i = 0; i < N; i++) {
		for (size_t j = 0; j < N; j++)
			assert_int_equal(chain[i] == chain[j], with[i] == with[j]);
	}
	free(chain);
}

static void an_old_item_has_no_uuids(void **state)
{
	struct subvolume at[] = { made(1, 0), made(2, 1), made(3, 1) };
	const struct subvolume_list list = { .at = at, .n = 3 };
	uint32_t *chain = NULL;

	(void)state;
	at[1].root.has_v2 = false;
	at[2].root.is_short = true;
	ok(snapshot_chains(&list, &chain, err));
	assert_int_not_equal(chain[0], chain[1]);
	assert_int_not_equal(chain[0], chain[2]);
	assert_int_not_equal(chain[1], chain[2]);
	free(chain);
}

/* As an image may claim: a ring, as long as it likes. */
static void a_long_ring_is_one_chain(void **state)
{
	struct subvolume *const at = calloc(MANY, sizeof(*at));
	const struct subvolume_list list = { .at = at, .n = MANY };
	uint32_t *chain = NULL;

	(void)state;
	assert_non_null(at);
	for (uint32_t i = 0; i < MANY; i++)
		at[i] = made(i + 1, (i + 1) % MANY + 1);
	ok(snapshot_chains(&list, &chain, err));
	for (size_t i = 1; i < MANY; i++)
		assert_int_equal(chain[i], chain[0]);
	free(chain);
	free(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_chains),
		cmocka_unit_test(an_old_item_has_no_uuids),
		cmocka_unit_test(a_long_ring_is_one_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
