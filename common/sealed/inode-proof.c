/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Computes the MAC of the items of an inode and looks it up. If the index lacks it, tries once more with every unit confirmed by a tag. */
#include "common/sealed/inode-proof.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/fs/inode-names.h"
#include "common/sealed/inline-hint.h"
#include "common/sealed/inode-version.h"
#include "common/sealed/proof-memory.h"
#include "common/volume/tolerance.h"

#define OPEN_MAX 64u	/* extents of one inode whose units only its entry can tell */

/* An extent whose units no tag has confirmed. */
struct open_extent {
	struct unit_wanted wanted;
	struct unit_group guesses[UNIT_GUESSES_MAX];
	size_t n_guesses, chosen;
};

struct inode_prover {
	const struct domain *domain;
	struct unit_seeker *seeker;
	struct unit_map items;		/* only volume and domain are set */
	struct inline_map *inlines;	/* NULL: not needed yet */
	struct orphan_memory orphans;
	struct proof_memory known;
	uint64_t n_proofs;
	/* About the inode that was checked last: */
	const struct tree *tree;
	uint64_t tree_id, inode;
	enum unit_trust trust;
	struct open_extent *open;	/* UNIT_BY_TAG; NULL: none */
	size_t n_open;
	bool has_choice;		/* its entry matches with the groups chosen for these extents */
	/* The last proof. */
	enum inode_entry_kind kind;
	bool is_known, proven;
	struct error gap;		/* damage found during the proof */
};

bool inode_prover_new(const struct domain *domain, struct inode_prover **result, struct error *err)
{
	struct inode_prover *prover = calloc(1, sizeof(*prover));

	if (!prover)
		return error_memory(err);
	prover->domain = domain;
	prover->orphans.over_damage = true;	/* an inode whose entry is not found is not proven */
	prover->items.volume = domain->volume;
	prover->items.domain = domain->header.domain;
	if (!unit_seeker_new(domain, &prover->seeker, err)) {
		free(prover);
		return false;
	}
	*result = prover;
	return true;
}

void inode_prover_free(struct inode_prover *prover)
{
	if (!prover)
		return;
	unit_seeker_free(prover->seeker);
	inline_map_free(prover->inlines);
	proof_memory_free(&prover->known);
	free(prover->open);
	free(prover);
}

uint64_t inode_prover_proofs(const struct inode_prover *prover)
{
	return prover->n_proofs;
}

bool inode_prover_visit(const struct inode_prover *prover, const struct unit_group *group, unit_visit *visit, void *context, struct error *err)
{
	return unit_map_visit(&prover->items, group, visit, context, err);
}

/* Forgets the previous inode: what was found out about it says nothing about this one. */
static void begin(struct inode_prover *prover, const struct tree *tree, uint64_t inode)
{
	if (prover->tree_id == tree->id && prover->inode == inode)
		return;
	prover->tree_id = tree->id;
	prover->inode = inode;
	prover->trust = UNIT_BY_PLACE;
	prover->n_open = 0;
	prover->has_choice = false;
	prover->is_known = false;
}

static bool is_last(const struct inode_prover *prover, const struct tree *tree, uint64_t inode, enum inode_entry_kind kind)
{
	return prover->is_known && prover->tree_id == tree->id && prover->inode == inode && prover->kind == kind;
}

/* --- units of extents -------------------------------------------------------------------------------------------- */

static struct open_extent *open_at(struct inode_prover *prover, uint64_t address)
{
	for (size_t i = 0; i < prover->n_open; i++) {
		if (prover->open[i].wanted.address == address)
			return &prover->open[i];
	}
	return NULL;
}

/* Keeps the extent with the units that may be its own. Only a few can be resolved this way. */
static bool note_open(struct inode_prover *prover, const struct unit_wanted *wanted, struct error *err)
{
	struct open_extent *open;
	size_t n_located;

	if (prover->n_open == OPEN_MAX || open_at(prover, wanted->address))
		return true;
	if (!prover->open)
		prover->open = calloc(OPEN_MAX, sizeof(*prover->open));
	if (!prover->open)
		return error_memory(err);
	open = &prover->open[prover->n_open];
	open->wanted = *wanted;
	open->chosen = 0;
	if (!unit_guess(prover->seeker, wanted, open->guesses, &open->n_guesses, &n_located, err))
		return false;
	prover->n_open += open->n_guesses > 0;
	return true;
}

