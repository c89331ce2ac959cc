/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/sealed/domain-remains.h"

#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-slots.h"
#include "common/sealed/unit-map.h"

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
	if (authentic && (!remains->has_header || header.epoch > remains->header.epoch)) {
		remains->has_header = true;
		remains->header = header;
	}
	return true;
}

static bool drop_damaged_slots(struct domain_remains *remains, struct error *err)
{
	const size_t n = remains->n_slots;

	remains->n_slots = 0;
	for (size_t i = 0; i < n; i++) {
		bool is_right;

		if (!crypt_header_has_this(&remains->header, &remains->slots[i].disk, &is_right, err))
			return false;
		if (is_right)
			remains->slots[remains->n_slots++] = remains->slots[i];
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

bool domain_remains_read(const struct domain *domain, struct domain_remains *remains, struct error *err)
{
	const struct key first = crypt_key(domain->number, CRYPT_HEADER, 0), last = crypt_second_header_key(domain->number);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct crypt_place place;
	struct tree tree;

	*remains = (struct domain_remains){ 0 };
	if (!tree_open(domain->volume, ROOT_TREE_ID, &tree, err) || !tree_seek(&tree, &first, &iter, err))
		return false;
	while (iter.valid && key_compare(&iter.key, &last) <= 0) {
		if (crypt_place_of_key(&iter.key, &place)) {
			remains->n_items[place.kind]++;
			if (place.kind == CRYPT_HEADER && !look_at_header(domain, &iter.item, remains, err))
				return false;
			if (place.kind == CRYPT_SLOT)
				look_at_slot(domain, &place, &iter.item, remains);
			if (place.kind == CRYPT_SEAL)
				look_at_seal(domain, &iter.item, remains);
		}
		if (!tree_next(&iter, err))
			return false;
	}
	return !remains->has_header || drop_damaged_slots(remains, err);
}

/* --- what is plain -------------------------------------------------------------------------------------------------- */

static uint64_t plain_member(const struct scan *scan, const struct unit_map *map)
{
	struct unit_group group;

	for (size_t i = 0; i < scan->n_extents; i++) {
		const struct scan_extent *const extent = &scan->extent[i];

		if (!extent->marked && extent->unmarked && unit_map_of(map, extent->logical, &group) && group.unit_id == extent->logical &&
		    group.extent_len == extent->length)
			return scan->member[extent->member];
	}
	return 0;
}

bool domain_remains_plain(const struct domain *domain, const struct subvolume_list *list, uint64_t *id, struct error *err)
{
	cleanup_unit_map struct unit_map *map = NULL;

	*id = 0;
	if (!unit_map_read_over(domain->volume, domain->number, &map, err))
		return false;
	/* One by one, because the tree of one member may be lost. */
	for (size_t i = 0; *id == 0 && i < domain->n_members; i++) {
		const struct subvolume *const subvolume = subvolume_by_id(list, domain->members[i].id);
		cleanup_scan struct scan *scan = NULL;
		struct error why = { 0 };

		if (!subvolume || domain_member_of(domain, subvolume) != &domain->members[i])
			continue;
		if (scan_run_over(domain->volume, &subvolume->id, 1, &scan, &why))
			*id = plain_member(scan, map);
		else if (why.kind == ERROR_MEMORY)
			return error_memory(err);
	}
	return true;
}
