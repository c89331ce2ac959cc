/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt tree-stats: how large trees are, and how their blocks are spread over the disk. */
#include <inttypes.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/dump/select.h"
#include "cmd/image-options.h"
#include "cmd/image.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "cmd/seek-histogram.h"
#include "common/tree/tree.h"
#include "format/file-extent.h"

static struct {
	char *tree;
	int bytes;
} opt;

static const struct poptOption options[] = {
	{ "tree", 't', POPT_ARG_STRING, &opt.tree, 0, 
	  "only this one: root, chunk, extent, dev, fs, csum, uuid, free-space, block-group, quota, raid-stripe, data-reloc, or its number", "TREE" },
	{ "bytes", 'b', POPT_ARG_NONE, &opt.bytes, 0, "print bytes, not KiB, MiB, GiB", NULL },
	INCLUDE(options_blocks), INCLUDE(options_format),
	POPT_TABLEEND
};

static const struct {
	const char *name;
	uint64_t id;
} names[] = {
	{ "root", ROOT_TREE_ID }, { "extent", EXTENT_TREE_ID }, { "csum", CSUM_TREE_ID }, { "fs", FS_TREE_ID },	/* the default */
	{ "chunk", CHUNK_TREE_ID }, { "dev", DEV_TREE_ID }, { "quota", QUOTA_TREE_ID }, { "uuid", UUID_TREE_ID },
	{ "free-space", FREE_SPACE_TREE_ID }, { "block-group", BLOCK_GROUP_TREE_ID }, { "data-reloc", DATA_RELOC_TREE_ID },
};
#define N_NAMES (sizeof(names) / sizeof(names[0]))
#define N_USUAL 4

/* The terms of btrfs inspect-internal tree-stats. A cluster is a run of children that follow each other. */
struct stats {
	struct volume *volume;
	uint32_t node_size, sector_size;
	bool has_files;		/* a subvolume: count what is inline */
	uint64_t n_nodes[LEVEL_MAX];
	uint64_t inline_bytes;
	uint64_t n_forward, n_backward, seek_len, max_seek_len;
	uint64_t n_clusters, cluster_bytes, min_cluster, max_cluster;
	uint64_t lowest, highest;
	struct seek_histogram seeks;
};

static uint64_t n_seeks(const struct stats *stats)
{
	return stats->n_forward + stats->n_backward;
}

static uint64_t n_blocks(const struct stats *stats)
{
	uint64_t n = 0;

	for (unsigned level = 0; level < LEVEL_MAX; level++)
		n += stats->n_nodes[level];
	return n;
}

static void end_cluster(struct stats *stats, uint64_t bytes)
{
	if (bytes == stats->node_size)
		return;
	stats->n_clusters++;
	stats->cluster_bytes += bytes;
	if (bytes < stats->min_cluster)
		stats->min_cluster = bytes;
	if (bytes > stats->max_cluster)
		stats->max_cluster = bytes;
}

/* The children of an inner node, in the order of their keys: how far a reader has to seek from each to the next. */
static bool count_children(struct stats *stats, const struct node *node, struct error *err)
{
	uint64_t last = node->logical, cluster = stats->node_size;

	for (uint32_t slot = 0; slot < node->n_items; slot++) {
		const uint64_t child = node_child(node, slot);
		const uint64_t expected = last + stats->node_size;

		if (child != expected) {
			const uint64_t distance = child > expected ? child - expected : expected - child;

			stats->seek_len += distance;
			if (distance > stats->max_seek_len)
				stats->max_seek_len = distance;
			stats->n_forward += last < child;
			stats->n_backward += last >= child;
			if (!seek_histogram_add(&stats->seeks, distance, err))
				return false;
			end_cluster(stats, cluster);
			cluster = stats->node_size;
		} else {
			cluster += stats->node_size;
		}
		last = child;
		if (child < stats->lowest)
			stats->lowest = child;
		if (child > stats->highest)
			stats->highest = child;
	}
	return true;
}

static bool count_inline(struct stats *stats, const struct node *leaf, struct error *err)
{
	for (uint32_t slot = 0; slot < leaf->n_items; slot++) {
		const struct key key = node_key(leaf, slot);
		struct cursor item = leaf_item(leaf, slot);
		struct file_extent extent;

		if (key.type != KEY_EXTENT_DATA)
			continue;
		if (!file_extent_read(&item, key.offset, stats->sector_size, &extent, err)) {
			error_prefix(err, "inode %" PRIu64, key.objectid);
			if (!volume_tolerates(stats->volume, err))
				return false;
			continue;
		}
		if (extent.type == FILE_EXTENT_INLINE)
			stats->inline_bytes += extent.payload.left;
	}
	return true;
}

static bool count_block(void *context, struct block *block, bool *descend, struct error *err)
{
	const struct node *node = &block->node;
	struct stats *stats = context;

	stats->n_nodes[node->level]++;
	if (node_is_leaf(node))
		return !stats->has_files || count_inline(stats, node, err);
	if (!count_children(stats, node, err))
		return false;
	/* For leaves without files the number is enough. */
	if (node->level == 1 && !stats->has_files) {
		stats->n_nodes[0] += node->n_items;
		*descend = false;
	}
	return true;
}

static void append_group(void *groups, uint64_t first, uint64_t last, uint64_t n)
{
	const struct row group = row_element(groups);

	row_u64(&group, "from", NULL, first);
	row_u64(&group, "to", NULL, last);
	row_u64(&group, "seeks", NULL, n);
}

