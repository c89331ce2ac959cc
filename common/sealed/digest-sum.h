/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums of MACs mod 2^256, independent of the order in which they are added. */
#ifndef COMMON_SEALED_DIGEST_SUM_H
#define COMMON_SEALED_DIGEST_SUM_H

#include "common/crypto/key-schedule.h"

struct digest_sum {		/* little-endian words */
	uint64_t word[4];
	uint64_t n_items;
};

void digest_add(struct digest_sum *sum, const uint8_t mac[CRYPT_MAC_SIZE]);
void digest_take_away(struct digest_sum *sum, const uint8_t mac[CRYPT_MAC_SIZE]);	/* must have been added before */
void digest_add_sum(struct digest_sum *to, const struct digest_sum *from);
void digest_sum_bytes(const struct digest_sum *sum, uint8_t bytes[CRYPT_MAC_SIZE]);
/* n_items le64 | sum[32]: the form in which a sum goes into a MAC. */
void digest_mac_update(struct mac *mac, const struct digest_sum *sum);

#endif /* COMMON_SEALED_DIGEST_SUM_H */
