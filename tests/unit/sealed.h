/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A domain with two slots and two members in the root tree of a real filesystem, put there in memory only. */
#ifndef TESTS_UNIT_SEALED_H
#define TESTS_UNIT_SEALED_H

#include "common/sealed/domain.h"
#include "common/tree/transaction.h"
#include "tests/unit/image.h"

#define DOMAIN 7
#define N_FLAGS 2

#define sealed_ok(call) do { \
	struct error sealed_err = { 0 }, *const err = &sealed_err; \
	if (!(call)) \
		fail_msg("%s", sealed_err.text); \
} while (0)

extern const uint8_t sealed_domain_uuid[CRYPT_UUID_SIZE], sealed_uuid_300[UUID_SIZE];

/* One test at a time. */
struct sealed {
	struct image image;
	struct volume *volume;
	struct allocator *allocator;
	struct transaction *tx;
	struct key_schedule *schedule;
	struct secret *volume_key, *alpha, *beta, *wrong;	/* alpha opens slot 0, beta slot 3 */
	struct crypt_header header;
	struct disk_crypt_slot slot[2];				/* numbers 0 and 3 */
};
extern struct sealed sealed;

/* Group setup and teardown: filesystem and keys.  Then for each test: the domain in a running transaction. */
int sealed_make(void **state);
int sealed_remove(void **state);
int sealed_set_up(void **state);
int sealed_tear_down(void **state);
#define SEALED_TEST(name) cmocka_unit_test_setup_teardown(name, sealed_set_up, sealed_tear_down)

void sealed_insert(const struct key *key, const void *bytes, size_t len);
void sealed_insert_at(uint16_t number, enum crypt_kind kind, uint64_t index, const void *bytes, size_t len);
void sealed_remove_item(const struct key *key);
uint8_t *sealed_item(const struct key *key, uint32_t *len);	/* for editing */
void sealed_flip(const struct key *key, size_t at);
struct key sealed_header_key(unsigned copy);
void sealed_put_header(unsigned copy, const struct crypt_header *header);

#endif /* TESTS_UNIT_SEALED_H */
