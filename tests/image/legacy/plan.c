/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is to be encrypted, under whose IV: read from the trees before anything is changed. */
#include "tests/image/legacy/legacy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	INODE_ITEM = 1, INODE_REF = 12, XATTR_ITEM = 24, EXTENT_DATA = 108, ROOT_ITEM = 132, ROOT_BACKREF = 144,
	TOP = 5, FIRST = 256, NODATACOW = 2, PREALLOCATED = 2, DIR_ITEM = 30, MODE_AT = 52,
};

/* --- the root tree --- */

static struct subvolume *subvolume_of(struct plan *plan, uint64_t id)
{
	for (size_t i = 0; i < plan->n_subvolumes; i++)
		if (plan->subvolume[i].id == id)
			return &plan->subvolume[i];
	return NULL;
}

static void see_root_tree(struct leaf *leaf, void *context)
{
	struct plan *const plan = context;

	for (uint32_t slot = 0; slot < leaf->n_items; slot++) {
		const struct item item = leaf_item(leaf, slot);
		struct subvolume *subvolume = subvolume_of(plan, item.objectid);

		if (item.type == ROOT_ITEM && (item.objectid == TOP || (item.objectid >= FIRST && item.objectid < -256ull)) && get(item.bytes + 216, 4) > 0) {
			if (plan->n_subvolumes == sizeof(plan->subvolume) / sizeof(*plan->subvolume))
				die("too many subvolumes");
			subvolume = &plan->subvolume[plan->n_subvolumes++];
			subvolume->id = item.objectid;
			subvolume->root = get(item.bytes + 176, 8);
			subvolume->encrypted = get(item.bytes + 208, 8) >> 49 & 1;
		} else if (item.type == ROOT_BACKREF && subvolume) {
			subvolume->parent = item.offset;
			subvolume->parent_directory = get(item.bytes, 8);
			snprintf(subvolume->name, sizeof(subvolume->name), "%.*s", (int)get(item.bytes + 16, 2), (const char *)item.bytes + 18);
		}
	}
}

/* --- a subvolume --- */

struct reading {
	struct plan *plan;
	size_t subvolume;
};

static void see_attribute(struct inode *inode, const uint8_t *name, size_t name_len, const uint8_t *value, size_t len)
{
	const struct { const char *name; bool iv; } known[] = {
		{ NAME_ENCRYPT, false }, { STAND_IN_ENCRYPT, false }, { NAME_IV, true }, { STAND_IN_IV, true },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (name_len != strlen(known[i].name) || memcmp(name, known[i].name, name_len))
			continue;
		if (known[i].iv) {
			inode->iv_len = (unsigned)len;
			memcpy(inode->attribute, value, len < IV_BYTES ? len : IV_BYTES);
		} else {
			inode->marked = true;
			if (len == sizeof(inode->context))
				memcpy(inode->context, value, len);
		}
	}
}

static void see_extent(struct reading *reading, const struct item *item)
{
	struct plan *const plan = reading->plan;
	const uint8_t kind = item->bytes[20];
	struct use use = { .at = item->offset, .generation = get(item->bytes, 8), .inode = plan->n_inodes - 1, .compression = item->bytes[16] };

	if (kind == 0) {
		use.len = item->len - 21;
	} else {
		use.logical = get(item->bytes + 21, 8);
		use.len = get(item->bytes + 29, 8);
		use.origin = use.at - get(item->bytes + 37, 8);
		use.preallocated = kind == PREALLOCATED;
		if (use.logical == 0)
			return;
	}
	plan->use = grown(plan->use, plan->n_uses, sizeof(use));
	plan->use[plan->n_uses++] = use;
}

