/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the domain of a subvolume and its list of inline units. */
#include "cmd/stat-seal.h"

#include <stdlib.h>

#include "cmd/key-options.h"
#include "cmd/print.h"
#include "common/sealed/domain-keyring.h"
#include "common/sealed/inline-hint.h"
#include "common/util/take.h"

static bool find_member(const struct subvolume_list *list, const struct subvolume *subvolume, const struct domain *domain, uint64_t *member,
			struct error *err)
{
	uint64_t *sources = NULL;

	if (!domain_sources(domain, list, &sources, err))
		return false;
	*member = sources[subvolume - list->at];
	free(sources);
	return true;
}

static bool read_seal(const struct subvolume_list *list, const struct subvolume *subvolume, struct stat_seal *seal, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;
	cleanup_secret struct secret *volume_key = NULL;

	if (!domain_find(list->volume, list, subvolume, &domain, err))
		return false;
	if (!domain)
		return legacy_shown_read(list, subvolume, false, &seal->legacy, err);
	seal->domain = domain->header.domain;
	seal->is_sealed = true;
	domain_tag_text(domain, seal->tag);
	if (!key_options_no_keyring() && !domain_keyring_find(domain, NULL, &seal->key, &volume_key, err))
		return false;
	if (!find_member(list, subvolume, domain, &seal->member, err))
		return false;
	if (!domain->unfinished) {
		seal->crypt = TAKE(domain);
	}
	return true;
}

bool stat_seal_read(const struct subvolume_list *list, uint64_t id, struct stat_seal *seal, struct error *err)
{
	const struct subvolume *subvolume = subvolume_by_id(list, id);
	struct error what = { 0 };

	if (seal->subvolume == id)
		return true;
	stat_seal_free(seal);
	seal->subvolume = id;
	if (!subvolume || read_seal(list, subvolume, seal, &what))
		return true;
	if (what.kind == ERROR_MEMORY) {
		*err = what;
		return false;
	}
	seal->is_sealed = true;
	print_warning(NULL, what.text);
	return true;
}

void stat_seal_free(struct stat_seal *seal)
{
	inline_map_free(seal->inlines);
	domain_free(seal->crypt);
	*seal = (struct stat_seal){ 0 };
}

bool stat_seal_has_inline(struct stat_seal *seal, const struct key *key, const struct cursor *item, uint32_t mode, bool *has, struct error *err)
{
	struct crypt_inline_unit unit;
	struct inline_payload payload;

	*has = false;
	if (!seal->crypt || !inline_payload_of(key, *item, mode, &payload))
		return true;
	if (!inline_by_hint(seal->crypt, NULL, &payload, &unit, NULL, has, err))
		return false;
	if (*has)
		return true;
	return (seal->inlines || inline_map_read(seal->crypt->volume, seal->domain, &seal->inlines, err)) &&
	       inline_map_lists(seal->inlines, &payload, has, err);
}
