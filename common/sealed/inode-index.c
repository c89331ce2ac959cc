/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks up entries of the index, and walks it. */
#include "common/sealed/inode-index.h"

#include <inttypes.h>

#include "common/crypto/secret.h"
#include "common/sealed/crypt-list.h"
#include "common/sealed/index-iter.h"

/* --- all of them ---------------------------------------------------------------------------------- */

struct index_walk {
	inode_index_visit *visit;
	void *context;
	struct crypt_index_entry last;
	bool any;
};

static bool walk_item(void *context, struct crypt_list_item *item, bool *go, struct error *err)
{
	struct index_walk *walk = context;

	(void)go;
	for (unsigned i = 0; i < item->n; i++) {
		struct crypt_index_entry entry;

		if (!crypt_index_next(&item->entries, &entry, err))
			return false;
		if (walk->any && index_entry_compare(&walk->last, &entry) >= 0)
			return error_set(err, ERROR_CORRUPT, "crypt index item %" PRIu64 ": entry %u, of inode %" PRIu64 ", is out of order",
					 item->index, i, entry.inode);
		walk->last = entry;
		walk->any = true;
		if (!walk->visit(walk->context, &entry, err))
			return false;
	}
	return true;
}

bool inode_index_visit_all(struct volume *volume, uint16_t domain, inode_index_visit *visit, void *context, struct error *err)
{
	struct index_walk walk = { .visit = visit, .context = context };

	return crypt_list_walk(volume, domain, CRYPT_INDEX, 0, &(struct crypt_list_visitor){ walk_item, NULL, &walk }, err);
}

/* --- one ------------------------------------------------------------------------------------------- */

struct first_entry {
	uint64_t inode, item;
	bool found;
};

/* Ignores damage here: it is reported if nothing else is found. */
static bool pass_by(void *context, const struct error *what, struct error *err)
{
	(void)context, (void)what, (void)err;
	return true;
}

static bool take_first(void *context, struct crypt_list_item *item, bool *go, struct error *err)
{
	struct first_entry *first = context;
	struct crypt_index_entry entry;

	*go = false;
	if (!crypt_index_next(&item->entries, &entry, err))
		return false;
	*first = (struct first_entry){ entry.inode, item->index, true };
	return true;
}

/* Finds the last item whose first entry has a lower inode. Entries of this inode begin in it or in the next one. */
static bool item_before(struct volume *volume, uint16_t domain, uint64_t n_items, uint64_t inode, uint64_t *index, struct error *err)
{
	uint64_t low = 0, high = n_items;	/* items before low begin with a lower inode, those from high on do not */

	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;
		struct first_entry first = { 0 };

		if (!crypt_list_walk(volume, domain, CRYPT_INDEX, middle, &(struct crypt_list_visitor){ take_first, pass_by, &first }, err))
			return false;
		/* No item between middle and the one found can be read. */
		if (first.found && first.item < high && first.inode < inode)
			low = first.item + 1;
		else
			high = middle;
	}
	*index = low > 0 ? low - 1 : 0;
	return true;
}

struct versions {
	uint64_t inode;
	inode_index_versions *visit;
	void *context;
	bool ended;		/* visit has what it wants */
	struct error damage;	/* damage that was skipped; the entry may be in it */
};

static bool note_damage(void *context, const struct error *what, struct error *err)
{
	struct versions *versions = context;

	(void)err;
	if (versions->damage.kind == ERROR_NONE)
		versions->damage = *what;
	return true;
}

static bool visit_versions(void *context, struct crypt_list_item *item, bool *go, struct error *err)
{
	struct versions *versions = context;

	for (unsigned i = 0; *go && i < item->n; i++) {
		struct crypt_index_entry entry;

		if (!crypt_index_next(&item->entries, &entry, err))
			return false;
		if (entry.inode > versions->inode)
			*go = false;
		else if (entry.inode == versions->inode && !versions->visit(versions->context, &entry, go, err))
			return false;
		versions->ended |= entry.inode == versions->inode && !*go;
	}
	return true;
}

bool inode_index_visit_inode(struct volume *volume, uint16_t domain, uint64_t n_items, uint64_t inode, inode_index_versions *visit, void *context,
			     struct error *err)
{
	struct versions versions = { .inode = inode, .visit = visit, .context = context };
	const struct crypt_list_visitor visitor = { visit_versions, note_damage, &versions };
	uint64_t index;

	if (n_items == 0)
		return true;
	if (!item_before(volume, domain, n_items, inode, &index, err) ||
	    !crypt_list_walk(volume, domain, CRYPT_INDEX, index, &visitor, err))
		return false;
	if (versions.ended || versions.damage.kind == ERROR_NONE)
		return true;
	*err = versions.damage;
	return false;
}

struct lookup {
	struct crypt_index_entry *entry;
	bool found;
};

static bool look_up(void *context, const struct crypt_index_entry *entry, bool *go, struct error *err)
{
	struct lookup *lookup = context;

	(void)err;
	if (!secret_same(entry->mac, lookup->entry->mac, sizeof(entry->mac)))
		return true;
	lookup->found = true;
	lookup->entry->hint = entry->hint;
	*go = false;
	return true;
}

bool inode_index_has(struct volume *volume, uint16_t domain, uint64_t n_items, struct crypt_index_entry *entry, bool *has, struct error *err)
{
	struct lookup lookup = { .entry = entry };

	if (!inode_index_visit_inode(volume, domain, n_items, entry->inode, look_up, &lookup, err))
		return false;
	*has = lookup.found;
	return true;
}
