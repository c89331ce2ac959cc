/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorts paths so that everything below a path follows it at once. Then the paths above the current one form a stack. */
#include "common/fs/paths-above.h"

#include <stdlib.h>
#include <string.h>

const uint8_t *path_below(const uint8_t *path, size_t len, const uint8_t *above, size_t above_len, size_t *rest_len)
{
	const size_t skip = above_len ? above_len + 1 : 0;

	if (len <= skip || memcmp(path, above, above_len) != 0 || (above_len && path[above_len] != '/'))
		return NULL;
	*rest_len = len - skip;
	return path + skip;
}

/* Sorts '/' before every other byte, or else "a-b" would stand between "a" and "a/b". */
static unsigned rank(uint8_t byte)
{
	return byte == '/' ? 0 : byte + 1u;
}

/* Counts equal bytes, eight at a time: paths of one directory differ only near their ends. */
static size_t common_length(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t i = 0;

	while (n - i >= 8 && memcmp(a + i, b + i, 8) == 0)
		i += 8;
	while (i < n && a[i] == b[i])
		i++;
	return i;
}

static int compare_paths(const void *a, const void *b, void *context)
{
	const struct place_path *paths = context;
	const uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct place_path *x = &paths[i], *y = &paths[j];
	const size_t n = x->len < y->len ? x->len : y->len;
	size_t same;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	same = common_length(x->at, y->at, n);
	if (same < n)
		return rank(x->at[same]) < rank(y->at[same]) ? -1 : 1;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	/* Nothing is below a cut path, so it must not come between an equal path and what is below that. */
	if (x->is_cut != y->is_cut)
		return x->is_cut ? -1 : 1;
	return i < j ? -1 : i > j;
}

/* Does path begin with `above` and a slash? A path that ends there is not below it, but a path that is may follow. */
static bool begins_with(const struct place_path *path, const struct place_path *above)
{
	return path->group == above->group && path->len > above->len && memcmp(path->at, above->at, above->len) == 0 &&
	       (above->len == 0 || path->at[above->len] == '/');
}

/* under: for each path on the stack, the one under it. */
static void go_through(const struct place_path *paths, size_t n, const uint32_t *order, uint32_t *under, uint32_t *above)
{
	uint32_t top = PATH_ABOVE_NONE;
	size_t rest_len;

	for (size_t i = 0; i < n; i++) {
		const uint32_t at = order[i];

		while (top != PATH_ABOVE_NONE && !begins_with(&paths[at], &paths[top]))
			top = under[top];
		above[at] = top;
		if (top != PATH_ABOVE_NONE && !path_below(paths[at].at, paths[at].len, paths[top].at, paths[top].len, &rest_len))
			above[at] = under[top];
		if (paths[at].is_cut)
			continue;
		under[at] = top;
		top = at;
	}
}

bool paths_above(const struct place_path *paths, size_t n, uint32_t *above, struct error *err)
{
	uint32_t *const order = reallocarray(NULL, n + 1, sizeof(*order)), *const under = reallocarray(NULL, n + 1, sizeof(*under));
	const bool ok = (order && under && n < PATH_ABOVE_NONE) || error_memory(err);

	for (size_t i = 0; ok && i < n; i++)
		order[i] = (uint32_t)i;
	if (ok && n > 0) {
		qsort_r(order, n, sizeof(*order), compare_paths, (void *)paths);
		go_through(paths, n, order, under, above);
	}
	free(order);
	free(under);
	return ok;
}
