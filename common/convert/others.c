/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/others.h"

#include <stdlib.h>

bool others_look(struct volume *volume, uint16_t own, const uint8_t kcv_old[CRYPT_MAC_SIZE], struct others *others, struct error *err)
{
	struct error unreadable = { 0 };
	uint16_t *numbers = NULL;
	size_t n = 0;
	bool ok = true;

	*others = (struct others){ 0 };
	if (!domain_numbers(volume, &numbers, &n, &unreadable))
		return unreadable.kind != ERROR_MEMORY || error_memory(err);
	others->at = calloc(n + 1, sizeof(*others->at));
	if (!others->at)
		ok = error_memory(err);
	for (size_t i = 0; ok && i < n; i++) {
		cleanup_domain struct domain *domain = NULL;

		if (numbers[i] == own || !domain_read(volume, numbers[i], &domain, &unreadable) ||
		    memcmp(domain->header.kcv, kcv_old, CRYPT_MAC_SIZE) == 0)
			continue;
		others->at[others->n].number = numbers[i];
		memcpy(others->at[others->n++].mac, domain->header.mac, CRYPT_MAC_SIZE);
	}
	free(numbers);
	return ok;
}

bool others_check(struct volume *volume, const struct others *others, struct error *err)
{
	for (size_t i = 0; i < others->n; i++) {
		const struct other *const other = &others->at[i];
		cleanup_domain struct domain *domain = NULL;
		bool same = false;

		if (!domain_read(volume, other->number, &domain, err) && err->kind == ERROR_MEMORY)
			return false;
		for (unsigned k = 0; domain && k < 2; k++)
			same |= domain->copy_valid[k] && memcmp(domain->copy[k].mac, other->mac, CRYPT_MAC_SIZE) == 0;
		if (!same) {
			error_set(err, ERROR_STATE, "the journal is older than the header of sealing %u, which it would undo", other->number);
			return error_hint(err, "somebody put back an old state of a conversion, or of a change of key slots, that has ended since");
		}
	}
	return true;
}
