/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A state that is left over where there is no domain any more that could vouch for it. */
#include <stdlib.h>

#include "common/convert/conversion.h"

/* A domain in the root tree that is half converted, or that nobody can read. */
static bool any_unfinished(struct volume *volume, bool *any, struct error *err)
{
	uint16_t *numbers = NULL;
	size_t n = 0;

	*any = false;
	if (!domain_numbers(volume, &numbers, &n, err))
		return false;
	for (size_t i = 0; i < n && !*any; i++) {
		cleanup_domain struct domain *domain = NULL;
		struct error unread;

		*any = !domain_read(volume, numbers[i], &domain, &unread) || domain->header.state != CRYPT_STATE_SEALED;
	}
	free(numbers);
	return true;
}

/*
 * A decryption that had wiped the copies of its key slots, and not yet cleared the superblocks: no key can be checked, but where the
 * domain has no crypt items any more there is nothing left that could be undone or lost.  Nobody vouches for this tail: one that
 * contradicts another copy, or the domains there are, is not believed.
 */
bool state_needs_no_key(struct volume *volume, const struct crypt_state_tail *tail, unsigned copy, bool *yes, struct error *err)
{
	struct domain *domain = NULL;
	struct error why;
	bool unfinished;

	*yes = false;
	if (tail->phase != CRYPT_PHASE_FINISHED || tail->direction != CRYPT_TO_PLAIN || !state_is_unanimous(volume, tail))
		return true;
	if (!volume_use_copy(volume, copy, err))
		return false;
	if (domain_read_unfinished(volume, &domain, &why) || domain_read(volume, tail->domain, &domain, &why)) {
		domain_free(domain);
		return true;
	}
	/* Items that cannot be read are items all the same. */
	if (why.kind != ERROR_NOT_FOUND)
		return true;
	if (!any_unfinished(volume, &unfinished, err))
		return false;
	*yes = !unfinished;
	return true;
}
