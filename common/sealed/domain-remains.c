/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/sealed/domain-remains.h"

#include "common/sealed/domain-mac.h"
#include "common/tree/tree.h"

static bool look_at_header(const struct domain *domain, struct cursor *item, struct domain_remains *remains, struct error *err)
{
	struct crypt_header header;
	struct error ignored = { 0 };
	bool authentic;

	if (!crypt_header_read(item, &header, &ignored) || header.domain != domain->number ||
	    memcmp(header.domain_uuid, domain->header.domain_uuid, CRYPT_UUID_SIZE) != 0)
		return true;
	if (!crypt_header_check(domain->schedule, &header, &authentic, err))
		return false;
	if (authentic && (!remains->has_header || header.epoch > remains->epoch)) {
		remains->has_header = true;
		remains->epoch = header.epoch;
		remains->state = header.state;
	}
	return true;
}

static void look_at_slot(const struct domain *domain, const struct crypt_place *place, struct cursor *item, struct domain_remains *remains)
{
	struct error ignored = { 0 };
	struct crypt_slot *const slot = &remains->slots[remains->n_slots];

	if (remains->n_slots < CRYPT_SLOTS_MAX && crypt_slot_read(item, slot, &ignored) && slot->number == place->index &&
	    memcmp(slot->domain_uuid, domain->header.domain_uuid, CRYPT_UUID_SIZE) == 0)
		remains->n_slots++;
}

static void look_at_seal(const struct domain *domain, struct cursor *item, struct domain_remains *remains)
{
	struct error ignored = { 0 };
	struct crypt_seal seal;

	if (crypt_seal_read(item, &seal, &ignored))
		remains->seal = secret_same(seal.seal, domain->header.seal, sizeof(seal.seal)) ? SEAL_IS_OWN : SEAL_IS_OTHER;
}

/* Looks at all items from one key to another. */
static bool look(const struct domain *domain, const struct key *first, const struct key *last, struct domain_remains *remains, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct crypt_place place;
	struct tree tree;

	if (!tree_open(domain->volume, ROOT_TREE_ID, &tree, err) || !tree_seek(&tree, first, &iter, err))
		return false;
	while (iter.valid && key_compare(&iter.key, last) <= 0) {
		if (!crypt_place_of_key(&iter.key, &place)) {
			/* nobody's */
		} else if (place.kind == CRYPT_HEADER) {
			if (!look_at_header(domain, &iter.item, remains, err))
				return false;
		} else if (place.kind == CRYPT_SLOT) {
			look_at_slot(domain, &place, &iter.item, remains);
		} else if (place.kind == CRYPT_SEAL) {
			look_at_seal(domain, &iter.item, remains);
		}
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

bool domain_remains_read(const struct domain *domain, struct domain_remains *remains, struct error *err)
{
	const uint16_t number = domain->number;
	const struct key header = crypt_key(number, CRYPT_HEADER, 0), last_slot = crypt_key(number, CRYPT_SLOT, CRYPT_INDEX_LAST);
	const struct key seal = crypt_key(number, CRYPT_SEAL, 0), second = crypt_second_header_key(number);

	*remains = (struct domain_remains){ 0 };
	return look(domain, &header, &last_slot, remains, err) && look(domain, &seal, &seal, remains, err) && look(domain, &second, &second, remains, err);
}
