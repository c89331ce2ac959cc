/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the leaves of the members hold: payloads that become inline units, files, flags to remember. */
#include "common/convert/conversion.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool count_payload(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err)
{
	uint64_t *n = context;

	(void)leaf, (void)payload, (void)err;
	(*n)++;
	return true;
}

static bool add_flags(struct survey *survey, size_t *room, uint64_t member, uint64_t inode, uint64_t flags, struct error *err)
{
	if (survey->n_flags == *room) {
		const size_t more = *room ? *room * 2 : 16;
		struct crypt_inode_flags *grown = reallocarray(survey->flags, more, sizeof(*grown));

		if (!grown)
			return error_memory(err);
		survey->flags = grown;
		*room = more;
	}
	survey->flags[survey->n_flags++] = (struct crypt_inode_flags){ member, inode, flags };
	return true;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Inode numbers that carry one of the two flags in some leaf, each once. */
struct flagged {
	uint64_t *inode;
	size_t n, room;
};

static bool survey_leaf(const struct scan_block *at, struct block *block, struct survey *survey, struct flagged *flagged,
			struct error *err)
{
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		const struct key key = node_key(&block->node, slot);
		struct cursor item = leaf_item(&block->node, slot);
		struct inode inode;

		(void)at;
		if (key.type == KEY_EXTENT_DATA && item.left >= FILE_EXTENT_INLINE_HEADER &&
		    item.at[offsetof(struct disk_file_extent, encryption)] != 0)
			return error_set(err, ERROR_REFUSED, "inode %" PRIu64 " has encrypted extents of another format", key.objectid);
		if (key.type != KEY_INODE_ITEM)
			continue;
		if (!inode_read(&item, &inode, err))
			return false;
		if (!S_ISREG(inode.mode))
			continue;
		survey->n_regular_files++;
		if (!(inode.flags & (INODE_IMMUTABLE | INODE_RO_VERITY)))
			continue;
		if (flagged->n == flagged->room) {
			const size_t more = flagged->room ? flagged->room * 2 : 16;
			uint64_t *grown = reallocarray(flagged->inode, more, sizeof(*grown));

			if (!grown)
				return error_memory(err);
			flagged->inode = grown;
			flagged->room = more;
		}
		flagged->inode[flagged->n++] = key.objectid;
	}
	return true;
}

/* Which members have these inodes flagged: a shared leaf belongs to several. */
static bool record_flags(const struct scan *scan, struct flagged *flagged, struct survey *survey, struct error *err)
{
	size_t room = 0;

	if (flagged->n)
		qsort(flagged->inode, flagged->n, sizeof(*flagged->inode), compare_numbers);
	for (size_t m = 0; m < scan->n_members; m++) {
		for (size_t i = 0; i < flagged->n; i++) {
			cleanup_tree_iter struct tree_iter iter = { 0 };
			const struct key key = { flagged->inode[i], KEY_INODE_ITEM, 0 };
			struct inode inode;
			bool found;

			if (i > 0 && flagged->inode[i] == flagged->inode[i - 1])
				continue;
			if (!tree_find(&scan->tree[m], &key, &iter, &found, err))
				return false;
			if (!found)
				continue;
			if (!inode_read(&iter.item, &inode, err))
				return false;

			const uint64_t flags = inode.flags & (INODE_IMMUTABLE | INODE_RO_VERITY);

			if (S_ISREG(inode.mode) && flags && !add_flags(survey, &room, scan->member[m], key.objectid, flags, err))
				return false;
		}
	}
	return true;
}

bool survey_run(const struct scan *scan, struct survey *survey, struct error *err)
{
	struct flagged flagged = { 0 };
	bool ok = false;

	*survey = (struct survey){ 0 };
	if (!payloads_visit(scan, count_payload, &survey->n_inline_units, err))
		goto out;
	for (size_t i = 0; i < scan->n_blocks; i++) {
		const struct block_expect expect = { .level = 0 };
		cleanup_block struct block *block = NULL;

		if (scan->block[i].level != 0)
			continue;
		if (!block_get(scan->volume, scan->block[i].logical, &expect, &block, err) ||
		    !survey_leaf(&scan->block[i], block, survey, &flagged, err))
			goto out;
	}
	ok = record_flags(scan, &flagged, survey, err);
out:
	free(flagged.inode);
	if (!ok) {
		free(survey->flags);
		*survey = (struct survey){ 0 };
	}
	return ok;
}
