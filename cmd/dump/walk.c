/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks trees for the dumps, level by level or depth first, past damage if asked to. */
#include "cmd/dump/walk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/util/set64.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "format/node-salvage.h"

/* A block that is held to be shown: from the cache, or in bytes of its own if it is damaged. */
struct held {
	struct block *block;
	uint8_t *bytes;
	struct node node;
	struct dump_problems problems;
};

static void held_release(struct held *held)
{
	block_put(held->block);
	free(held->bytes);
	*held = (struct held){ 0 };
}
#define cleanup_held __attribute__((cleanup(held_release)))

static void add_problem(struct held *held, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_problem(struct held *held, const char *format, ...)
{
	va_list args;

	if (held->problems.n == DUMP_PROBLEMS_MAX)
		return;
	va_start(args, format);
	vsnprintf(held->problems.text[held->problems.n++], sizeof(held->problems.text[0]), format, args);
	va_end(args);
}

/* --- damaged blocks ----------------------------------------------------------------------------------------------- */

/* Names each problem, while the block layer names only the first. */
static void find_problems(struct held *held, const struct volume *volume, uint64_t logical, const struct block_expect *expect)
{
	const struct superblock *super = &volume->super;
	struct error err = { 0 };
	uint32_t n_items;
	struct node whole;

	if (!csum_block_matches(super->csum_type, held->bytes, super->node_size))
		add_problem(held, "the %s checksum does not match", csum_type_name(super->csum_type));
	if (!node_read(held->bytes, super->node_size, logical, &whole, &err))
		add_problem(held, "%s", err.text);
	node_salvage(held->bytes, super->node_size, logical, &held->node, &n_items);
	if (n_items > held->node.n_items)
		add_problem(held, "nritems is %" PRIu32 ", at most %" PRIu32 " fit", n_items, held->node.n_items);
	if (memcmp(held->node.fsid, super->metadata_fsid, FSID_SIZE) != 0)
		add_problem(held, "its fsid is that of another filesystem");
	if (expect->level >= 0 && held->node.level != expect->level)
		add_problem(held, "level is %u, %d was expected", held->node.level, expect->level);
	if (expect->generation && held->node.generation != expect->generation)
		add_problem(held, "generation is %" PRIu64 ", %" PRIu64 " was expected", held->node.generation, expect->generation);
	if (expect->first && held->node.n_items > 0) {
		const struct key first = node_key(&held->node, 0);
		char have[KEY_TEXT_SIZE], want[KEY_TEXT_SIZE];

		if (key_compare(&first, expect->first) != 0)
			add_problem(held, "first key is %s, %s was expected", key_text(&first, have), key_text(expect->first, want));
	}
}

/* The first mirror that can be read at all. why: what the block layer said about the block. */
static bool salvage(const struct dump_walk *walk, uint64_t logical, const struct block_expect *expect, struct held *held,
		    struct error *err)
{
	struct volume *volume = walk->volume;
	const struct chunk *chunk;
	struct error why = *err;

	if (err->kind == ERROR_MEMORY || !volume_chunk(volume, logical, &chunk, err))
		return false;
	held->bytes = malloc(volume->super.node_size);
	if (!held->bytes)
		return error_memory(err);

	const unsigned n_mirrors = chunk_n_mirrors(chunk);
	bool is_read = false;

	for (unsigned mirror = 0; mirror < n_mirrors && !is_read; mirror++)
		is_read = volume_read(volume, logical, held->bytes, volume->super.node_size, mirror, err);
	if (!is_read)
		return false;
	find_problems(held, volume, logical, expect);
	if (held->problems.n == 0)	/* only its neighbors say so */
		add_problem(held, "%s", why.text);
	return true;
}

/* --- getting blocks -------------------------------------------------------------------------------------------------- */

static bool get_start(const struct dump_walk *walk, const struct dump_start *start, struct held *held, struct error *err)
{
	const struct block_expect expect = { .level = start->level, .generation = start->generation };

	if (block_get(walk->volume, start->logical, &expect, &held->block, err)) {
		held->node = held->block->node;
		return true;
	}
	return walk->tolerant && salvage(walk, start->logical, &expect, held, err);
}

static bool get_child(const struct dump_walk *walk, const struct held *parent, uint32_t slot, const struct key *below,
		      struct held *held, struct error *err)
{
	const struct key first = node_key(&parent->node, slot);
	const struct block_expect expect = {
		.level = parent->node.level - 1,
		.generation = node_child_generation(&parent->node, slot),
		.first = &first,
	};
	const uint64_t logical = node_child(&parent->node, slot);

	if (parent->block ? block_child(parent->block, slot, below, &held->block, err) :
			    block_get(walk->volume, logical, &expect, &held->block, err)) {
		held->node = held->block->node;
		return true;
	}
	return walk->tolerant && salvage(walk, logical, &expect, held, err);
}

/* --- walking ------------------------------------------------------------------------------------------------------------- */

/* One walk through a tree: every block of one level, or of all levels. */
struct pass {
	const struct dump_walk *walk;
	int level;		/* -1: all */
	struct set64 seen;	/* tolerant: nothing else keeps a damaged tree from going round in circles */
};

static bool show(const struct pass *pass, const struct held *held, int level, struct error *err)
{
	const struct dump_walk *walk = pass->walk;

	if (pass->level >= 0 && level != pass->level)
		return true;
	if (!node_is_leaf(&held->node) && (walk->leaves_only || walk->first || walk->last))
		return true;
	return walk->show(walk->context, &held->node, &held->problems, err);
}

/* Can a key of the range be under this slot? Damaged nodes need not be sorted, so under them it can. */
static bool in_range(const struct dump_walk *walk, const struct held *held, uint32_t slot)
{
	if (held->problems.n > 0)
		return true;
	if (walk->last) {
		const struct key key = node_key(&held->node, slot);

		if (key_compare(&key, walk->last) > 0)
			return false;
	}
	if (walk->first && slot + 1 < held->node.n_items) {
		const struct key next = node_key(&held->node, slot + 1);

		return key_compare(&next, walk->first) > 0;
	}
	return true;
}

static bool lost(const struct pass *pass, int level, uint64_t logical, const char *why)
{
	if (pass->level < 0 || level == pass->level)
		pass->walk->report(pass->walk->context, &(struct report){ .kind = REPORT_LOST, .logical = logical, .text = why });
	return true;
}

static bool walk_children(struct pass *pass, const struct held *held, const struct key *below, struct error *err);

/* Recurses as deep as the tree. level: where the block is, whatever its header says. */
static bool walk_child(struct pass *pass, const struct held *parent, uint32_t slot, const struct key *below, struct error *err)
{
	const uint64_t logical = node_child(&parent->node, slot);
	const int level = parent->node.level - 1;
	cleanup_held struct held held = { 0 };
	bool is_new = true;
	struct key bound;

	if (pass->walk->tolerant && !set64_add(&pass->seen, logical, &is_new, err))
		return false;
	if (!is_new)
		return lost(pass, level, logical, "the tree leads to it a second time");
	if (!get_child(pass->walk, parent, slot, below, &held, err)) {
		if (!pass->walk->tolerant || err->kind == ERROR_MEMORY)
			return false;
		return lost(pass, level, logical, err->text);
	}
	if (!show(pass, &held, level, err))
		return false;
	if (node_is_leaf(&held.node) || held.node.level != level || (pass->level >= 0 && level <= pass->level))
		return true;
	return walk_children(pass, &held, node_bound(&parent->node, slot, below, &bound), err);
}

static bool walk_children(struct pass *pass, const struct held *held, const struct key *below, struct error *err)
{
	for (uint32_t slot = 0; slot < held->node.n_items; slot++)
		if (in_range(pass->walk, held, slot) && !walk_child(pass, held, slot, below, err))
			return false;
	return true;
}

static bool run_pass(const struct dump_walk *walk, int level, const struct held *root, struct error *err)
{
	struct pass pass = { .walk = walk, .level = level };
	const bool ok = (!walk->tolerant || set64_add(&pass.seen, root->node.logical, NULL, err)) &&
			walk_children(&pass, root, NULL, err);

	set64_free(&pass.seen);
	return ok;
}

bool dump_walk(const struct dump_walk *walk, const struct dump_start *start, struct error *err)
{
	const struct pass all = { .walk = walk, .level = -1 };
	cleanup_held struct held root = { 0 };

	if (!get_start(walk, start, &root, err)) {
		if (!walk->tolerant || err->kind == ERROR_MEMORY)
			return false;
		return lost(&all, start->level, start->logical, err->text);
	}
	if (!show(&all, &root, root.node.level, err))
		return false;
	if (walk->only_root || node_is_leaf(&root.node) || root.node.level >= LEVEL_MAX)
		return true;
	if (walk->depth_first || walk->leaves_only || walk->first || walk->last)
		return run_pass(walk, -1, &root, err);
	for (int level = root.node.level - 1; level >= 0; level--)
		if (!run_pass(walk, level, &root, err))
			return false;
	return true;
}