static bool find_units(struct inode_prover *prover, uint64_t inode, uint64_t file_offset, const struct file_extent *e, struct unit_group *group,
		       bool *found, struct error *err)
{
	const struct unit_wanted wanted = {
		.address = e->disk_bytenr,
		.length = e->disk_num_bytes,
		.inode = inode,
		.file_offset = file_offset,
		.marked = e->type == FILE_EXTENT_REG && e->other_encoding == SEAL_MARK,
	};
	const struct open_extent *const open = prover->has_choice ? open_at(prover, wanted.address) : NULL;
	const struct chunk *chunk;
	bool confirmed;

	if (!volume_chunk(prover->domain->volume, wanted.address, &chunk, err))
		return error_prefix(err, "extent item at %" PRIu64 ": disk_bytenr", file_offset);

	if (open) {
		*group = open->guesses[open->chosen];
		group->address = wanted.address;
		*found = true;
		return true;
	}
	return unit_find(prover->seeker, &wanted, prover->trust, group, found, &confirmed, err) &&
	       (confirmed || !wanted.marked || prover->trust == UNIT_BY_PLACE || note_open(prover, &wanted, err));
}

/* --- inline units --------------------------------------------------------------------------------------------------- */

static bool search_inlines(struct inode_prover *prover, struct error *err)
{
	if (prover->inlines)
		return true;
	return inline_map_read_over(prover->domain->volume, prover->domain->header.domain, &prover->inlines, err);
}

bool inode_prover_inline(struct inode_prover *prover, const struct inline_payload *payload, struct crypt_inline_unit *unit, uint8_t *out,
			 bool *found, struct error *err)
{
	struct error hintless = { 0 };

	/* An entry that cannot be read has no hint. */
	if (!inline_by_hint(prover->domain, prover->domain->schedule, payload, unit, out, found, &hintless)) {
		if (!error_is_damage(&hintless))
			return (*err = hintless, false);
		*found = false;
	}
	if (*found)
		return true;
	if (!search_inlines(prover, err) ||
	    !inline_map_find(&(struct inline_search){ prover->inlines, prover->domain->schedule, payload, PAYLOAD_SEALED, out }, unit, found, err))
		return false;
	if (*found || prover->inlines->damage.kind == ERROR_NONE)
		return true;
	*err = prover->inlines->damage;	/* better than the error that it was never sealed */
	return false;
}

bool inode_prover_had_inline(struct inode_prover *prover, const struct inline_payload *payload, bool *had, struct error *err)
{
	return search_inlines(prover, err) && inline_map_has(prover->inlines, payload, had, err);
}

/* --- the entry ------------------------------------------------------------------------------------------------------ */

static bool find_extent(void *context, const struct key *key, const struct file_extent *e, unit_visit *visit, void *visit_context,
			bool *found, struct error *err)
{
	struct inode_prover *prover = context;
	struct unit_group group;

	return find_units(prover, key->objectid, key->offset, e, &group, found, err) &&
	       (!*found || inode_prover_visit(prover, &group, visit, visit_context, err));
}

static bool find_payload(void *context, const struct inline_payload *payload, struct crypt_inline_unit *unit, bool *found, struct error *err)
{
	return inode_prover_inline(context, payload, unit, NULL, found, err);
}

static unsigned parts_of(enum inode_entry_kind kind)
{
	switch (kind) {
	case INODE_ENTRY_NAMES: return INODE_PART_NAMES;
	case INODE_ENTRY_LISTING: return INODE_PART_LISTING;
	case INODE_ENTRY_DIRECTORY: return INODE_PART_REST;
	default: return INODE_PARTS_ALL;
	}
}

/* Checks the entry with the units chosen so far. */
static bool holds(struct inode_prover *prover, enum inode_entry_kind kind, bool *has, struct error *err)
{
	const struct domain *domain = prover->domain;
	const struct unit_finder finder = { find_extent, find_payload, prover };
	const struct canonical_input input = {
		.kind = DIGEST_SEALED, .volume = domain->volume, .schedule = domain->schedule, .finder = &finder,
	};
	cleanup_canonical struct canonical canonical = { 0 };
	const struct inode_versions from = { &canonical, &prover->orphans, prover->tree, &prover->gap };
	struct inode_version version;
	const struct key inode_item = { prover->inode, KEY_INODE_ITEM, 0 };
	struct crypt_index_entry entry;
	bool deleted;

	*has = false;
	prover->n_proofs++;
	/*
	 * An inode that a name leads to is not one that a mount deletes. And if everything were left
	 * out, the entry of an empty inode would match.
	 */
	if (!orphan_leaves_out(&prover->orphans, prover->tree, &inode_item, &deleted, err))
		return false;
	if (deleted)
		return true;
	return canonical_open(&input, &canonical, err) &&
	       inode_version_read(&from, prover->inode, parts_of(kind), &version, err) &&
	       inode_version_entry(&canonical, &version, kind, &entry, err) &&
	       inode_index_has(domain->volume, domain->header.domain, domain->header.n_index_items, &entry, has, err);
}