static void print_histogram(const struct row *row, struct seek_histogram *seeks)
{
	struct row groups = row_array(row, "seek_histogram");

	if (row->json)
		seek_histogram_groups(seeks, SEEKS_ALL, append_group, &groups);
	else
		seek_histogram_print(seeks);
}

static void print_levels(const struct row *row, const struct tree *tree, const struct stats *stats)
{
	const struct row levels = row_array(row, "levels");

	for (unsigned level = 0; level <= tree->level; level++) {
		const struct row one = row_element(&levels);

		row_number(&one, "level", "\n\t\tOn level ", level);
		row_u64(&one, "nodes", NULL, stats->n_nodes[level]);
		row_format(&one, ": %8" PRIu64, stats->n_nodes[level]);
		if (level > 0 && stats->n_nodes[level] > 0)
			row_format(&one, "  (avg fanout %" PRIu64 ")", stats->n_nodes[level - 1] / stats->n_nodes[level]);
	}
}

static void print_stats(const struct tree *tree, const char *name, struct stats *stats)
{
	const uint64_t n_clusters = stats->n_clusters ? stats->n_clusters : 1;
	struct row row = row_begin(NULL);

	row.in_bytes = opt.bytes;
	row_u64(&row, "tree", name ? NULL : "Calculating size of tree ", tree->id);
	if (name)
		row_text(&row, "name", "Calculating size of ", name);
	row_words(&row, name ? " tree" : "");
	row_size(&row, "total_size", "\n\tTotal size: ", n_blocks(stats) * stats->node_size);
	row_size(&row, "inline_data", "\n\t\tInline data: ", stats->inline_bytes);
	row_u64(&row, "seeks", "\n\tTotal seeks: ", n_seeks(stats));
	row_u64(&row, "forward_seeks", "\n\t\tForward seeks: ", stats->n_forward);
	row_u64(&row, "backward_seeks", "\n\t\tBackward seeks: ", stats->n_backward);
	row_u64(&row, "seek_length", NULL, stats->seek_len);
	row_size(&row, NULL, "\n\t\tAvg seek len: ", n_seeks(stats) ? stats->seek_len / n_seeks(stats) : 0);
	row_u64(&row, "longest_seek", NULL, stats->max_seek_len);
	row_words(&row, "\n");
	print_histogram(&row, &stats->seeks);
	row_u64(&row, "clusters", "\tTotal clusters: ", n_clusters);
	row_u64(&row, "cluster_size", NULL, stats->cluster_bytes);
	row_size(&row, NULL, "\n\t\tAvg cluster size: ", stats->cluster_bytes / n_clusters);
	row_size(&row, "smallest_cluster", "\n\t\tMin cluster size: ", stats->n_clusters ? stats->min_cluster : 0);
	row_size(&row, "largest_cluster", "\n\t\tMax cluster size: ", stats->max_cluster);
	row_size(&row, "disk_spread", "\n\tTotal disk spread: ", stats->highest - stats->lowest);
	row_number(&row, NULL, "\n\tLevels: ", tree->level + 1);
	row_u64(&row, "nodes", "\n\tTotal nodes: ", n_blocks(stats));
	print_levels(&row, tree, stats);
	row_end(&row);
}

static bool print_tree(struct volume *volume, uint64_t id, const char *name, struct error *err)
{
	struct stats stats = {
		.volume = volume,
		.node_size = volume->super.node_size,
		.sector_size = volume->super.sector_size,
		.has_files = id == FS_TREE_ID || (id >= FIRST_FREE_ID && id <= LAST_FREE_ID),
		.min_cluster = UINT64_MAX,
		.max_cluster = volume->super.node_size,
	};
	struct tree tree;

	if (!tree_open(volume, id, &tree, err))
		return false;
	stats.lowest = stats.highest = tree.logical;

	const bool ok = tree_walk(&tree, count_block, &stats, err);

	if (ok)
		print_stats(&tree, name, &stats);
	if (stats.seeks.overflowed)
		print_note(NULL, "there are too many different distances for a histogram of seeks");
	seek_histogram_free(&stats.seeks);
	return ok;
}

/* A name of the table, or whatever dump-tree understands. */
static bool find_tree(const char *text, uint64_t *id, const char **name, struct error *err)
{
	for (size_t i = 0; i < N_NAMES; i++) {
		if (strcasecmp(text, names[i].name) == 0) {
			*id = names[i].id;
			*name = names[i].name;
			return true;
		}
	}
	return select_tree(text, id, err);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_volume struct volume *volume = NULL;
	const char *name = NULL;
	uint64_t id;

	if (opt.tree && !find_tree(opt.tree, &id, &name, err))
		return false;
	image_add_devices(operand + 1);
	if (!image_open(operand[0], TREES_ANYHOW, &volume, err))
		return false;
	if (opt.tree)
		return print_tree(volume, id, name, err);
	for (size_t i = 0; i < N_USUAL; i++) {
		if (!print_tree(volume, names[i].id, names[i].name, err) && !volume_tolerates(volume, err))
			return false;
	}
	return true;
}

const struct command cmd_tree_stats = {
	.name = "tree-stats",
	.operands = "IMAGE [DEVICE...]",
	.summary = "show how large trees are and how they are spread over the disk",
	.options = options,
	.run = run,
};