static void see_files(struct leaf *leaf, void *context)
{
	struct reading *const reading = context;
	struct plan *const plan = reading->plan;

	for (uint32_t slot = 0; slot < leaf->n_items; slot++) {
		const struct item item = leaf_item(leaf, slot);
		struct inode *inode = plan->n_inodes ? &plan->inode[plan->n_inodes - 1] : NULL;

		if (item.type == INODE_ITEM && item.objectid >= FIRST && item.objectid < -256ull) {
			plan->inode = grown(plan->inode, plan->n_inodes, sizeof(*inode));
			plan->inode[plan->n_inodes++] = (struct inode){
				.number = item.objectid, .mode = (unsigned)get(item.bytes + MODE_AT, 4), .flags = get(item.bytes + 64, 8),
				.subvolume = reading->subvolume,
			};
			continue;	/* the array may have moved */
		}
		if (!inode || inode->number != item.objectid || inode->subvolume != reading->subvolume)
			continue;
		if (item.type == INODE_REF && !inode->parent) {
			inode->parent = item.offset;
			snprintf(inode->name, sizeof(inode->name), "%.*s", (int)get(item.bytes + 8, 2), (const char *)item.bytes + 10);
		} else if (item.type == XATTR_ITEM) {
			for (uint32_t at = 0; at < item.len;) {
				const size_t len = get(item.bytes + at + 25, 2), name_len = get(item.bytes + at + 27, 2);

				see_attribute(inode, item.bytes + at + DIR_ITEM, name_len, item.bytes + at + DIR_ITEM + name_len, len);
				at += DIR_ITEM + name_len + len;
			}
		} else if (item.type == EXTENT_DATA) {
			see_extent(reading, &item);
		}
	}
}

/* --- names --- */

struct inode *plan_inode(const struct plan *plan, size_t subvolume, uint64_t number)
{
	size_t low = 0, high = plan->n_inodes;

