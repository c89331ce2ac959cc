/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A leftover state without a domain that could vouch for it. */
#include "common/convert/keyless.h"

#include <stdlib.h>

#include "common/convert/state.h"

/* Is there a domain in the root tree that is half converted or unreadable? */
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
 * A restore of a header that was undone, and had wiped its copies of the keys: the trees are as they were found, where perhaps no header is
 * right. Whoever can write such a state could as well clear it.
 */
static bool is_undone_restore(const struct crypt_state_tail *tail)
{
	return tail->operation == CRYPT_OP_KEYS && le32(tail->disk.flags) & CRYPT_STATE_RESTORE;
}

/*
 * Or a decryption that had wiped the copies of its key slots, but not yet cleared the superblocks. No key can be checked, but if the domain
 * has no crypt items any more, nothing is left that could be undone or lost. This tail is not authenticated, so it is rejected if it
 * contradicts another copy or the existing domains.
 */
bool state_needs_no_key(struct volume *volume, const struct crypt_state_tail *tail, unsigned copy, bool *yes, struct error *err)
{
	struct domain *domain = NULL;
	struct error why;
	bool unfinished;

	*yes = false;
	if ((tail->operation == CRYPT_OP_KEYS && !is_undone_restore(tail)) || tail->phase != CRYPT_PHASE_FINISHED || tail->direction != CRYPT_TO_PLAIN || !state_is_unanimous(volume, tail))
		return true;
	if (!volume_use_copy(volume, copy, err))
		return false;
	if (domain_read_unfinished(volume, &domain, &why) || (!is_undone_restore(tail) && domain_read(volume, tail->domain, &domain, &why))) {
		domain_free(domain);
		return true;
	}
	if (is_undone_restore(tail)) {
		*yes = !error_is_machine(&why);
		return *yes || (*err = why, false);
	}
	/* Items that cannot be read still exist. */
	if (why.kind != ERROR_NOT_FOUND)
		return true;
	if (!any_unfinished(volume, &unfinished, err))
		return false;
	*yes = !unfinished;
	return true;
}
