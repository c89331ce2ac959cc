/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds what is shared, from the top down, and who refers to it. */
#include "common/convert/copy-plan.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/util/array.h"

/* Besides extent items and what the copies refer to: block groups, free space, headers. */
#define OTHER_BLOCKS 24u
/* The most bytes that a reference takes: an item of its own. */
#define REF_BYTES (sizeof(struct disk_item) + sizeof(struct disk_extent_data_ref))

struct edge {
	uint64_t parent;
	uint32_t child;		/* index in the scan */
	uint32_t count;		/* of an extent: file extent items of this leaf */
};

struct edges {
	struct edge *at;
	size_t n, room;
};

struct finding {
	const struct scan *scan;
	struct sharing_marks marks;
	struct edges block, extent;
	uint32_t *n_refs;	/* of each block of the scan */
};

/* --- what is shared ------------------------------------------------------------------------------- */

static bool no_such(const char *what, uint64_t logical, struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "%s %" PRIu64 " was not seen before", what, logical);
}

/* Calls visit for each child of a node and for each extent of a leaf, with its index in the scan. */
typedef bool child_visit(struct finding *f, size_t at, uint32_t child, struct error *err);

static bool each_extent(struct finding *f, size_t at, const struct node *leaf, child_visit *visit, struct error *err)
{
	for (uint32_t i = 0; i < leaf->n_items; i++) {
		const struct key key = node_key(leaf, i);
		struct cursor item = leaf_item(leaf, i);
		const struct scan_extent *found;
		struct file_extent extent;

		if (key.type != KEY_EXTENT_DATA)
			continue;
		if (!file_extent_read(&item, key.offset, f->scan->volume->super.sector_size, &extent, err))
			return false;
		if (!file_extent_has_disk(&extent))
			continue;
		found = scan_extent_at(f->scan, extent.disk_bytenr);
		if (!found)
			return no_such("data extent", extent.disk_bytenr, err);
		if (!visit(f, at, (uint32_t)(found - f->scan->extent), err))
			return false;
	}
	return true;
}

static bool each_child(struct finding *f, size_t at, child_visit *visit, struct error *err)
{
	cleanup_block struct block *block = NULL;

	if (!scan_block_get(f->scan, &f->scan->block[at], &block, err))
		return false;
	if (node_is_leaf(&block->node))
		return each_extent(f, at, &block->node, visit, err);
	for (uint32_t i = 0; i < block->node.n_items; i++) {
		const struct scan_block *child = scan_block_at(f->scan, node_child(&block->node, i));

		if (!child)
			return no_such("tree block", node_child(&block->node, i), err);
		if (!visit(f, at, (uint32_t)(child - f->scan->block), err))
			return false;
	}
	return true;
}

static bool mark_child(struct finding *f, size_t at, uint32_t child, struct error *err)
{
	(void)err;
	if (f->scan->block[at].level > 0)
		f->marks.block[child] = 1;
	else
		f->marks.extent[child] = 1;
	return true;
}

/* Whatever is below a shared block is shared. */
static bool mark_below(struct finding *f, struct error *err)
{
	for (unsigned level = LEVEL_MAX; level-- > 0;) {
		for (size_t i = 0; i < f->scan->n_blocks; i++) {
			if (f->scan->block[i].level == level && f->marks.block[i] && !each_child(f, i, mark_child, err))
				return false;
		}
	}
	return true;
}

static bool check_roots(const struct finding *f, struct error *err)
{
	for (size_t i = 0; i < f->scan->n_members; i++) {
		const struct scan_block *root = scan_block_at(f->scan, f->scan->tree[i].logical);

		if (!root || f->marks.block[root - f->scan->block])
			return error_set(err, ERROR_REFUSED, "the root node of subvolume %" PRIu64 " belongs to another subvolume too", f->scan->member[i]);
	}
	return true;
}

/* --- who refers to it ------------------------------------------------------------------------------ */

static bool add_edge(struct edges *edges, uint64_t parent, uint32_t child, struct error *err)
{
	if (!ARRAY_ROOM(edges->at, edges->n, edges->room, err))
		return false;
	edges->at[edges->n++] = (struct edge){ parent, child, 1 };
	return true;
}

static bool note_edge(struct finding *f, size_t at, uint32_t child, struct error *err)
{
	const bool is_node = f->scan->block[at].level > 0;

	f->n_refs[at]++;
	if (!(is_node ? f->marks.block : f->marks.extent)[child])
		return true;
	return add_edge(is_node ? &f->block : &f->extent, f->scan->block[at].logical, child, err);
}

static int by_child(const void *a, const void *b)
{
	const struct edge *const x = a, *const y = b;

	if (x->child != y->child)
		return x->child < y->child ? -1 : 1;
	return x->parent < y->parent ? -1 : x->parent > y->parent;
}

