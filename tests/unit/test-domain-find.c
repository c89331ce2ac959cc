/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which domain a subvolume belongs to. */
#include "common/sealed/domain.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/count-compared.h"	/* each comparison of paths is one */
#include "tests/unit/sealed.h"

static const uint8_t uuid_400[UUID_SIZE] = { 4 }, uuid_500[UUID_SIZE] = { 5 };

static struct subvolume subvolume(uint64_t id, const uint8_t *uuid, const uint8_t *parent, bool tagged)
{
	struct subvolume s = { .id = id, .root = { .has_v2 = true, .refs = 1 } };
	struct le32 hash;

	memcpy(&hash, sealed.header.kcv, sizeof(hash));
	memcpy(s.root.uuid, uuid, UUID_SIZE);
	if (parent)
		memcpy(s.root.parent_uuid, parent, UUID_SIZE);
	if (tagged) {
		strcpy(s.root.algorithm, "aes-256-gcm");
		s.root.key_hash = le32(hash);
	}
	return s;
}

/* Each reading of a domain sorts its members, by this. */
static size_t n_sorted;

void qsort_r(void *base, size_t n, size_t size, int (*compare)(const void *, const void *, void *), void *context)
{
	void (*sort)(void *, size_t, size_t, int (*)(const void *, const void *, void *), void *);

	*(void **)&sort = dlsym(RTLD_NEXT, "qsort_r");
	n_sorted++;
	sort(base, n, size, compare, context);
}

/* ERROR_NONE: found; ERROR_NOT_FOUND: not sealed. */
static enum error_kind find(const struct subvolume_list *list, size_t i)
{
	cleanup_domain struct domain *domain = NULL;
	struct error err = { 0 };

	if (!domain_find(sealed.volume, list, &list->at[i], &domain, &err))
		return err.kind;
	assert_true(!domain || domain->number == DOMAIN);
	return domain ? ERROR_NONE : ERROR_NOT_FOUND;
}

static void finds_members_and_their_snapshots(void **state)
{
	static const uint8_t other[UUID_SIZE] = { 9 }, gone[UUID_SIZE] = { 8 }, ring[UUID_SIZE] = { 7 };
	struct subvolume at[] = {
		subvolume(300, sealed_uuid_300, NULL, true), subvolume(400, uuid_400, sealed_uuid_300, true),
		subvolume(500, uuid_500, uuid_400, true), subvolume(600, other, sealed_uuid_300, false),
		subvolume(700, ring, ring, true), subvolume(800, gone, NULL, true),
	};
	struct subvolume_list list = { .volume = sealed.volume, .at = at, .n = sizeof(at) / sizeof(at[0]) };
	cleanup_domain struct domain *domain = NULL;

	(void)state;
	sealed_ok(domain_read(sealed.volume, DOMAIN, &domain, err));
	assert_non_null(domain_member(domain, 300));
	assert_null(domain_member(domain, 301));
	assert_true(domain_has(domain, &list, &at[0]));
	assert_true(domain_has(domain, &list, &at[1]));
	assert_true(domain_has(domain, &list, &at[2]));
	assert_false(domain_has(domain, &list, &at[3]));
	assert_false(domain_has(domain, &list, &at[4]));
	assert_int_equal(find(&list, 0), ERROR_NONE);
	assert_int_equal(find(&list, 2), ERROR_NONE);
	assert_int_equal(find(&list, 3), ERROR_NOT_FOUND);
	assert_int_equal(find(&list, 5), ERROR_NONE);	/* by its tag alone */
	/* Its id, another uuid: another subvolume, of which its tag decides; of snapshots the uuid is enough */
	memcpy(at[0].root.uuid, other, UUID_SIZE);
	assert_true(domain_has(domain, &list, &at[1]));
	assert_null(domain_member_of(domain, &at[0]));
	assert_int_equal(domain_claims(domain, &list, &at[0]), DOMAIN_TAG);
	at[0].root.algorithm[0] = '\0';
	assert_int_equal(domain_claims(domain, &list, &at[0]), DOMAIN_NONE);
	assert_int_equal(find(&list, 0), ERROR_NOT_FOUND);
	/* Tags of nobody here, and of the format of 2016 */
	at[5].root.key_hash ^= 1;
	assert_int_equal(find(&list, 5), ERROR_CORRUPT);
	strcpy(at[5].root.algorithm, "ctr(aes)");
	assert_int_equal(find(&list, 5), ERROR_NOT_FOUND);
}

