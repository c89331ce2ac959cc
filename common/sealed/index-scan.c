/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks inodes range by range, and their versions through the blocks that hold them. */
#include "common/sealed/index-scan.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "common/sealed/index-edges.h"
#include "common/sealed/scan-bad.h"
#include "common/tree/tree-gap.h"
#include "common/util/array.h"
#include "common/util/sorted64.h"

/* --- how much there may be ------------------------------------------------------------------------------ */

uint64_t index_entries_most(const struct node *leaf)
{
	uint64_t n = 0;

	for (uint32_t slot = 0; slot < leaf->n_items; slot++) {
		const struct key key = node_key(leaf, slot);
		struct cursor item = leaf_item(leaf, slot);
		struct inode inode;
		struct error ignored;

		if (slot > 0 && node_key(leaf, slot - 1).objectid == key.objectid)
			continue;
		/* An inode that began in an earlier leaf may be a directory. */
		n += key.type == KEY_INODE_ITEM && inode_read(&item, &inode, &ignored) && !S_ISDIR(inode.mode) ? 1 : INODE_ENTRIES_MAX;
	}
	return n;
}

/* --- the ranges -------------------------------------------------------------------------------------------- */

/* Returns the bytes that a leaf may cost in a pass: its entries, in an array that grows by doubling, and its edges. */
static size_t leaf_cost(uint32_t node_size)
{
	const size_t smallest = 2 * sizeof(struct disk_item) + sizeof(struct disk_inode_item);

	return 2 * INODE_ENTRIES_MAX * sizeof(struct index_found) * (node_size / smallest) + 2 * sizeof(struct inode_version);
}

static size_t leaves_per_pass(const struct scan *scan, size_t pass_bytes)
{
	return pass_bytes / leaf_cost(scan->volume->super.node_size) + 1;
}

/* Returns the first leaf of the pass after the one that begins with leaf `at`. All leaves of an inode are in one pass. */
static size_t next_pass(const uint64_t *first, size_t n, size_t at, size_t per_pass)
{
	const uint64_t low = at == 0 ? 0 : first[at];

	at = at + per_pass < n ? at + per_pass : n;
	while (at < n && first[at] == low)
		at++;
	return at;
}

/* Finds the lowest inode number that leads to each leaf, sorted. The caller frees the result. */
static bool first_inodes(const struct scan *scan, uint64_t **result, size_t *n, struct error *err)
{
	uint64_t *first = malloc((scan->n_blocks ? scan->n_blocks : 1) * sizeof(*first));

	if (!first)
		return error_memory(err);
	for (size_t i = 0; i < scan->n_blocks; i++)
		first[i] = UINT64_MAX;
	for (size_t m = 0; m < scan->n_members; m++)
		first[scan_block_at(scan, scan->tree[m].logical) - scan->block] = 0;
	for (size_t i = 0; i < scan->n_blocks; i++) {
		const struct block_expect expect = { .level = 1 };
		cleanup_block struct block *block = NULL;

		if (scan->block[i].level != 1)
			continue;
		if (!block_get(scan->volume, scan->block[i].logical, &expect, &block, err)) {
			free(first);
			return false;
		}
		for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
			const struct scan_block *child = scan_block_at(scan, node_child(&block->node, slot));
			const uint64_t inode = node_key(&block->node, slot).objectid;

			if (child && inode < first[child - scan->block])
				first[child - scan->block] = inode;
		}
	}
	*n = 0;
	for (size_t i = 0; i < scan->n_blocks; i++) {
		if (scan->block[i].level == 0)
			first[(*n)++] = first[i];
	}
	sort64(first, *n);
	*result = first;
	return true;
}

/* Returns an upper bound for the number of entries in all leaves. */
static bool entries_most(const struct scan *scan, uint64_t *n, struct error *err)
{
	*n = 0;
	for (size_t i = 0; i < scan->n_blocks; i++) {
		const struct block_expect expect = { .level = 0 };
		cleanup_block struct block *block = NULL;

		if (scan->block[i].level != 0)
			continue;
		if (!block_get(scan->volume, scan->block[i].logical, &expect, &block, err))
			return false;
		*n += index_entries_most(&block->node);
	}
	return true;
}

bool index_scan_bytes(const struct scan *scan, size_t pass_bytes, uint64_t *bytes, struct error *err)
{
	const size_t per_pass = leaves_per_pass(scan, pass_bytes), cost = leaf_cost(scan->volume->super.node_size);
	uint64_t *first, found;
	size_t n, most = 0;

	if (!first_inodes(scan, &first, &n, err))
		return false;
	for (size_t at = 0, next; at < n; at = next) {
		next = next_pass(first, n, at, per_pass);
		most = next - at > most ? next - at : most;
	}
	free(first);
	found = most * cost;	/* arrays are up to twice the size in use */
	/* If one inode fills many leaves, those leaves have little room for others. */
	if (most > 2 * per_pass) {
		if (!entries_most(scan, &found, err))
			return false;
		found *= 2 * sizeof(struct index_found);
	}
	/* An array takes half as much again while it moves. The blocks are those above the leaves, and one at the edge for each member. */
	*bytes = found / 2 * 3 + (most + scan->n_blocks - scan->n_leaves + scan->n_members) * 3 * INDEX_BLOCK_BYTES +
		 scan->n_blocks * (sizeof(*first) + sizeof(uint32_t));
	return true;
}

