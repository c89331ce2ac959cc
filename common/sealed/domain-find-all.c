/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds what domain_find() finds, for each subvolume of a list. It reads every domain once, one at a
 * time, instead of all of them for each subvolume.
 */
#include "common/sealed/domain.h"

#include <stdlib.h>

struct search_all {
	const struct subvolume_list *list;
	struct domain_found *found;	/* same order as list->at */
	uint32_t unfinished;		/* the number of the domain that is being converted; UINT32_MAX: none, or unknown */
};

/* Among equal claims the first one wins. */
static bool take(struct search_all *s, const struct domain *domain, enum domain_claim least, struct error *err)
{
	enum domain_claim *claims;

	if (!domain_all_claims(domain, s->list, &claims, err))
		return false;
	for (size_t i = 0; i < s->list->n; i++) {
		struct domain_found *found = &s->found[i];

		if (claims[i] < least || claims[i] <= found->claim)
			continue;
		found->claim = claims[i];
		found->number = domain->number;
		found->must_ask = domain_is_being_converted(domain) || claims[i] == DOMAIN_REPLACED;
	}
	free(claims);
	return true;
}

static void take_unread(void *context, const struct crypt_member *member)
{
	const struct search_all *s = context;
	const struct subvolume *subvolume = subvolume_by_id(s->list, member->id);

	if (subvolume && subvolume_has_uuid(subvolume, member->uuid))
		s->found[subvolume - s->list->at].is_of_unread = true;
}

/* The domain cannot be read. If its members can, only they must be asked for later; otherwise all subvolumes must. */
static bool pass_unread(struct search_all *s, uint16_t number, const struct error *why, struct error *err)
{
	struct error unread = { 0 };

	if (why->kind == ERROR_MEMORY)
		return error_memory(err);
	if (why->kind != ERROR_IO && (domain_visit_members(s->list->volume, number, take_unread, s, &unread) || error_is_damage(&unread)))
		return true;
	for (size_t i = 0; i < s->list->n; i++)
		s->found[i].is_of_unread = true;
	return unread.kind == ERROR_MEMORY ? error_memory(err) : true;
}

static bool take_number(struct search_all *s, uint16_t number, enum domain_claim least, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;
	struct error why = { 0 };

	return domain_read(s->list->volume, number, &domain, &why) ? take(s, domain, least, err) : pass_unread(s, number, &why, err);
}

/* A domain that is being converted has its member items in the root tree, but its tag outside. */
static bool take_unfinished(struct search_all *s, struct error *err)
{
	struct volume *volume = s->list->volume;
	cleanup_domain struct domain *domain = NULL;
	struct crypt_state_tail state;
	struct error why = { 0 };

	s->unfinished = UINT32_MAX;
	if (!volume_is_unfinished(volume))
		return true;
	if (crypt_state_read(volume_unfinished_super(volume)->disk.tail, &state, &why))
		s->unfinished = state.domain;
	why = (struct error){ 0 };
	if (domain_read_unfinished(volume, &domain, &why))
		return take_number(s, domain->number, DOMAIN_SNAPSHOT, err) && take(s, domain, DOMAIN_TAG, err);
	return s->unfinished == UINT32_MAX ? why.kind != ERROR_MEMORY || error_memory(err) : pass_unread(s, (uint16_t)s->unfinished, &why, err);
}

bool domain_find_all(const struct subvolume_list *list, struct domain_found **found, struct error *err)
{
	struct search_all s = { .list = list, .found = calloc(list->n + 1, sizeof(*s.found)) };
	uint16_t *numbers = NULL;
	size_t n = 0;
	bool ok = s.found ? take_unfinished(&s, err) && domain_numbers(list->volume, &numbers, &n, err) : error_memory(err);

	for (size_t i = 0; ok && i < n; i++)
		ok = numbers[i] == s.unfinished || take_number(&s, numbers[i], DOMAIN_TAG, err);
	free(numbers);
	if (!ok) {
		free(s.found);
		return false;
	}
	for (size_t i = 0; i < list->n; i++) {
		struct domain_found *at = &s.found[i];

		at->must_ask = at->must_ask || (at->is_of_unread && at->claim < DOMAIN_MEMBER) ||
			       (at->claim == DOMAIN_NONE && root_has_our_tag(&list->at[i].root));
	}
	*found = s.found;
	return true;
}