/* Without a tag, with that of nobody, with that of the format of 2016; and where the domain cannot be read: never "not sealed". */
static void a_member_is_one_whatever_its_tag_says(void **state)
{
	static const char *const tags[] = { "", "chacha-poly1305", "ctr(aes)" };
	struct subvolume at[] = { subvolume(300, sealed_uuid_300, NULL, false), subvolume(301, sealed_uuid_300, NULL, false) };
	struct subvolume_list list = { .volume = sealed.volume, .at = at, .n = sizeof(at) / sizeof(at[0]) };

	(void)state;
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		strcpy(at[0].root.algorithm, tags[i]);
		at[0].root.key_hash = (uint32_t)i;
		assert_int_equal(find(&list, 0), ERROR_NONE);
	}
	at[0].root.algorithm[0] = '\0';
	assert_int_equal(find(&list, 1), ERROR_NOT_FOUND);
	for (unsigned copy = 0; copy < 2; copy++) {
		const struct key key = sealed_header_key(copy);

		sealed_flip(&key, 8);
	}
	assert_int_equal(find(&list, 0), ERROR_KEY_HEADER);
	assert_int_equal(find(&list, 1), ERROR_NOT_FOUND);
}

static void a_header_that_says_unfinished_is_believed(void **state)
{
	struct crypt_header header = sealed.header;
	struct error error = { 0 };

	(void)state;
	sealed_ok(domain_check_finished(sealed.volume, NULL, err));
	header.state = CRYPT_STATE_UNSEALING;
	sealed_put_header(0, &header);
	sealed_put_header(1, &header);
	assert_false(domain_check_finished(sealed.volume, NULL, &error));
	assert_int_equal(error.kind, ERROR_STATE);
	assert_string_equal(error.text, "the header of sealing 7 says that its conversion has not finished, but no superblock does");
}

#define N_CHAIN 40000u

/* Numbers instead of uuids. */
static void numbered(uint8_t uuid[UUID_SIZE], uint32_t number)
{
	memset(uuid, 0xcc, UUID_SIZE);
	memcpy(uuid, &number, sizeof(number));
}

/* Each is a snapshot of the next one: the first half of a member at last, the other half in a ring.  Step by step that would take for ever. */
static void walks_long_chains_and_rings_once(void **state)
{
	struct subvolume *at = calloc(N_CHAIN, sizeof(*at));
	struct subvolume_list list = { .volume = sealed.volume, .at = at, .n = N_CHAIN };
	cleanup_domain struct domain *domain = NULL;
	uint64_t *sources = NULL;

	(void)state;
	assert_non_null(at);
	for (uint32_t i = 0; i < N_CHAIN; i++) {
		uint8_t own[UUID_SIZE], parent[UUID_SIZE];
		const uint32_t above = i + 1 < N_CHAIN ? i + 1 : N_CHAIN / 2;

		numbered(own, i * 2654435761u);
		numbered(parent, above * 2654435761u);
		at[i] = subvolume(1000 + i, own, i == N_CHAIN / 2 - 1 ? sealed_uuid_300 : parent, i % 3 > 0);
	}
	sealed_ok(subvolume_list_index(&list, err));
	sealed_ok(domain_read(sealed.volume, DOMAIN, &domain, err));
	sealed_ok(domain_sources(domain, &list, &sources, err));
	for (uint32_t i = 0; i < N_CHAIN; i++)
		assert_int_equal(sources[i], i < N_CHAIN / 2 && i % 3 > 0 ? 300 : 0);
	for (uint32_t i = 0; i < N_CHAIN; i += N_CHAIN / 8 + 1)
		assert_int_equal(domain_has(domain, &list, &at[i]), sources[i] != 0);
	/* A member needs neither tag nor parent; with another uuid it is none. */
	at[0].id = at[3].id = 300;
	memcpy(at[3].root.uuid, sealed_uuid_300, UUID_SIZE);
	free(sources);
	sealed_ok(domain_sources(domain, &list, &sources, err));
	assert_int_equal(sources[0], 0);
	assert_int_equal(sources[3], 300);
	free(sources);
	subvolume_list_free(&list);
}