/* Sorts them, and counts what several items of a leaf say. */
static void edges_sort(struct edges *edges)
{
	size_t n = 0;

	if (edges->n > 0)
		qsort(edges->at, edges->n, sizeof(*edges->at), by_child);
	for (size_t i = 0; i < edges->n; i++) {
		if (n > 0 && by_child(&edges->at[n - 1], &edges->at[i]) == 0)
			edges->at[n - 1].count++;
		else
			edges->at[n++] = edges->at[i];
	}
	edges->n = n;
}

/* --- the plan -------------------------------------------------------------------------------------- */

static bool take_edges(struct edges *edges, uint64_t **parents, struct error *err)
{
	*parents = calloc(edges->n ? edges->n : 1, sizeof(**parents));
	if (!*parents)
		return error_memory(err);
	for (size_t i = 0; i < edges->n; i++)
		(*parents)[i] = edges->at[i].parent;
	return true;
}

/* The items of consecutive edges with the same child. */
static bool take_items(const struct edges *edges, struct copy_item **out, size_t *n, struct error *err)
{
	struct copy_item *item = calloc(edges->n ? edges->n : 1, sizeof(*item));

	if (!item)
		return error_memory(err);
	*n = 0;
	for (size_t i = 0; i < edges->n; i++) {
		if (i == 0 || edges->at[i].child != edges->at[i - 1].child)
			item[(*n)++] = (struct copy_item){ .logical = edges->at[i].child, .first_edge = (uint32_t)i };
		item[*n - 1].n_edges++;
		item[*n - 1].n_refs += edges->at[i].count;
	}
	*out = item;
	return true;
}

static int by_level(const void *a, const void *b)
{
	const struct copy_item *const x = a, *const y = b;

	if (x->level != y->level)
		return x->level > y->level ? -1 : 1;
	return x->logical < y->logical ? -1 : x->logical > y->logical;
}

static bool fill(const struct finding *f, struct copy_plan *plan, struct error *err)
{
	struct finding *const edges = (struct finding *)f;

	if (f->block.n > UINT32_MAX || f->extent.n > UINT32_MAX)
		return error_set(err, ERROR_MEMORY, "more than %u references to what is shared", UINT32_MAX);
	if (!take_edges(&edges->block, &plan->block_edge, err) || !take_edges(&edges->extent, &plan->extent_edge, err) ||
	    !take_items(&f->block, &plan->block, &plan->n_blocks, err) || !take_items(&f->extent, &plan->extent, &plan->n_extents, err))
		return false;
	for (size_t i = 0; i < plan->n_blocks; i++) {
		struct copy_item *const item = &plan->block[i];
		const size_t at = item->logical;

		item->logical = f->scan->block[at].logical;
		item->level = f->scan->block[at].level;
		item->n_refs = f->n_refs[at];
	}
	for (size_t i = 0; i < plan->n_extents; i++) {
		struct copy_item *const item = &plan->extent[i];
		const struct scan_extent *const extent = &f->scan->extent[item->logical];

		item->logical = extent->logical;
		item->length = extent->length;
		plan->data_bytes += extent->length;
	}
	if (plan->n_blocks > 0)
		qsort(plan->block, plan->n_blocks, sizeof(*plan->block), by_level);
	return true;
}

static bool count_block(void *context, struct block *block, bool *descend, struct error *err)
{
	(void)block, (void)descend, (void)err;
	++*(uint64_t *)context;
	return true;
}

static bool take_keepers(const struct sharer *sharers, size_t n, struct copy_plan *plan, struct error *err)
{
	plan->keeper = calloc(n ? n : 1, sizeof(*plan->keeper));
	if (!plan->keeper)
		return error_memory(err);
	for (size_t i = 0; i < n; i++)
		plan->keeper[i].id = sharers[i].id;
	plan->n_keepers = n;
	return true;
}

/* --- what it takes ---------------------------------------------------------------------------------- */

static uint64_t leaf_half(const struct volume *volume)
{
	return (volume->super.node_size - sizeof(struct disk_header)) / 2;
}

/* Tree blocks that editing n items changes, if they grow by so many bytes: each leaf may split, at worst into half full ones. */
static size_t edit_blocks(const struct copy_plan *plan, const struct volume *volume, uint64_t n, uint64_t bytes)
{
	const uint64_t touched = n < plan->n_extent_tree_blocks ? n : plan->n_extent_tree_blocks;

	return 2 * touched + bytes / leaf_half(volume) + OTHER_BLOCKS;
}

size_t copy_block_room(const struct copy_plan *plan, const struct volume *volume, const struct copy_item *block)
{
	return block->n_edges + edit_blocks(plan, volume, 2 + (uint64_t)block->n_refs, 2 * REF_BYTES * ((uint64_t)block->n_refs + block->n_edges + 2));
}

