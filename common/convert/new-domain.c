/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/new-domain.h"

#include <stdlib.h>

bool new_domain_number(struct volume *volume, uint16_t *number, struct error *err)
{
	uint16_t *numbers;
	size_t n;
	bool used;

	if (!domain_numbers(volume, &numbers, &n, err))
		return false;
	*number = 0;
	do {
		(*number)++;
		used = false;
		for (size_t i = 0; i < n; i++)
			used = used || numbers[i] == *number;
	} while (used && *number < UINT16_MAX);
	free(numbers);
	return !used || error_set(err, ERROR_REFUSED, "the image has no free number for another sealing");
}

bool new_domain_keys(struct crypt_header *header, const struct secret *given, struct key_schedule **schedule, struct secret **volume_key,
		     struct error *err)
{
	static const uint8_t zeros[4];

	do {
		const struct secret *use = given;

		key_schedule_free(*schedule);
		*schedule = NULL;
		secret_free(*volume_key);
		*volume_key = NULL;
		if (!given) {
			if (!secret_random(CRYPT_KEY_SIZE, volume_key, err))
				return false;
			use = *volume_key;
		}
		if (!crypto_random(header->domain_uuid, sizeof(header->domain_uuid), err) ||
		    !key_schedule_new(use, header->domain_uuid, schedule, err) || !key_schedule_kcv(*schedule, header->kcv, err))
			return false;
	} while (memcmp(header->kcv, zeros, sizeof(zeros)) == 0);
	return crypto_random(header->op_id, sizeof(header->op_id), err);
}