#define MANY 9		/* the number of a domain of many members */
#define N_MANY 3000u
#define N_OTHERS 5u

/* Members in each other by twos, all of them below the first. */
static void insert_many(void)
{
	struct crypt_member member = { .id = 1000, .path = "top", .path_len = 3 };
	struct crypt_header header = sealed.header;
	struct disk_crypt_header disk;
	uint8_t bytes[CRYPT_MEMBER_MAX];

	header.domain = MANY;
	memset(header.slot_hash, 0, sizeof(header.slot_hash));
	header.n_inode_flags_items = 0;
	header.n_members = N_MANY;
	crypt_header_write(&header, &disk);
	sealed_insert_at(MANY, CRYPT_HEADER, 0, &disk, sizeof(disk));
	for (uint32_t i = 0; i < N_MANY; i++) {
		numbered(member.uuid, i);
		member.id = 1000 + i;
		if (i > 0)
			member.path_len = (uint16_t)snprintf((char *)member.path, sizeof(member.path), i % 2 ? "top/%u" : "top/%u/in", i - (i % 2 == 0));
		sealed_insert_at(MANY, CRYPT_MEMBER, i, bytes, crypt_member_write(&member, bytes));
	}
}

/* Subvolumes with their ids, of which those with an even number are other ones. */
static void make_many(struct subvolume_list *list)
{
	list->at = calloc(N_MANY + N_OTHERS, sizeof(*list->at));
	assert_non_null(list->at);
	for (uint32_t i = 0; i < N_MANY; i++) {
		uint8_t uuid[UUID_SIZE];

		numbered(uuid, i == 0 || i % 2 ? i : i + N_MANY);
		list->at[i] = subvolume(1000 + i, uuid, NULL, false);
	}
	list->n = N_MANY;
	sealed_ok(subvolume_list_index(list, err));
}

static void replaced_members_cost_no_look_at_all_the_others(void **state)
{
	struct subvolume_list list = { .volume = sealed.volume };
	cleanup_domain struct domain *domain = NULL;
	uint64_t *sources;

	(void)state;
	insert_many();
	make_many(&list);
	n_compared = 0;
	sealed_ok(domain_read(sealed.volume, MANY, &domain, err));
	sealed_ok(domain_sources(domain, &list, &sources, err));
	if (n_compared > 100u * N_MANY)
		fail_msg("%zu comparisons for %u members", n_compared, N_MANY);
	/* Where the trees of those above, which are not there, cannot be read, they are taken for replaced. */
	for (uint32_t i = 0; i < N_MANY; i++) {
		assert_int_equal(sources[i], 1000 + i);
		assert_int_equal(domain_claims(domain, &list, &list.at[i]), i == 0 || i % 2 ? DOMAIN_MEMBER : DOMAIN_REPLACED);
	}
	free(sources);
	subvolume_list_free(&list);
}

/* As domain_find() says of each. */
static void expect_same(const struct subvolume_list *list, const struct domain_found *found, size_t from)
{
	for (size_t i = from; i < list->n; i++) {
		cleanup_domain struct domain *domain = NULL;
		struct error error = { 0 };
		const bool asked = domain_find(sealed.volume, list, &list->at[i], &domain, &error);

		assert_int_equal(found[i].must_ask, !asked);
		if (!asked)
			continue;
		assert_int_equal(found[i].claim > DOMAIN_NONE, domain != NULL);
		if (domain)
			assert_int_equal(found[i].number, domain->number);
	}
}

