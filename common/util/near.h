/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of many names somebody may have meant who typed another: the one with the fewest letters added, left out, changed or swapped. */
#ifndef COMMON_UTIL_NEAR_H
#define COMMON_UTIL_NEAR_H

#include <stdbool.h>
#include <stddef.h>

#define NEAR_WORD_MAX 255	/* of longer words nothing is near */
#define NEAR_NAME_MAX 512	/* longer names are near nothing */

struct near {
	const char *word;	/* that was typed */
	size_t len, best_len;
	unsigned best;		/* the distance of the nearest up to now; 0: none */
	size_t n_offered;
	char name[NEAR_NAME_MAX];	/* the nearest, as it was offered: not escaped */
};

#define NEAR(typed) { .word = (typed), .len = strlen(typed) }

/* At most so many names are compared with a word: about a tenth of a second. */
#define NEAR_OFFERS_MAX 100000

/* Compares by the first len bytes of compared, which are all of the name or the part of it that people leave the rest out for. */
void near_offer(struct near *near, const void *compared, size_t len, const void *name, size_t name_len);
static inline bool near_found(const struct near *near) { return near->best > 0; }

#endif /* COMMON_UTIL_NEAR_H */