/* Tries the likeliest guesses of all extents first, then the other guesses of each one in turn. So the cost of a hostile image has a limit. */
static bool try_guesses(struct inode_prover *prover, enum inode_entry_kind kind, struct error *err)
{
	size_t left = UNIT_GUESSES_MAX;

	prover->has_choice = true;
	if (!holds(prover, kind, &prover->proven, err))
		return false;
	for (size_t i = 0; i < prover->n_open && !prover->proven; i++) {
		struct open_extent *open = &prover->open[i];

		for (size_t guess = 1; guess < open->n_guesses && left > 0 && !prover->proven; guess++, left--) {
			open->chosen = guess;
			if (!holds(prover, kind, &prover->proven, err))
				return false;
		}
		if (!prover->proven)
			open->chosen = 0;
	}
	prover->has_choice = prover->proven;
	return true;
}

/* Goes through the items of the inode, which becomes the one that was checked last. */
static bool prove(struct inode_prover *prover, const struct tree *tree, uint64_t inode, enum inode_entry_kind kind, struct error *err)
{
	begin(prover, tree, inode);
	prover->tree = tree;
	prover->kind = kind;
	prover->is_known = false;
	prover->proven = false;
	prover->trust = UNIT_BY_PLACE;
	prover->n_open = 0;
	prover->has_choice = false;
	prover->gap = (struct error){ 0 };
	if (!holds(prover, kind, &prover->proven, err))
		return false;
	if (!prover->proven && kind == INODE_ENTRY_FILE) {
		prover->trust = UNIT_BY_TAG;
		if (!holds(prover, kind, &prover->proven, err) || (!prover->proven && prover->n_open > 0 && !try_guesses(prover, kind, err)))
			return false;
	}
	prover->is_known = true;
	proof_memory_add(&prover->known, tree->id, inode, kind, prover->proven,
			 !prover->proven && prover->gap.kind != ERROR_NONE ? &prover->gap : NULL);
	return true;
}

bool inode_prove(struct inode_prover *prover, const struct tree *tree, uint64_t inode, enum inode_entry_kind kind, bool *proven,
		 struct error *err)
{
	const struct proof_memo *known = is_last(prover, tree, inode, kind) ? NULL : proof_memory_find(&prover->known, tree->id, inode, kind);

	/* Do not replace the inode that was checked last: its extents may be read next. */
	if (known) {
		*proven = known->proven;
		if (known->gap)
			*err = *known->gap;
		return !known->gap;
	}
	if (!is_last(prover, tree, inode, kind) && !prove(prover, tree, inode, kind, err))
		return false;
	*proven = prover->proven;
	if (*proven || prover->gap.kind == ERROR_NONE)
		return true;
	*err = prover->gap;	/* better than the error that it was changed */
	return false;
}

bool inode_prove_name(struct inode_prover *prover, const struct tree *tree, struct name_to_prove what, bool *proven, struct error *err)
{
	bool has = false;

	if (!inode_prove(prover, tree, what.inode, what.is_directory ? INODE_ENTRY_NAMES : INODE_ENTRY_FILE, proven, err) ||
	    (*proven && !inode_has_ref(tree, what.inode, what.directory, what.name, what.len, &has, err)))
		return false;
	*proven = *proven && has;
	return true;
}

bool inode_prover_units(struct inode_prover *prover, const struct file_item *item, struct unit_group *group, bool *found, struct error *err)
{
	const struct tree *tree = item->subvolume;
	const uint64_t inode = item->inode;
	const struct proof_memo *known = is_last(prover, tree, inode, INODE_ENTRY_FILE) ? NULL :
					 proof_memory_find(&prover->known, tree->id, inode, INODE_ENTRY_FILE);

	/* The inode is known to be proven, but the units that prove it were forgotten. */
	if (known && known->proven && !prove(prover, tree, inode, INODE_ENTRY_FILE, err))
		return false;
	begin(prover, tree, inode);
	if (!prover->is_known || !prover->proven)
		prover->trust = UNIT_BY_TAG;
	return find_units(prover, inode, item->file_offset, item->extent, group, found, err);
}