static void finds_those_of_all_subvolumes_in_one_reading(void **state)
{
	struct subvolume_list list = { .volume = sealed.volume };
	struct domain_found *found;

	(void)state;
	insert_many();
	make_many(&list);
	/* A member of the other domain; a snapshot of it, two that have its tag only, that of nobody, and what is not sealed. */
	list.at[0] = subvolume(300, sealed_uuid_300, NULL, false);
	for (uint64_t i = 0; i < N_OTHERS; i++)
		list.at[list.n++] = subvolume(1000 + N_MANY + i, uuid_400, i == 0 ? sealed_uuid_300 : NULL, i < N_OTHERS - 1);
	list.at[list.n - 2].root.key_hash ^= 1;
	n_sorted = 0;
	sealed_ok(domain_find_all(&list, &found, err));
	if (n_sorted > 8)
		fail_msg("members sorted %zu times, for two domains", n_sorted);
	expect_same(&list, found, N_MANY - 10);
	assert_int_equal(found[0].claim, DOMAIN_MEMBER);
	assert_int_equal(found[0].number, DOMAIN);
	assert_int_equal(found[7].claim, DOMAIN_MEMBER);
	assert_int_equal(found[7].number, MANY);
	assert_int_equal(found[8].claim, DOMAIN_REPLACED);
	assert_int_equal(found[N_MANY].claim, DOMAIN_SNAPSHOT);
	assert_int_equal(found[N_MANY + 1].claim, DOMAIN_TAG);
	assert_int_equal(found[N_MANY + N_OTHERS - 2].claim, DOMAIN_NONE);
	free(found);
	/* What cannot be read leaves its members, and no others, to be asked for. */
	for (unsigned copy = 0; copy < 2; copy++) {
		const struct key key = sealed_header_key(copy);

		sealed_flip(&key, 8);
	}
	sealed_ok(domain_find_all(&list, &found, err));
	expect_same(&list, found, N_MANY - 10);
	assert_true(found[0].must_ask);
	assert_false(found[7].must_ask);
	free(found);
	subvolume_list_free(&list);
}

static void lists_domains(void **state)
{
	cleanup_domain struct domain *domain = NULL;
	struct error error = { 0 };
	uint16_t *numbers = NULL;
	size_t n = 0;

	(void)state;
	sealed_insert_at(0, CRYPT_UNITS, 5, "left over", 9);
	sealed_insert_at(UINT16_MAX, CRYPT_SLOT, 0, &sealed.slot[0], sizeof(sealed.slot[0]));
	sealed_ok(domain_numbers(sealed.volume, &numbers, &n, err));
	assert_int_equal(n, 3);
	assert_int_equal(numbers[0], 0);
	assert_int_equal(numbers[1], DOMAIN);
	assert_int_equal(numbers[2], UINT16_MAX);
	free(numbers);
	assert_false(domain_read(sealed.volume, 8, &domain, &error));
	assert_int_equal(error.kind, ERROR_NOT_FOUND);
	assert_false(domain_read(sealed.volume, UINT16_MAX, &domain, &error));
	assert_int_equal(error.kind, ERROR_KEY_HEADER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SEALED_TEST(finds_members_and_their_snapshots),
		SEALED_TEST(walks_long_chains_and_rings_once),
		SEALED_TEST(replaced_members_cost_no_look_at_all_the_others),
		SEALED_TEST(finds_those_of_all_subvolumes_in_one_reading),
		SEALED_TEST(lists_domains),
		SEALED_TEST(a_member_is_one_whatever_its_tag_says),
		SEALED_TEST(a_header_that_says_unfinished_is_believed),
	};

	return cmocka_run_group_tests(tests, sealed_make, sealed_remove);
}
