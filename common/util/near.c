/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Optimal string alignment, in a band around the diagonal, without regard to upper and lower case. */
#include "common/util/near.h"

#include <ctype.h>
#include <string.h>

#define FAR 255		/* more than any limit */

/* Of a short word, one letter is a lot. */
static unsigned limit_of(size_t len)
{
	return len < 2 ? 0 : len < 6 ? 1 : len < 10 ? 2 : 3;
}

static bool is_same(unsigned char a, unsigned char b)
{
	return tolower(a) == tolower(b);
}

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* How many letters differ; more than limit: FAR. */
static unsigned distance(const unsigned char *a, size_t n, const unsigned char *b, size_t m, unsigned limit)
{
	unsigned rows[3][NEAR_NAME_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	if (n > m + limit || m > n + limit)
		return FAR;
	for (size_t j = 0; j <= m; j++)
		last[j] = before[j] = j <= limit ? (unsigned)j : FAR;
	for (size_t i = 1; i <= n; i++) {
		const size_t from = i > limit ? i - limit : 1, to = i + limit < m ? i + limit : m;
		unsigned *const free_row = before;
		unsigned least = FAR;

		for (size_t j = 0; j <= m; j++)
			now[j] = FAR;
		if (i <= limit)
			now[0] = least = (unsigned)i;
		for (size_t j = from; j <= to; j++) {
			now[j] = min(min(last[j], now[j - 1]) + 1, last[j - 1] + !is_same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) && is_same(a[i - 2], b[j - 1]))
				now[j] = min(now[j], before[j - 2] + 1);
			least = min(least, now[j]);
		}
		if (least > limit)
			return FAR;
		before = last;
		last = now;
		now = free_row;
	}
	return last[m];
}

void near_offer(struct near *near, const void *compared, size_t len, const void *name, size_t name_len)
{
	const unsigned limit = limit_of(near->len);

	if (near->len == 0 || near->len > NEAR_WORD_MAX || len >= NEAR_NAME_MAX || name_len >= NEAR_NAME_MAX || ++near->n_offered > NEAR_OFFERS_MAX)
		return;

	/* Another case alone is nearer than one letter. */
	const unsigned d = 1 + distance((const unsigned char *)near->word, near->len, compared, len, limit);

	if (d > limit + 1 || (near->best && d >= near->best))
		return;
	near->best = d;
	near->best_len = name_len;
	memcpy(near->name, name, name_len);
	near->name[name_len] = '\0';
}
