/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/crypto/recovery-key.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/util/take.h"

#define DATA_CHARS (RECOVERY_GROUP_CHARS - 1)
#define N_CHARS (RECOVERY_GROUPS * RECOVERY_GROUP_CHARS)
#define GROUPS_TO_TELL 5u	/* with fewer groups right, it is some passphrase of that length */

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";	/* none of I, L, O, U */

/* Times x in GF(2^5) with x^5 + x^2 + 1. */
static uint8_t times_x(uint8_t value)
{
	return (uint8_t)(value & 16 ? (value << 1 & 31) ^ 5 : value << 1);
}

/* Every wrong character, and every two that changed places, give another one; the number of the group is in it, so groups do not, either. */
static uint8_t check_of(unsigned group, const uint8_t values[DATA_CHARS])
{
	uint8_t sum = (uint8_t)(group + 1);

	for (unsigned i = 0; i < DATA_CHARS; i++)
		sum = times_x(sum ^ values[i]);
	return sum;
}

static uint8_t bits_at(const uint8_t *bytes, unsigned bit)
{
	const unsigned next = bit / 8 + 1 < CRYPT_RECOVERY_SIZE ? bytes[bit / 8 + 1] : 0;

	return (uint8_t)((((unsigned)bytes[bit / 8] << 8 | next) >> (11 - bit % 8)) & 31);
}

bool recovery_key_text(const struct secret *key, struct secret **text, struct error *err)
{
	uint8_t values[DATA_CHARS];
	uint8_t *at;

	if (!secret_new(RECOVERY_TEXT_LEN, text, err))
		return false;
	at = secret_bytes(*text);
	for (unsigned group = 0; group < RECOVERY_GROUPS; group++) {
		if (group > 0)
			*at++ = '-';
		for (unsigned i = 0; i < DATA_CHARS; i++) {
			values[i] = bits_at(secret_view(key), (group * DATA_CHARS + i) * 5);
			*at++ = (uint8_t)alphabet[values[i]];
		}
		*at++ = (uint8_t)alphabet[check_of(group, values)];
	}
	secret_wipe(values, sizeof(values));
	return true;
}

/* 32: it is no character of a recovery key. */
static uint8_t value_of(uint8_t c)
{
	const int upper = toupper(c);
	const char *const at = strchr(alphabet, upper == 'O' ? '0' : upper == 'I' || upper == 'L' ? '1' : upper);

	return at && c ? (uint8_t)(at - alphabet) : 32;
}

/* The values of all characters. False: it does not look like a recovery key at all. */
static bool take_values(const struct secret *text, uint8_t values[N_CHARS])
{
	size_t n = 0;

	for (size_t i = 0; i < secret_len(text); i++) {
		const uint8_t c = secret_view(text)[i];

		if (c == ' ' || c == '-' || c == '\t' || c == '\n' || c == '\r')
			continue;
		if (n == N_CHARS || value_of(c) == 32)
			return false;
		values[n++] = value_of(c);
	}
	return n == N_CHARS;
}

static bool tell_wrong(const bool right[RECOVERY_GROUPS], struct error *err)
{
	char list[48] = "";
	unsigned n = 0;

	for (unsigned group = 0; group < RECOVERY_GROUPS; group++) {
		if (!right[group])
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%u", n++ ? ", " : "", group + 1);
	}
	return error_set(err, ERROR_KEY, "the recovery key is mistyped in group%s %s of %u", n == 1 ? "" : "s", list, RECOVERY_GROUPS);
}

static void put_bits(uint8_t *bytes, unsigned bit, uint8_t value)
{
	for (unsigned i = 0; i < 5; i++)
		bytes[(bit + i) / 8] |= (uint8_t)((value >> (4 - i) & 1) << (7 - (bit + i) % 8));
}

bool recovery_key_read(const struct secret *text, struct secret **key, struct error *err)
{
	cleanup_secret struct secret *read = NULL, *values = NULL;
	bool right[RECOVERY_GROUPS];
	unsigned n_right = 0;

	*key = NULL;
	if (!secret_new(N_CHARS, &values, err) || !secret_new(CRYPT_RECOVERY_SIZE, &read, err))
		return false;
	if (!take_values(text, secret_bytes(values)))
		return true;
	for (unsigned group = 0; group < RECOVERY_GROUPS; group++) {
		const uint8_t *const at = secret_view(values) + group * RECOVERY_GROUP_CHARS;

		right[group] = check_of(group, at) == at[DATA_CHARS];
		n_right += right[group];
		for (unsigned i = 0; i < DATA_CHARS; i++)
			put_bits(secret_bytes(read), (group * DATA_CHARS + i) * 5, at[i]);
	}
	if (n_right == RECOVERY_GROUPS)
		*key = TAKE(read);
	return n_right == RECOVERY_GROUPS || n_right < GROUPS_TO_TELL || tell_wrong(right, err);
}
