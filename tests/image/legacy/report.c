/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was made: a line for each subvolume and file, and for each file that cannot be read, or not surely. */
#include "tests/image/legacy/legacy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long number;

/* As tests/image/manifest.py prints names. */
static void shown_path(const struct plan *plan, const struct inode *inode, char shown[4 * PATH_BYTES])
{
	char path[PATH_BYTES];

	plan_path(plan, inode, path);
	for (const char *from = path; *from; from++)
		shown += sprintf(shown, *from > 0x20 && *from < 0x7f && *from != '\\' ? "%c" : "\\x%02x", (unsigned char)*from);
	*shown = 0;
}

static void report_subvolumes(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_subvolumes; i++) {
		const struct subvolume *const subvolume = &plan->subvolume[i];

		printf("subvolume %llu %s %s\n", (number)subvolume->id, subvolume->encrypted && subvolume->chosen ? "encrypted" : "plain",
		       *subvolume->path ? subvolume->path : "/");
	}
}

static void report_foreign(const char *word, const char *path, const struct use *use, const char *other)
{
	printf("%s %s %llu %s\n", word, path, (number)use->at, other);
}

/* Returns true if nothing more is to be said of its file. */
static bool report_use(const struct plan *plan, const struct use *use)
{
	const struct inode *const inode = &plan->inode[use->inode];
	const struct use *const source = use->logical ? plan_source(plan, use->logical) : use;
	const struct exception *const exception = inode->exception;
	uint8_t mine[IV_BYTES], its[IV_BYTES];
	char path[4 * PATH_BYTES], other[4 * PATH_BYTES];

	if (plan->options->layout != LAYOUT_2016)
		return true;
	shown_path(plan, inode, path);
	if (inode->iv_len < IV_BYTES) {
		printf("unreadable %s %s-iv\n", path, inode->iv_len ? "short" : "no");
		return true;
	}
	if (exception && exception->how == OF_ANOTHER && use->at >= exception->from) {
		report_foreign(exception->other ? "foreign" : "gone", path, use, exception->other ? exception->other : "");
		return false;
	}
	plan_iv(plan, &plan->inode[source->inode], source->at, its);
	plan_iv(plan, inode, use->at, mine);
	if (memcmp(mine, its, IV_BYTES) != 0) {
		shown_path(plan, &plan->inode[source->inode], other);
		report_foreign("foreign", path, use, other);
	}
	return false;
}

void report(struct plan *plan)
{
	struct { size_t encrypted, plain; bool told; } *const count = calloc(plan->n_inodes, sizeof(*count));
	bool *const encrypted = calloc(plan->n_uses, sizeof(*encrypted));

	if (!count || !encrypted)
		die("no memory");
	report_subvolumes(plan);
	for (size_t i = 0; i < plan->n_uses; i++) {
		const struct use *const use = &plan->use[i];

		encrypted[i] = use->logical ? plan_source(plan, use->logical) != NULL : plan_takes_inline(plan, use);
		++*(encrypted[i] ? &count[use->inode].encrypted : &count[use->inode].plain);
	}
	for (size_t i = 0; i < plan->n_inodes; i++) {
		char path[4 * PATH_BYTES];

		shown_path(plan, &plan->inode[i], path);
		if (plan->inode[i].marked && (count[i].plain || count[i].encrypted))
			printf("file %zu %zu %s\n", count[i].encrypted, count[i].plain, path);
	}
	for (size_t i = 0; i < plan->n_uses; i++) {
		const size_t inode = plan->use[i].inode;

		if (encrypted[i] && !count[inode].told)
			count[inode].told = report_use(plan, &plan->use[i]);
	}
	free(count);
	free(encrypted);
}

/* --- what makes taking attributes out difficult --- */

enum { XATTR_ITEM = 24, DIR_ITEM = 30 };

struct shapes {
	size_t first, only, same_hash, under_two;
	struct seen { uint64_t leaf, parent; bool counted; } *seen;
	size_t n_seen;
};

static bool is_ours(const struct item *item, size_t *n_names)
{
	static const char *const names[] = { NAME_ENCRYPT, STAND_IN_ENCRYPT, NAME_IV, STAND_IN_IV };
	bool ours = false;

	*n_names = 0;
	for (uint32_t at = 0; item->type == XATTR_ITEM && at < item->len; ++*n_names) {
		const size_t len = get(item->bytes + at + 25, 2), name_len = get(item->bytes + at + 27, 2);

		for (unsigned i = 0; i < 4; i++)
			ours |= name_len == strlen(names[i]) && memcmp(item->bytes + at + DIR_ITEM, names[i], name_len) == 0;
		at += DIR_ITEM + name_len + len;
	}
	return ours;
}

static void see_shapes(struct leaf *leaf, void *context)
{
	struct shapes *const shapes = context;
	size_t n_ours = 0, n_names;

	for (size_t i = 0; i < shapes->n_seen; i++) {
		struct seen *const seen = &shapes->seen[i];

		if (seen->leaf != leaf->logical)
			continue;
		shapes->under_two += seen->parent != leaf->parent && !seen->counted;
		seen->counted |= seen->parent != leaf->parent;
		return;
	}
	shapes->seen = grown(shapes->seen, shapes->n_seen, sizeof(struct seen));
	shapes->seen[shapes->n_seen++] = (struct seen){ leaf->logical, leaf->parent, false };
	for (uint32_t slot = 0; slot < leaf->n_items; slot++) {
		const struct item item = leaf_item(leaf, slot);

		if (!is_ours(&item, &n_names))
			continue;
		n_ours++;
		shapes->first += slot == 0;
		shapes->same_hash += n_names > 1;
	}
	shapes->only += n_ours > 0 && n_ours == leaf->n_items;
}

void report_shapes(struct plan *plan)
{
	struct shapes shapes = { 0 };

	for (size_t i = 0; i < plan->n_subvolumes; i++)
		if (plan->subvolume[i].encrypted)
			tree_walk(plan->image, plan->subvolume[i].root, see_shapes, &shapes);
	printf("shapes first %zu only %zu same-hash %zu under-two %zu\n", shapes.first, shapes.only, shapes.same_hash, shapes.under_two);
	free(shapes.seen);
}
