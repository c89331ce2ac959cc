/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which subvolumes belong to one domain: by a member item, or by their tag and ancestors. */
#include "common/sealed/domain.h"

#include <stdlib.h>

#include "common/fs/paths-above.h"
#include "common/sealed/domain-nested.h"
#include "common/util/lower-bound.h"

bool domain_has_tag(const struct domain *domain, const struct root *root)
{
	struct le32 hash;

	memcpy(&hash, domain->header.kcv, sizeof(hash));
	return !root->is_short && root->key_hash == le32(hash) &&
	       strcmp(root->algorithm, crypt_cipher_name(domain->header.cipher)) == 0;
}

const struct crypt_member *domain_member(const struct domain *domain, uint64_t id)
{
	const size_t i = LOWER_BOUND(at, domain->n_members, domain->members[at].id < id);

	return i < domain->n_members && domain->members[i].id == id ? &domain->members[i] : NULL;
}

const struct crypt_member *domain_member_above(const struct domain *domain, const struct crypt_member *member)
{
	const uint32_t above = domain->member_above[member - domain->members];

	return above == PATH_ABOVE_NONE ? NULL : &domain->members[above];
}

static bool is_none(const uint8_t uuid[UUID_SIZE])
{
	static const uint8_t none[UUID_SIZE];

	return memcmp(uuid, none, UUID_SIZE) == 0;
}

static bool has_uuid(const struct root *root)
{
	return root->has_v2 && !root->is_short;
}

const struct crypt_member *domain_member_of(const struct domain *domain, const struct subvolume *subvolume)
{
	const struct crypt_member *const member = domain_member(domain, subvolume->id);

	return member && subvolume_has_uuid(subvolume, member->uuid) ? member : NULL;
}

/* Returns the lowest member with this uuid, or NULL. */
static const struct crypt_member *member_of_uuid(const struct domain *domain, const uint8_t uuid[UUID_SIZE])
{
	const uint32_t *index = domain->member_by_uuid;
	const size_t i = LOWER_BOUND(at, domain->n_members, memcmp(domain->members[index[at]].uuid, uuid, UUID_SIZE) < 0);

	return i < domain->n_members && memcmp(domain->members[index[i]].uuid, uuid, UUID_SIZE) == 0 ? &domain->members[index[i]] : NULL;
}

/* Goes one step up: to a member, to another subvolume, or to neither. */
static const struct crypt_member *step_up(const struct domain *domain, const struct subvolume_list *list, const struct subvolume **subvolume)
{
	const struct root *root = &(*subvolume)->root;
	const struct crypt_member *member;

	if (!has_uuid(root) || is_none(root->parent_uuid)) {
		*subvolume = NULL;
		return NULL;
	}
	member = member_of_uuid(domain, root->parent_uuid);
	*subvolume = member ? NULL : subvolume_by_uuid(list, root->parent_uuid);
	return member;
}

enum domain_claim domain_claims(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume)
{
	if (domain_member_of(domain, subvolume))
		return DOMAIN_MEMBER;
	if (domain_is_replaced(domain, list, subvolume))
		return DOMAIN_REPLACED;
	if (!domain_has_tag(domain, &subvolume->root))
		return DOMAIN_NONE;
	/* A damaged image may have a ring of parents. It is no longer than the list. */
	for (size_t steps = 0; subvolume && steps <= list->n; steps++) {
		if (step_up(domain, list, &subvolume))
			return DOMAIN_SNAPSHOT;
	}
	return DOMAIN_TAG;
}

bool domain_has(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume)
{
	return domain_claims(domain, list, subvolume) >= DOMAIN_SNAPSHOT;
}

/* Marks chains that are not known yet, or being walked. No subvolume has such an id. */
#define CHAIN_UNKNOWN UINT64_MAX
#define CHAIN_WALKED (UINT64_MAX - 1)

/*
 * Goes up from subvolume i until the answer is known, then records it for everyone on the way, so that
 * each is asked once. In a ring there is no answer.
 */
static void walk_chain(const struct domain *domain, const struct subvolume_list *list, uint64_t *reached, uint32_t *way, size_t i)
{
	const struct subvolume *subvolume = &list->at[i];
	uint64_t found = 0;
	size_t n = 0;

	while (subvolume) {
		const size_t at = (size_t)(subvolume - list->at);
		const struct crypt_member *member;

		if (reached[at] != CHAIN_UNKNOWN) {
			found = reached[at] == CHAIN_WALKED ? 0 : reached[at];
			break;
		}
		reached[at] = CHAIN_WALKED;
		way[n++] = (uint32_t)at;
		member = step_up(domain, list, &subvolume);
		if (member)
			found = member->id;
	}
	while (n > 0)
		reached[way[--n]] = found;
}

bool domain_sources(const struct domain *domain, const struct subvolume_list *list, uint64_t **sources, struct error *err)
{
	uint64_t *const reached = reallocarray(NULL, list->n ? list->n : 1, sizeof(*reached));
	uint32_t *const way = reallocarray(NULL, list->n ? list->n : 1, sizeof(*way));

	if (!reached || !way) {
		free(reached);
		free(way);
		return error_memory(err);
	}
	for (size_t i = 0; i < list->n; i++)
		reached[i] = CHAIN_UNKNOWN;
	for (size_t i = 0; i < list->n; i++)
		walk_chain(domain, list, reached, way, i);
	free(way);
	for (size_t i = 0; i < list->n; i++) {
		if (domain_member_of(domain, &list->at[i]) || domain_is_replaced(domain, list, &list->at[i]))
			reached[i] = list->at[i].id;
		else if (!domain_has_tag(domain, &list->at[i].root))
			reached[i] = 0;
	}
	*sources = reached;
	return true;
}

bool domain_all_claims(const struct domain *domain, const struct subvolume_list *list, enum domain_claim **claims, struct error *err)
{
	uint64_t *sources;

	*claims = calloc(list->n + 1, sizeof(**claims));
	if (!*claims)
		return error_memory(err);
	if (!domain_sources(domain, list, &sources, err)) {
		free(*claims);
		return false;
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct subvolume *at = &list->at[i];

		(*claims)[i] = sources[i] == at->id ? domain_claims(domain, list, at) : sources[i] ? DOMAIN_SNAPSHOT :
			       domain_has_tag(domain, &at->root) ? DOMAIN_TAG : DOMAIN_NONE;
	}
	free(sources);
	return true;
}
