/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adds numbers of 256 bits. */
#include "common/sealed/digest-sum.h"

static void add(uint64_t to[4], const uint64_t word[4])
{
	unsigned carry = 0;

	for (unsigned i = 0; i < 4; i++) {
		const unsigned __int128 total = (unsigned __int128)to[i] + word[i] + carry;

		to[i] = (uint64_t)total;
		carry = (unsigned)(total >> 64);
	}
}

static void words_of(const uint8_t mac[CRYPT_MAC_SIZE], uint64_t word[4])
{
	for (unsigned i = 0; i < 4; i++) {
		struct le64 disk;

		memcpy(&disk, mac + 8 * i, sizeof(disk));
		word[i] = le64(disk);
	}
}

void digest_add(struct digest_sum *sum, const uint8_t mac[CRYPT_MAC_SIZE])
{
	uint64_t word[4];

	words_of(mac, word);
	add(sum->word, word);
	sum->n_items++;
}

/* Subtracts by adding 2^256 minus the number. */
void digest_take_away(struct digest_sum *sum, const uint8_t mac[CRYPT_MAC_SIZE])
{
	static const uint64_t one[4] = { 1 };
	uint64_t word[4];

	words_of(mac, word);
	for (unsigned i = 0; i < 4; i++)
		word[i] = ~word[i];
	add(sum->word, word);
	add(sum->word, one);
	sum->n_items--;
}

void digest_add_sum(struct digest_sum *to, const struct digest_sum *from)
{
	add(to->word, from->word);
	to->n_items += from->n_items;
}

void digest_sum_bytes(const struct digest_sum *sum, uint8_t bytes[CRYPT_MAC_SIZE])
{
	for (unsigned i = 0; i < 4; i++) {
		const struct le64 disk = to_le64(sum->word[i]);

		memcpy(bytes + 8 * i, &disk, sizeof(disk));
	}
}

void digest_mac_update(struct mac *mac, const struct digest_sum *sum)
{
	const struct le64 n_items = to_le64(sum->n_items);
	uint8_t bytes[CRYPT_MAC_SIZE];

	digest_sum_bytes(sum, bytes);
	mac_update(mac, &n_items, sizeof(n_items));
	mac_update(mac, bytes, sizeof(bytes));
}
