/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the subvolumes that hold something that was sealed in a domain. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/sealed/domain-view.h"
#include "common/sealed/payloads.h"

enum verdict { UNKNOWN, HOLLOW, NOTHING, VERIFIES };	/* HOLLOW: it holds nothing that could verify; the larger value wins */

struct looking {
	const struct scan *scan;	/* of all candidates */
	const struct unit_map *units;
	const struct inline_map *inlines;
	const struct key_schedule *schedule;
	uint8_t *verdict;		/* one per block of the scan, with everything below it */
	struct mode_memory mode;
	bool converting;		/* payloads may be plain text */
	enum verdict found;		/* in the current leaf */
};

static bool look_at_payload(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err)
{
	struct looking *looking = context;
	const struct inline_search sealed = { looking->inlines, looking->schedule, payload, PAYLOAD_SEALED, NULL };
	const struct inline_search plain = { looking->inlines, looking->schedule, payload, PAYLOAD_PLAIN, NULL };
	struct crypt_inline_unit unit;
	bool found;

	(void)leaf;
	if (looking->found == VERIFIES)
		return true;
	if (!inline_map_find(&sealed, &unit, &found, err) || (!found && looking->converting && !inline_map_find(&plain, &unit, &found, err)))
		return false;
	looking->found = found ? VERIFIES : NOTHING;
	return true;
}

/* A tag has confirmed each extent that has units. */
static bool look_at_extents(struct looking *looking, const struct node *leaf, struct error *err)
{
	for (uint32_t i = 0; i < leaf->n_items && looking->found != VERIFIES; i++) {
		const struct key key = node_key(leaf, i);
		struct cursor item = leaf_item(leaf, i);
		struct file_extent extent;
		struct unit_group group;

		if (key.type != KEY_EXTENT_DATA)
			continue;
		if (!file_extent_read(&item, key.offset, looking->scan->volume->super.sector_size, &extent, err))
			return false;
		if (file_extent_has_disk(&extent))
			looking->found = unit_map_at(looking->units, extent.disk_bytenr, &group) ? VERIFIES : NOTHING;
	}
	return true;
}

static bool look_at_leaf(struct looking *looking, const struct scan_block *at, struct block *block, struct error *err)
{
	looking->found = HOLLOW;
	return look_at_extents(looking, &block->node, err) &&
	       (looking->found == VERIFIES || payloads_of_leaf(looking->scan, at, block, &looking->mode, look_at_payload, looking, err));
}

/* Goes at most LEVEL_MAX deep and visits each block once. The verdict of a shared block is shared as well. */
static bool look_below(struct looking *looking, uint64_t logical, const struct block_expect *expect, enum verdict *found, struct error *err)
{
	const struct scan_block *at = scan_block_at(looking->scan, logical);
	cleanup_block struct block *block = NULL;
	uint8_t *verdict;

	*found = HOLLOW;
	if (!at)
		return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 " was not there before", logical);
	verdict = &looking->verdict[at - looking->scan->block];
	if (*verdict != UNKNOWN) {
		*found = *verdict;
		return true;
	}
	if (!block_get(looking->scan->volume, logical, expect, &block, err))
		return false;
	if (node_is_leaf(&block->node)) {
		if (!look_at_leaf(looking, at, block, err))
			return false;
		*found = looking->found;
	}
	for (uint32_t i = 0; !node_is_leaf(&block->node) && i < block->node.n_items && *found != VERIFIES; i++) {
		const struct key first = node_key(&block->node, i);
		const struct block_expect child = {
			.level = expect->level - 1,
			.generation = node_child_generation(&block->node, i),
			.first = &first,
		};
		enum verdict below;

		if (!look_below(looking, node_child(&block->node, i), &child, &below, err))
			return false;
		if (below > *found)
			*found = below;
	}
	*verdict = *found;
	return true;
}

bool domain_content_verifies(const struct domain *domain, const uint64_t *ids, size_t n, uint64_t boundary, bool *verifies,
			     struct error *err)
{
	cleanup_scan struct scan *scan = NULL;
	cleanup_unit_map struct unit_map *units = NULL;
	cleanup_inline_map struct inline_map *inlines = NULL;
	struct looking looking = { .schedule = domain->schedule, .converting = boundary != UNIT_PLACE_END };
	bool ok;

	if (!scan_run(domain->volume, ids, n, &scan, err) || !unit_map_read(domain->volume, domain->header.domain, &units, err) ||
	    !unit_map_join(units, scan, domain->schedule, boundary, err) ||
	    !inline_map_read(domain->volume, domain->header.domain, &inlines, err))
		return false;
	looking.scan = scan;
	looking.units = units;
	looking.inlines = inlines;
	looking.verdict = calloc(scan->n_blocks ? scan->n_blocks : 1, sizeof(*looking.verdict));
	ok = looking.verdict ? true : error_memory(err);
	for (size_t i = 0; ok && i < n; i++) {
		const struct tree *tree = &scan->tree[i];
		const struct block_expect root = { .level = tree->level, .generation = tree->generation };

		enum verdict found = NOTHING;

		ok = look_below(&looking, tree->logical, &root, &found, err);
		verifies[i] = found != NOTHING;
	}
	free(looking.verdict);
	return ok;
}
