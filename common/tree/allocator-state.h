/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of an allocator, for the files that implement it. Everyone else includes allocator.h. */
#ifndef COMMON_TREE_ALLOCATOR_STATE_H
#define COMMON_TREE_ALLOCATOR_STATE_H

#include "common/tree/allocator.h"

struct own_group {
	struct group view;	/* .free and .n_free follow `free` */
	struct ranges free;
};

#define ALL_GROUPS UINT64_MAX

struct allocator {
	struct volume *volume;
	struct own_group *group;	/* by address */
	size_t n_groups;
	struct ranges usable;		/* where tree blocks can go: multiples of the node size, not reserved */
	struct ranges system;		/* the same for system groups */
	struct ranges reserved;		/* by allocator_reserve() */
	struct ranges freed;		/* tree blocks freed since the allocator was opened */
	uint64_t types;			/* of the groups in it */
	free_space_visitor *visit;	/* not NULL: gets the free ranges, and they are not kept */
	void *context;			/* of visit */
	uint64_t next;			/* tree blocks are placed side by side while there is room */
	size_t data_group;		/* where data were placed last */
};

static inline uint64_t round_up(uint64_t x, uint64_t to)
{
	return (x + to - 1) / to * to;
}

static inline void group_show_free(struct own_group *group)
{
	group->view.free = group->free.range;
	group->view.n_free = group->free.n;
}

static inline bool group_holds_metadata(const struct group *group)
{
	return group->flags & GROUP_METADATA;
}

/* The ranges from which tree blocks of this group are taken. NULL: none. */
static inline struct ranges *usable_in(struct allocator *allocator, const struct group *group)
{
	return group_holds_metadata(group) ? &allocator->usable : group->flags & GROUP_SYSTEM ? &allocator->system : NULL;
}

/* Reads the groups, their free space and its usable part from the trees. The rest of the allocator is zero. */
bool allocator_scan(struct allocator *allocator, struct error *err) must_use;

#endif /* COMMON_TREE_ALLOCATOR_STATE_H */