static uint64_t csum_bytes(const struct volume *volume, uint64_t length)
{
	return length / volume->super.sector_size * csum_type_size(volume->super.csum_type);
}

size_t copy_extent_room(const struct copy_plan *plan, const struct volume *volume, const struct copy_item *extent)
{
	const uint64_t bytes = REF_BYTES * (2 + (uint64_t)extent->n_refs) + csum_bytes(volume, extent->length) + 2 * sizeof(struct disk_item);

	return extent->n_edges + edit_blocks(plan, volume, 4 + 2 * (uint64_t)extent->n_refs, bytes) + OTHER_BLOCKS;
}

size_t copy_plan_room(const struct copy_plan *plan, const struct volume *volume)
{
	size_t most = 0;

	for (size_t i = 0; i < plan->n_blocks; i++) {
		const size_t room = copy_block_room(plan, volume, &plan->block[i]);

		most = room > most ? room : most;
	}
	for (size_t i = 0; i < plan->n_extents; i++) {
		const size_t room = copy_extent_room(plan, volume, &plan->extent[i]);

		most = room > most ? room : most;
	}
	return most;
}

static uint64_t new_blocks(const struct copy_plan *plan, const struct volume *volume)
{
	const uint64_t item = 2 * sizeof(struct disk_item) + sizeof(struct disk_extent_item) + sizeof(struct disk_tree_block_info);
	uint64_t refs = 0, csums = 0, n;

	for (size_t i = 0; i < plan->n_blocks; i++)
		refs += item + 2 * REF_BYTES * ((uint64_t)plan->block[i].n_refs + plan->block[i].n_edges);
	for (size_t i = 0; i < plan->n_extents; i++) {
		refs += item + REF_BYTES * (1 + (uint64_t)plan->extent[i].n_refs);
		csums += csum_bytes(volume, plan->extent[i].length) + 2 * sizeof(struct disk_item);
	}
	/* Every leaf of the extent tree may split, and what is added may fill leaves by half. */
	n = plan->n_blocks + plan->n_extent_tree_blocks + (refs + csums) / leaf_half(volume) + 2 * OTHER_BLOCKS;
	return n + n / 16;	/* the nodes above */
}

/* --- both -------------------------------------------------------------------------------------------- */

static bool find(struct finding *f, struct sharer **sharers, size_t *n, struct error *err)
{
	const struct scan *const scan = f->scan;

	f->marks.block = calloc(scan->n_blocks + 1, 1);
	f->marks.extent = calloc(scan->n_extents + 1, 1);
	f->n_refs = calloc(scan->n_blocks + 1, sizeof(*f->n_refs));
	if (!f->marks.block || !f->marks.extent || !f->n_refs)
		return error_memory(err);
	if (scan->n_blocks > UINT32_MAX || scan->n_extents > UINT32_MAX)
		return error_set(err, ERROR_MEMORY, "more than %u tree blocks or extents", UINT32_MAX);
	if (!sharing_find_marked(scan, &f->marks, sharers, n, err))
		return false;
	if (*n == 0)
		return true;
	if (!mark_below(f, err) || !check_roots(f, err))
		return false;
	for (size_t i = 0; i < scan->n_blocks; i++) {
		if (!each_child(f, i, note_edge, err))
			return false;
	}
	edges_sort(&f->block);
	edges_sort(&f->extent);
	return true;
}

static bool make(struct finding *f, struct copy_plan *plan, bool *any, struct error *err)
{
	struct sharer *sharers = NULL;
	struct tree tree;
	size_t n = 0;
	bool ok;

	ok = find(f, &sharers, &n, err) && fill(f, plan, err) && take_keepers(sharers, n, plan, err) &&
	     tree_open(f->scan->volume, EXTENT_TREE_ID, &tree, err) && tree_walk(&tree, count_block, &plan->n_extent_tree_blocks, err);
	free(sharers);
	*any = n > 0;
	if (ok)
		plan->n_new_blocks = new_blocks(plan, f->scan->volume);
	return ok;
}

bool copy_plan_make(const struct scan *scan, struct copy_plan **out, struct error *err)
{
	struct copy_plan *plan = calloc(1, sizeof(*plan));
	struct finding f = { .scan = scan };
	bool any = false, ok;

	*out = NULL;
	if (!plan)
		return error_memory(err);
	plan->copied.record_size = sizeof(struct copied);
	ok = make(&f, plan, &any, err);
	free(f.marks.block);
	free(f.marks.extent);
	free(f.n_refs);
	free(f.block.at);
	free(f.extent.at);
	if (ok && any)
		*out = plan;
	else
		copy_plan_free(plan);
	return ok;
}

void copy_plan_free(struct copy_plan *plan)
{
	if (!plan)
		return;
	free(plan->block);
	free(plan->extent);
	free(plan->block_edge);
	free(plan->extent_edge);
	free(plan->keeper);
	record_table_free(&plan->copied);
	free(plan);
}