	while (low < high) {
		const size_t middle = (low + high) / 2;
		struct inode *const inode = &plan->inode[middle];

		if (inode->subvolume == subvolume && inode->number == number)
			return inode;
		if (inode->subvolume < subvolume || (inode->subvolume == subvolume && inode->number < number))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Puts "from" and a slash before what is there. */
static void prepend(char path[PATH_BYTES], const char *from)
{
	char rest[PATH_BYTES];

	memcpy(rest, path, sizeof(rest));
	if (snprintf(path, PATH_BYTES, "%s%s%s", from, *from && *rest ? "/" : "", rest) >= PATH_BYTES)
		die("a path is too long");
}

/* Within its subvolume. */
static void path_inside(const struct plan *plan, const struct inode *inode, char path[PATH_BYTES])
{
	for (path[0] = 0; inode && inode->number != FIRST; inode = plan_inode(plan, inode->subvolume, inode->parent))
		prepend(path, inode->name);
}

void plan_path(const struct plan *plan, const struct inode *inode, char path[PATH_BYTES])
{
	path_inside(plan, inode, path);
	prepend(path, plan->subvolume[inode->subvolume].path);
}

static void find_path(struct plan *plan, struct subvolume *subvolume)
{
	for (const struct subvolume *each = subvolume; each && each->id != TOP; each = subvolume_of(plan, each->parent)) {
		const struct subvolume *const parent = subvolume_of(plan, each->parent);
		char path[PATH_BYTES] = "";

		prepend(subvolume->path, each->name);
		if (parent)
			path_inside(plan, plan_inode(plan, (size_t)(parent - plan->subvolume), each->parent_directory), path);
		prepend(subvolume->path, path);
	}
}

static bool is_one_of(const char *path, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(path, list[i]) == 0)
			return true;
	return false;
}

/* --- decisions --- */

static void find_exceptions(struct plan *plan)
{
	const struct options *const options = plan->options;

	for (size_t i = 0; i < plan->n_inodes && options->n_exceptions > 0; i++) {
		struct inode *const inode = &plan->inode[i];
		char path[PATH_BYTES];

		path_inside(plan, inode, path);
		for (size_t e = 0; e < options->n_exceptions; e++) {
			const struct exception *const exception = &options->exceptions[e];

			if (strcmp(path, exception->path) == 0)
				inode->exception = exception;
			for (size_t k = 0; exception->other && strcmp(path, exception->other) == 0 && k < plan->n_inodes; k++) {
				char its[PATH_BYTES];

				path_inside(plan, &plan->inode[k], its);
				if (plan->inode[k].subvolume == inode->subvolume && strcmp(its, exception->path) == 0)
					plan->inode[k].other = inode;
			}
		}
	}
}

static int compare_uses(const void *a, const void *b)
{
	const struct use *const x = a, *const y = b;
	const uint64_t left[] = { x->logical, x->generation, x->inode }, right[] = { y->logical, y->generation, y->inode };

	for (unsigned i = 0; i < 3; i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

/* Clones and snapshots keep the generation: the source is in the older subvolume, and in it the older file, as filling makes them. */
static int compare_sources(const struct plan *plan, const struct use *a, const struct use *b)
{
	const struct inode *const x = &plan->inode[a->inode], *const y = &plan->inode[b->inode];
	const uint64_t left[] = { a->generation, plan->subvolume[x->subvolume].id, x->number };
	const uint64_t right[] = { b->generation, plan->subvolume[y->subvolume].id, y->number };

	for (unsigned i = 0; i < 3; i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

static bool is_plain(const struct plan *plan, const struct use *use)
{
	const struct inode *const inode = &plan->inode[use->inode];
	const struct exception *const exception = inode->exception;

	if (!inode->marked || S_ISLNK(inode->mode) || (inode->flags & NODATACOW))
		return true;
	if (plan->options->undo)
		return use->compression != 3;
	if (use->compression == 3)
		die("inode %llu is marked, but compressed with zstd", (unsigned long long)inode->number);
	return use->preallocated || use->compression || (exception && exception->how == KEPT_PLAIN && use->at >= exception->from);
}

const struct use *plan_source(const struct plan *plan, uint64_t logical)
{
	const struct use *source = NULL;
	size_t low = 0, high = plan->n_uses;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (plan->use[middle].logical < logical)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < plan->n_uses && plan->use[low].logical == logical; low++) {
		const struct use *const use = &plan->use[low];

		/* What is longer was allocated beforehand, and all of it written to. */
		if (is_plain(plan, use) || use->len > EXTENT_PAGES_MAX * PAGE)
			return NULL;
		if (!source || compare_sources(plan, use, source) < 0)
			source = use;
	}
	return source;
}

bool plan_takes_inline(const struct plan *plan, const struct use *use)
{
	return !is_plain(plan, use) && cipher_takes(plan->options->cipher, use->len);
}

void plan_iv(const struct plan *plan, const struct inode *inode, uint64_t at, uint8_t iv[IV_BYTES])
{
	const struct exception *const exception = inode->exception;
	const bool elsewhere = exception && exception->how == OF_ANOTHER && at >= exception->from;
	const struct inode *const of = elsewhere && exception->other ? inode->other : inode;

	if (plan->options->layout != LAYOUT_2016) {
		memcpy(iv, constant_iv, IV_BYTES);
	} else if (!of) {
		die("no file %s", exception->other);
	} else if ((elsewhere && !exception->other) || of->iv_len < IV_BYTES) {
		/* It was known once, and is written down nowhere. */
		memset(iv, elsewhere ? 0x5a : 0xa5, IV_BYTES);
		put(iv, 8, of->number);
	} else {
		cipher_inode_iv(plan->options->key, of->attribute, iv);
	}
}

void plan_make(struct plan *plan, struct image *image, const struct options *options)
{
	*plan = (struct plan){ .image = image, .options = options };
	tree_walk(image, image_root_tree(image), see_root_tree, plan);
	for (size_t i = 0; i < plan->n_subvolumes; i++)
		tree_walk(image, plan->subvolume[i].root, see_files, &(struct reading){ plan, i });
	for (size_t i = 0; i < plan->n_subvolumes; i++) {
		struct subvolume *const subvolume = &plan->subvolume[i];

		find_path(plan, subvolume);
		subvolume->chosen = options->n_only == 0 || is_one_of(subvolume->path, options->only, options->n_only);
		subvolume->encrypted |= is_one_of(subvolume->path, options->flagged, options->n_flagged);
	}
	for (size_t i = 0; i < plan->n_inodes; i++) {
		struct inode *const inode = &plan->inode[i];

		inode->marked &= plan->subvolume[inode->subvolume].chosen;
		plan->subvolume[inode->subvolume].encrypted |= inode->marked;
	}
	find_exceptions(plan);
	qsort(plan->use, plan->n_uses, sizeof(struct use), compare_uses);
}

void plan_free(struct plan *plan)
{
	free(plan->inode);
	free(plan->use);
}
