/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the leaves of the members hold: payloads that become inline units, files, and flags to remember. */
#include "common/convert/survey.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/sealed/domain.h"
#include "common/sealed/index-scan.h"
#include "common/sealed/payloads.h"
#include "common/util/array.h"

static bool count_payload(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err)
{
	uint64_t *n = context;

	(void)leaf, (void)payload, (void)err;
	(*n)++;
	return true;
}

static bool add_flags(struct survey *survey, size_t *room, uint64_t member, uint64_t inode, uint64_t flags, struct error *err)
{
	if (survey->n_flags == DOMAIN_INODE_FLAGS_MAX)
		return error_set(err, ERROR_REFUSED, "more than %u inodes with flags", DOMAIN_INODE_FLAGS_MAX);
	if (!ARRAY_ROOM(survey->flags, survey->n_flags, *room, err))
		return false;
	survey->flags[survey->n_flags++] = (struct crypt_inode_flags){ member, inode, flags };
	return true;
}

/* Does a block, or anything below it, hold an inode with one of the two flags? */
enum verdict { UNKNOWN, NONE, SOME };

static uint64_t flags_of(const struct inode *inode)
{
	return S_ISREG(inode->mode) ? inode->flags & (INODE_IMMUTABLE | INODE_RO_VERITY) : 0;
}

static bool survey_leaf(const struct block *block, struct survey *survey, uint8_t *verdict, struct error *err)
{
	*verdict = NONE;
	survey->n_index_most += index_entries_most(&block->node);
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		const struct key key = node_key(&block->node, slot);
		struct cursor item = leaf_item(&block->node, slot);
		struct inode inode;

		if (key.type == KEY_EXTENT_DATA && item.left >= FILE_EXTENT_INLINE_HEADER &&
		    item.at[offsetof(struct disk_file_extent, encryption)] != 0)
			return error_set(err, ERROR_REFUSED, "inode %" PRIu64 " has encrypted extents of another format", key.objectid);
		if (key.type != KEY_INODE_ITEM)
			continue;
		if (!inode_read(&item, &inode, err))
			return false;
		if (flags_of(&inode))
			*verdict = SOME;
	}
	return true;
}

struct recording {
	const struct scan *scan;
	struct survey *survey;
	size_t room;
	uint64_t member;	/* being walked */
	uint8_t *verdict;	/* of each block of the scan */
};

static bool record_leaf(struct recording *r, const struct node *leaf, struct error *err)
{
	for (uint32_t i = 0; i < leaf->n_items; i++) {
		const struct key key = node_key(leaf, i);
		struct cursor item = leaf_item(leaf, i);
		struct inode inode;

		if (key.type != KEY_INODE_ITEM)
			continue;
		if (!inode_read(&item, &inode, err))
			return false;
		if (flags_of(&inode) && !add_flags(r->survey, &r->room, r->member, key.objectid, flags_of(&inode), err))
			return false;
	}
	return true;
}

/*
 * A shared leaf belongs to several members, so each member's tree is walked, but only down to such inodes: about as much is read as is
 * recorded. At most LEVEL_MAX deep.
 */
static bool record_below(struct recording *r, uint64_t logical, const struct block_expect *expect, uint8_t *found, struct error *err)
{
	const struct scan_block *at = scan_block_at(r->scan, logical);
	cleanup_block struct block *block = NULL;
	uint8_t *verdict;

	if (!at)
		return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 " was not seen before", logical);
	verdict = &r->verdict[at - r->scan->block];
	*found = *verdict;
	if (*verdict == NONE)
		return true;
	if (!block_get(r->scan->volume, logical, expect, &block, err))
		return false;
	if (node_is_leaf(&block->node))
		return record_leaf(r, &block->node, err);
	*found = NONE;
	for (uint32_t i = 0; i < block->node.n_items; i++) {
		const struct key first = node_key(&block->node, i);
		const struct block_expect child = {
			.level = expect->level - 1,
			.generation = node_child_generation(&block->node, i),
			.first = &first,
		};
		uint8_t below;

		if (!record_below(r, node_child(&block->node, i), &child, &below, err))
			return false;
		if (below == SOME)
			*found = SOME;
	}
	*verdict = *found;
	return true;
}

static bool record_flags(const struct scan *scan, struct survey *survey, uint8_t *verdict, struct error *err)
{
	struct recording r = { .scan = scan, .survey = survey, .verdict = verdict };

	for (size_t m = 0; m < scan->n_members; m++) {
		const struct tree *tree = &scan->tree[m];
		const struct block_expect root = { .level = tree->level, .generation = tree->generation };
		uint8_t found;

		r.member = scan->member[m];
		if (!record_below(&r, tree->logical, &root, &found, err))
			return false;
	}
	return true;
}

bool survey_run(const struct scan *scan, struct survey *survey, struct error *err)
{
	uint8_t *verdict = calloc(scan->n_blocks ? scan->n_blocks : 1, sizeof(*verdict));
	bool ok = false;

	*survey = (struct survey){ 0 };
	if (!verdict)
		return error_memory(err);
	if (!payloads_visit(scan, count_payload, &survey->n_inline_units, err))
		goto out;
	for (size_t i = 0; i < scan->n_blocks; i++) {
		cleanup_block struct block *block = NULL;

		if (scan->block[i].level != 0)
			continue;
		if (!scan_block_get(scan, &scan->block[i], &block, err) ||
		    !survey_leaf(block, survey, &verdict[i], err))
			goto out;
	}
	ok = record_flags(scan, survey, verdict, err);
out:
	free(verdict);
	if (!ok) {
		free(survey->flags);
		*survey = (struct survey){ 0 };
	}
	return ok;
}