/* --- inodes that a mount of some member deletes: member by member ------------------------------------------------ */

static bool direct_versions(struct index_pass *pass, struct error *err)
{
	struct error gap = { 0 }, *over = scan_has_lost(pass->scan) ? &gap : NULL;
	struct orphan_memory orphans = { .over_damage = over };

	for (uint32_t m = 0; m < pass->scan->n_members; m++) {
		const struct inode_versions from = { pass->canonical, &orphans, &pass->scan->tree[m], over };

		for (size_t i = 0; i < pass->n_apart; i++) {
			struct inode_version version;

			if (pass->apart[i] < pass->low || pass->apart[i] > pass->last)
				continue;
			if (!inode_version_read(&from, pass->apart[i], INODE_PARTS_ALL, &version, err) ||
			    (inode_version_items(&version) > 0 && !index_emit(pass, &version, m, err)))
				return false;
		}
	}
	return true;
}

/* Finds them sorted and without duplicates. The caller frees the result. */
static bool find_apart(const struct scan *scan, uint64_t **apart, size_t *n, struct error *err)
{
	uint64_t *found = NULL;
	size_t n_found = 0, room = 0;

	for (size_t m = 0; m < scan->n_members; m++) {
		const struct key first = { ORPHAN_ID, KEY_ORPHAN_ITEM, 0 };
		cleanup_tree_iter struct tree_iter iter = { 0 };
		bool ok = scan_has_lost(scan) ? tree_seek_over(&scan->tree[m], &first, &iter, NULL, NULL, err)
					      : tree_seek(&scan->tree[m], &first, &iter, err);

		while (ok && iter.valid && key_is_orphan_item(&iter.key)) {
			ok = ARRAY_ROOM(found, n_found, room, err);
			if (!ok)
				break;
			found[n_found++] = iter.key.offset;
			ok = scan_has_lost(scan) ? tree_next_over(&iter, NULL, NULL, err) : tree_next(&iter, err);
		}
		if (!ok) {
			free(found);
			return false;
		}
	}
	*n = sort64_unique(found, n_found);
	*apart = found;
	return true;
}

/* --- all of it ------------------------------------------------------------------------------------------------------ */

static int compare_found(const void *a, const void *b)
{
	const struct index_found *x = a, *y = b;
	const int order = memcmp(x->entry.mac, y->entry.mac, sizeof(x->entry.mac));

	if (x->entry.inode != y->entry.inode)
		return x->entry.inode < y->entry.inode ? -1 : 1;
	if (order)
		return order;
	if (x->member != y->member)
		return x->member < y->member ? -1 : 1;
	return x->entry.hint < y->entry.hint ? -1 : x->entry.hint > y->entry.hint;
}

static bool visit_found(struct index_pass *pass, index_visit *visit, void *context, struct error *err)
{
	if (pass->n_found > 0)
		qsort(pass->found, pass->n_found, sizeof(*pass->found), compare_found);
	for (size_t i = 0; i < pass->n_found; i++) {
		const struct crypt_index_entry *entry = &pass->found[i].entry;

		if (i > 0 && entry->inode == pass->found[i - 1].entry.inode &&
		    memcmp(entry->mac, pass->found[i - 1].entry.mac, sizeof(entry->mac)) == 0)
			continue;
		if (!visit(context, &pass->found[i], err))
			return false;
	}
	return true;
}

bool index_scan_visit(const struct scan *scan, struct canonical *canonical, size_t pass_bytes, index_visit *visit, void *context,
		      struct error *err)
{
	const size_t per_pass = leaves_per_pass(scan, pass_bytes);
	struct index_pass pass = { .scan = scan, .canonical = canonical };
	uint64_t *first = NULL, *apart = NULL;
	size_t n = 0, at = 0;
	bool ok = first_inodes(scan, &first, &n, err) && find_apart(scan, &apart, &pass.n_apart, err) && index_pass_open(&pass, err);

	pass.apart = apart;
	while (ok && at < n) {
		pass.low = at == 0 ? 0 : first[at];
		at = next_pass(first, n, at, per_pass);
		pass.last = at < n ? first[at] - 1 : UINT64_MAX;
		ok = index_pass_run(&pass, err) && direct_versions(&pass, err) && visit_found(&pass, visit, context, err);
		pass.n_found = 0;
	}
	index_pass_close(&pass);
	free(first);
	free(apart);
	return ok;
}
