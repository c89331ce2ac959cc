/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds memory: allocates all of it at once and gives it back to malloc(), which no longer returns anything to the system. Later
 * allocations, here or in a library, are served from it and need not know.
 */
#include "common/util/held-memory.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define STACK_HELD (1u << 20)
#define PAGE 4096u

/* The stack grows page by page when touched. If it cannot grow, the process is killed. */
static __attribute__((noinline)) void touch_stack(void)
{
	volatile uint8_t room[STACK_HELD];

	for (size_t i = 0; i < sizeof(room); i += PAGE)
		room[sizeof(room) - 1 - i] = 0;
	(void)room;
}

/* Asked for elsewhere first, because only there can it be refused. */
static bool hold_stack(struct error *err)
{
	struct rlimit limit;
	void *trial;

	if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < 2 * STACK_HELD)
		return true;
	trial = mmap(NULL, STACK_HELD + 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (trial == MAP_FAILED)
		return error_memory(err);
	munmap(trial, STACK_HELD + 16 * PAGE);
	touch_stack();
	return true;
}

bool memory_hold(size_t bytes, struct error *err)
{
	void *all;

#ifdef __GLIBC__
	/* Large pieces also come from the one heap, which never shrinks. */
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, -1);
#endif
	all = hold_stack(err) ? malloc(bytes) : NULL;
	if (!all)
		return error_memory(err);
	/* Keeps the compiler from removing the malloc and free pair. */
	__asm__ volatile("" : : "r"(all) : "memory");
	free(all);
	return true;
}
