/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who still needs a sealing. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/preflight.h"
#include "common/convert/purge-inside.h"
#include "common/sealed/unit-map.h"
#include "common/volume/mirror.h"
#include "format/inode.h"

bool purging_scan(struct purging *p, struct error *err)
{
	uint64_t *ids;
	bool ok;

	if (!subvolume_list_read(p->volume, &p->list, err))
		return false;
	ids = calloc(p->list.n + 1, sizeof(*ids));
	ok = ids || error_memory(err);
	for (size_t i = 0; ok && i < p->list.n; i++) {
		ids[i] = p->list.at[i].id;
		ok = !p->list.at[i].deleted || refuse_dead(ids[i], "", err);
	}
	ok = ok && scan_run(p->volume, ids, p->list.n, &p->scan, err);
	free(ids);
	return ok;
}

static bool refuse(const struct purging *p, uint64_t id, const char *why, struct error *err)
{
	char name[160];

	error_set(err, ERROR_REFUSED, "subvolume %s %s", subvolume_name(&p->list, id, name), why);
	return error_hint(err, "only a sealing of which no subvolume is left can be removed; `convert --decrypt` unseals those that are");
}

static bool check_claims(const struct purging *p, const struct domain *domain, struct error *err)
{
	static const char *const why[] = {
		[DOMAIN_TAG] = "has the tag of this sealing in its root item",
		[DOMAIN_SNAPSHOT] = "is a snapshot of one that was sealed in this sealing",
		[DOMAIN_REPLACED] = "has the number and the place of one that was sealed in this sealing",
		[DOMAIN_MEMBER] = "is sealed in this sealing",
	};
	enum domain_claim *claims;
	bool ok = domain_all_claims(domain, &p->list, &claims, err);

	if (!ok)
		return false;
	for (size_t i = 0; ok && i < p->list.n; i++)
		ok = claims[i] == DOMAIN_NONE || refuse(p, p->list.at[i].id, why[claims[i]], err);
	free(claims);
	return ok;
}

/* --- data ------------------------------------------------------------------------------------------------------------ */

struct looking {
	const struct scan *scan;
	const struct scan_extent *found;
};

static bool is_first(struct volume *volume, uint64_t logical, const struct crypt_unit *unit)
{
	uint8_t first[sizeof(unit->first)];
	struct error ignored;
	unsigned n_mirrors;

	if (!volume_n_mirrors(volume, logical, &n_mirrors, &ignored))
		return true;
	for (unsigned mirror = 0; mirror < n_mirrors; mirror++) {
		if (!unit_mirror_read(volume, logical, first, sizeof(first), mirror) || memcmp(first, unit->first, sizeof(first)) == 0)
			return true;
	}
	return false;
}

/* Whatever its mark says, and whoever has it: does an extent lie where the unit was sealed or last seen, and begin as it does? */
static bool match_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	const uint64_t places[] = { unit->address, unit->unit_id - unit->offset_in_extent };
	struct looking *looking = context;

	(void)place, (void)err;
	for (size_t i = 0; unit->sealed && i < sizeof(places) / sizeof(places[0]); i++) {
		const struct scan_extent *const extent = scan_extent_at(looking->scan, places[i]);

		if (extent && extent->length == unit->extent_len && is_first(looking->scan->volume, places[i] + unit->offset_in_extent, unit))
			looking->found = extent;
	}
	*go = !looking->found;
	return true;
}

static bool go_over(void *context, const struct error *what, struct error *err)
{
	(void)context, (void)what, (void)err;
	return true;
}

/* Sealed data in a subvolume of no other sealing may be of this one: a kernel can have moved them, and only the key could tell. */
static bool check_marks(const struct purging *p, const struct domain *domain, struct error *err)
{
	struct domain_found *found;
	bool ok = domain_find_all(&p->list, &found, err);

	if (!ok)
		return false;
	for (size_t i = 0; ok && i < p->scan->n_extents; i++) {
		const struct scan_extent *const extent = &p->scan->extent[i];
		const struct subvolume *const subvolume = subvolume_by_id(&p->list, p->scan->member[extent->member]);
		const struct domain_found *const of = &found[subvolume - p->list.at];

		if (extent->marked && (of->claim == DOMAIN_NONE || of->number == domain->number) && !of->is_of_unread)
			ok = refuse(p, subvolume->id, "has sealed data, and no other sealing has that subvolume", err);
	}
	free(found);
	return ok;
}

bool purging_check_unneeded(const struct purging *p, const struct domain *domain, struct error *err)
{
	const struct unit_map units = { .volume = p->volume, .domain = domain->number };
	struct looking looking = { .scan = p->scan };

	if (!check_claims(p, domain, err) || !check_marks(p, domain, err) || !unit_map_visit_over(&units, 0, match_unit, go_over, &looking, err))
		return false;
	return !looking.found || refuse(p, p->scan->member[looking.found->member], "has data that were sealed in this sealing", err);
}

/* --- the feature bit ------------------------------------------------------------------------------------------------- */

static bool leaf_has_verity(const struct node *leaf)
{
	for (uint32_t slot = 0; slot < leaf->n_items; slot++) {
		const struct key key = node_key(leaf, slot);
		struct cursor item = leaf_item(leaf, slot);
		struct error ignored;
		struct inode inode;

		if (key.type == KEY_VERITY_DESC || key.type == KEY_VERITY_MERKLE)
			return true;
		if (key.type == KEY_INODE_ITEM && (!inode_read(&item, &inode, &ignored) || inode.flags & INODE_RO_VERITY))
			return true;
	}
	return false;
}

bool purging_verity_is_unused(struct purging *p)
{
	uint16_t *numbers = NULL;
	struct error ignored;
	bool unused;
	size_t n;

	if (!domain_numbers(p->volume, &numbers, &n, &ignored))
		return false;
	free(numbers);
	unused = n == 0 && (p->scan || purging_scan(p, &ignored));
	for (size_t i = 0; unused && i < p->scan->n_blocks; i++) {
		cleanup_block struct block *block = NULL;

		if (p->scan->block[i].level == 0)
			unused = scan_block_get(p->scan, &p->scan->block[i], &block, &ignored) && !leaf_has_verity(&block->node);
	}
	return unused;
}
