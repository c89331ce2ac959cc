/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of fixed size. Whoever makes an image cannot know which row a number goes to. */
#include "common/sealed/proof-memory.h"

#include <stdlib.h>
#include <sys/random.h>

#include "common/util/mix64.h"

static struct proof_memo *row_of(const struct proof_memory *memory, uint64_t tree, uint64_t inode)
{
	return &memory->row[(mix64(mix64(inode ^ memory->seed) ^ tree) % PROOF_MEMORY_ROWS) * PROOF_MEMORY_WAYS];
}

static struct proof_memo *look(const struct proof_memory *memory, uint64_t tree, uint64_t inode, enum inode_entry_kind kind)
{
	struct proof_memo *row = row_of(memory, tree, inode);

	for (unsigned i = 0; i < PROOF_MEMORY_WAYS; i++) {
		if (row[i].kind == kind && row[i].tree == tree && row[i].inode == inode)
			return &row[i];
	}
	return NULL;
}

const struct proof_memo *proof_memory_find(struct proof_memory *memory, uint64_t tree, uint64_t inode, enum inode_entry_kind kind)
{
	struct proof_memo *memo = memory->row ? look(memory, tree, inode, kind) : NULL;

	if (memo)
		memo->used = ++memory->now;
	return memo;
}

static bool make_room(struct proof_memory *memory)
{
	/* A seed of zeros would still be correct, only slower with numbers chosen to collide. */
	if (!memory->row && getrandom(&memory->seed, sizeof(memory->seed), GRND_NONBLOCK) != sizeof(memory->seed))
		memory->seed = 0;
	if (!memory->row)
		memory->row = calloc((size_t)PROOF_MEMORY_ROWS * PROOF_MEMORY_WAYS, sizeof(*memory->row));
	return memory->row;
}

void proof_memory_add(struct proof_memory *memory, uint64_t tree, uint64_t inode, enum inode_entry_kind kind, bool proven, const struct error *gap)
{
	struct error *copy = gap ? malloc(sizeof(*copy)) : NULL;
	struct proof_memo *memo, *row;

	if ((gap && !copy) || !make_room(memory)) {
		free(copy);
		return;
	}
	if (copy)
		*copy = *gap;
	memo = look(memory, tree, inode, kind);
	row = row_of(memory, tree, inode);
	if (!memo) {
		memo = row;
		/* Compare ages, because the counter may wrap around. */
		for (unsigned i = 1; i < PROOF_MEMORY_WAYS && memo->kind != 0; i++) {
			if (row[i].kind == 0 || memory->now - row[i].used > memory->now - memo->used)
				memo = &row[i];
		}
	}
	free(memo->gap);
	*memo = (struct proof_memo){ tree, inode, kind, ++memory->now, proven, copy };
}

void proof_memory_free(struct proof_memory *memory)
{
	for (size_t i = 0; memory->row && i < (size_t)PROOF_MEMORY_ROWS * PROOF_MEMORY_WAYS; i++)
		free(memory->row[i].gap);
	free(memory->row);
	*memory = (struct proof_memory){ 0 };
}
