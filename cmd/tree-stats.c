/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt tree-stats: how large trees are, and how their blocks are spread over the disk. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/dump/select.h"
#include "cmd/image-options.h"
#include "cmd/image.h"
#include "cmd/json.h"
#include "cmd/print.h"
#include "cmd/seek-histogram.h"
#include "cmd/size-text.h"
#include "common/tree/tree.h"
#include "common/util/escape.h"
#include "format/file-extent.h"

static struct {
	char *tree;
	int bytes;
} opt;

static const struct poptOption options[] = {
	{ "tree", 't', POPT_ARG_STRING, &opt.tree, 0, 
	  "only this one: root, chunk, extent, dev, fs, csum, uuid, free-space, block-group, quota, raid-stripe, data-reloc, or its number", "TREE" },
	{ "bytes", 'b', POPT_ARG_NONE, &opt.bytes, 0, "print bytes, not KiB, MiB, GiB", NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_blocks, 0, NULL, NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_format, 0, NULL, NULL },
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

static void print_size(const char *before, uint64_t bytes)
{
	char text[SIZE_TEXT_SIZE];

	if (opt.bytes)
		printf("%s%" PRIu64 "\n", before, bytes);
	else
		printf("%s%s\n", before, size_text(bytes, text));
}

static void print_text(const struct tree *tree, const char *name, struct stats *stats, uint64_t n_clusters)
{
	if (name)
		printf("Calculating size of %s tree\n", name);
	else
		printf("Calculating size of tree %" PRIu64 "\n", tree->id);
	print_size("\tTotal size: ", n_blocks(stats) * stats->node_size);
	print_size("\t\tInline data: ", stats->inline_bytes);
	printf("\tTotal seeks: %" PRIu64 "\n", n_seeks(stats));
	printf("\t\tForward seeks: %" PRIu64 "\n", stats->n_forward);
	printf("\t\tBackward seeks: %" PRIu64 "\n", stats->n_backward);
	print_size("\t\tAvg seek len: ", n_seeks(stats) ? stats->seek_len / n_seeks(stats) : 0);
	seek_histogram_print(&stats->seeks);
	printf("\tTotal clusters: %" PRIu64 "\n", n_clusters);
	print_size("\t\tAvg cluster size: ", stats->cluster_bytes / n_clusters);
	print_size("\t\tMin cluster size: ", stats->n_clusters ? stats->min_cluster : 0);
	print_size("\t\tMax cluster size: ", stats->max_cluster);
	print_size("\tTotal disk spread: ", stats->highest - stats->lowest);
	printf("\tLevels: %u\n", tree->level + 1u);
	printf("\tTotal nodes: %" PRIu64 "\n", n_blocks(stats));
	for (unsigned level = 0; level <= tree->level; level++) {
		printf("\t\tOn level %u: %8" PRIu64, level, stats->n_nodes[level]);
		if (level > 0 && stats->n_nodes[level] > 0)
			printf("  (avg fanout %" PRIu64 ")", stats->n_nodes[level - 1] / stats->n_nodes[level]);
		putchar('\n');
	}
}

static void append_group(void *groups, uint64_t first, uint64_t last, uint64_t n)
{
	struct json_object *group = json_line();

	json_u64(group, "from", first);
	json_u64(group, "to", last);
	json_u64(group, "seeks", n);
	json_append(groups, group);
}

static void print_json(const struct tree *tree, const char *name, struct stats *stats, uint64_t n_clusters)
{
	struct json_object *line = json_line(), *levels = json_array(), *groups = json_array();

	json_u64(line, "tree", tree->id);
	if (name)
		json_text(line, "name", name);
	json_u64(line, "total_size", n_blocks(stats) * stats->node_size);
	json_u64(line, "inline_data", stats->inline_bytes);
	json_u64(line, "seeks", n_seeks(stats));
	json_u64(line, "forward_seeks", stats->n_forward);
	json_u64(line, "backward_seeks", stats->n_backward);
	json_u64(line, "seek_length", stats->seek_len);
	json_u64(line, "longest_seek", stats->max_seek_len);
	seek_histogram_groups(&stats->seeks, false, append_group, groups);
	json_member(line, "seek_histogram", groups);
	json_u64(line, "clusters", n_clusters);
	json_u64(line, "cluster_size", stats->cluster_bytes);
	json_u64(line, "smallest_cluster", stats->n_clusters ? stats->min_cluster : 0);
	json_u64(line, "largest_cluster", stats->max_cluster);
	json_u64(line, "disk_spread", stats->highest - stats->lowest);
	json_u64(line, "nodes", n_blocks(stats));
	for (unsigned level = 0; level <= tree->level; level++) {
		struct json_object *member = json_line();

		json_number(member, "level", level);
		json_u64(member, "nodes", stats->n_nodes[level]);
		json_append(levels, member);
	}
	json_member(line, "levels", levels);
	json_print(line, stdout);
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
		(format_is_json() ? print_json : print_text)(&tree, name, &stats, stats.n_clusters ? stats.n_clusters : 1);
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
