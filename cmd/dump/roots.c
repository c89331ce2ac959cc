/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the roots of all trees. */
#include "cmd/dump/roots.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/util/array.h"
#include "format/node-salvage.h"
#include "format/root.h"

void dump_start_of_super(const struct superblock *super, uint64_t id, struct dump_start *start)
{
	switch (id) {
	case ROOT_TREE_ID:
		*start = (struct dump_start){ super->root, super->generation, super->root_level };
		break;
	case CHUNK_TREE_ID:
		*start = (struct dump_start){ super->chunk_root, super->chunk_root_generation, super->chunk_root_level };
		break;
	default:	/* written by a commit that did not happen: its generation is in no superblock */
		*start = (struct dump_start){ super->log_root, 0, super->log_root_level };
		break;
	}
}

static bool add(struct dump_roots *roots, const struct key *key, const struct root *root, struct error *err)
{
	if (!ARRAY_ROOM(roots->root, roots->n, roots->n_max, err))
		return false;
	roots->root[roots->n++] = (struct dump_root){ *key, { root->bytenr, root->generation, root->level } };
	return true;
}

struct finding {
	struct dump_roots *roots;
	bool tolerant;
};

static bool look(void *context, const struct node *node, const struct dump_problems *problems, struct error *err)
{
	const struct finding *finding = context;

	finding->roots->damaged |= problems->n > 0;
	for (uint32_t slot = 0; node_is_leaf(node) && slot < node->n_items; slot++) {
		struct salvaged_item item = node_salvage_item(node, slot);
		const struct key key = node_key(node, slot);
		char text[KEY_TEXT_SIZE];
		struct root root;

		if (key.type != KEY_ROOT_ITEM)
			continue;
		if (item.inside && root_read(&item.item, &root, err)) {
			if (!add(finding->roots, &key, &root, err))
				return false;
			continue;
		}
		if (!finding->tolerant)
			return error_prefix(err, "%s", key_text(&key, text));
		finding->roots->damaged = true;
	}
	return true;
}

static void lose(void *context, const struct report *report)
{
	const struct finding *finding = context;

	(void)report;	/* the dump of the tree says it */
	finding->roots->damaged = true;
}

bool dump_roots_read(struct volume *volume, uint64_t id, bool tolerant, struct dump_roots *roots, struct error *err)
{
	struct finding finding = { roots, tolerant };
	const struct dump_walk walk = {
		.volume = volume,
		.tolerant = tolerant,
		.depth_first = true,
		.leaves_only = true,
		.show = look,
		.report = lose,
		.context = &finding,
	};
	struct dump_start start;

	dump_start_of_super(&volume->super, id, &start);
	return dump_walk(&walk, &start, err);
}

void dump_roots_free(struct dump_roots *roots)
{
	free(roots->root);
	*roots = (struct dump_roots){ 0 };
}

void dump_backup_roots(const struct disk_superblock *disk)
{
	for (unsigned i = 0; i < sizeof(disk->backup) / sizeof(disk->backup[0]); i++) {
		const struct disk_root_backup *backup = &disk->backup[i];
		const struct {
			const char *name;
			struct le64 generation, block;
		} roots[] = {
			{ "tree", backup->tree_root_gen, backup->tree_root },
			{ "extent", backup->extent_root_gen, backup->extent_root },
			{ "chunk", backup->chunk_root_gen, backup->chunk_root },
			{ "device", backup->dev_root_gen, backup->dev_root },
			{ "csum", backup->csum_root_gen, backup->csum_root },
			{ "fs", backup->fs_root_gen, backup->fs_root },
		};

		printf("btrfs root backup slot %u\n", i);
		for (size_t r = 0; r < sizeof(roots) / sizeof(roots[0]); r++)
			printf("%s%s root gen %" PRIu64 " block %" PRIu64 "\n", r == 0 ? "\t" : "\t\t", roots[r].name,
			       le64(roots[r].generation), le64(roots[r].block));
		printf("\t\t%" PRIu64 " used %" PRIu64 " total %" PRIu64 " devices\n", le64(backup->bytes_used), le64(backup->total_bytes),
		       le64(backup->num_devices));
	}
}
