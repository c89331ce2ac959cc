/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the format into an image, or takes it out again.  Every change keeps lengths and keys: nothing moves, and all checksums are valid after it. */
#include "tests/image/legacy/legacy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	INODE_ITEM = 1, XATTR_ITEM = 24, EXTENT_DATA = 108, ROOT_ITEM = 132, DIR_ITEM = 30, FIRST = 256, INLINE_AT = 21, COMPRESSION_2016 = 3,
	ROOT_FLAGS = 208, ROOT_RESERVED = 375, INODE_FLAGS = 64, INODE_BIT = 1 << 12,
};
static const uint64_t ROOT_BIT = 1ull << 49;

struct writing {
	struct plan *plan;
	size_t subvolume;
	uint64_t *seen;		/* leaves */
	size_t n_seen;
};

static bool is_new(struct writing *writing, uint64_t logical)
{
	for (size_t i = 0; i < writing->n_seen; i++)
		if (writing->seen[i] == logical)
			return false;
	writing->seen = grown(writing->seen, writing->n_seen, sizeof(uint64_t));
	writing->seen[writing->n_seen++] = logical;
	return true;
}

/* --- payloads --- */

static void run(const struct plan *plan, const struct inode *inode, uint64_t at, uint64_t page, uint8_t *bytes, size_t len)
{
	const struct options *const options = plan->options;
	uint8_t iv[IV_BYTES] = { 0 }, key[64];

	if (options->layout == LAYOUT_2017) {
		cipher_file_key(options->key, inode->context + 12, key);
		put(iv, 8, page);
	} else {
		memcpy(key, options->key, sizeof(key));
		plan_iv(plan, inode, at, iv);
	}
	cipher_run(options->cipher, !options->undo, key, iv, bytes, len);
}

static void write_data(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_uses; i++) {
		const struct use *const use = &plan->use[i], *source;

		if (use->logical == 0 || (i > 0 && plan->use[i - 1].logical == use->logical) || !(source = plan_source(plan, use->logical)))
			continue;

		uint8_t *const data = data_at(plan->image, use->logical, use->len);

		for (uint64_t at = 0; at < use->len; at += PAGE)
			run(plan, &plan->inode[source->inode], source->at, (source->origin + at) / PAGE, data + at, PAGE);
		data_written(plan->image, use->logical, use->len);
	}
}

/* --- leaves of subvolumes --- */

static void write_extent(struct plan *plan, const struct inode *inode, const struct item *item)
{
	const struct options *const options = plan->options;
	const bool is_inline = item->bytes[20] == 0;
	const uint64_t logical = is_inline ? 0 : get(item->bytes + 21, 8);
	struct use use = { .at = item->offset, .len = item->len - INLINE_AT, .inode = (size_t)(inode - plan->inode), .compression = item->bytes[16] };

	if (is_inline) {
		if (!plan_takes_inline(plan, &use))
			return;
		run(plan, inode, item->offset, 0, item->bytes + INLINE_AT, use.len);
	} else if (logical == 0 || !plan_source(plan, logical)) {
		return;
	}
	item->bytes[16] = options->undo ? 0 : COMPRESSION_2016;
	item->bytes[17] = !options->undo && (is_inline || options->regular_too);
}

static void rename_attribute(bool undo, uint8_t *name, size_t len)
{
	static const struct { const char *stand_in, *real; } names[] = { { STAND_IN_ENCRYPT, NAME_ENCRYPT }, { STAND_IN_IV, NAME_IV } };

	for (unsigned i = 0; i < 2; i++) {
		const char *const from = undo ? names[i].real : names[i].stand_in, *const to = undo ? names[i].stand_in : names[i].real;

		if (crc32c(~1u, from, strlen(from)) != crc32c(~1u, to, strlen(to)) || strlen(from) != strlen(to))
			die("%s has not the hash of %s", names[i].stand_in, names[i].real);
		if (len == strlen(from) && memcmp(name, from, len) == 0) {
			memcpy(name, to, len);
			return;
		}
	}
}

static void write_inode(const struct options *options, const struct item *item)
{
	const uint64_t flags = get(item->bytes + INODE_FLAGS, 8);

	if (options->undo)
		put(item->bytes + INODE_FLAGS, 8, flags & ~(uint64_t)INODE_BIT);
	else if (!options->no_inode_flags && !(options->bare_root && item->objectid == FIRST))
		put(item->bytes + INODE_FLAGS, 8, flags | INODE_BIT);
}

static void see_files(struct leaf *leaf, void *context)
{
	struct writing *const writing = context;
	struct plan *const plan = writing->plan;

	if (!is_new(writing, leaf->logical))
		return;
	for (uint32_t slot = 0; slot < leaf->n_items; slot++) {
		const struct item item = leaf_item(leaf, slot);
		const struct inode *const inode = plan_inode(plan, writing->subvolume, item.objectid);

		if (!inode || !inode->marked)
			continue;
		if (item.type == INODE_ITEM)
			write_inode(plan->options, &item);
		if (item.type == EXTENT_DATA)
			write_extent(plan, inode, &item);
		for (uint32_t at = 0; item.type == XATTR_ITEM && at < item.len;) {
			const size_t len = get(item.bytes + at + 25, 2), name_len = get(item.bytes + at + 27, 2);

			rename_attribute(plan->options->undo, item.bytes + at + DIR_ITEM, name_len);
			at += DIR_ITEM + name_len + len;
		}
	}
	leaf_written(plan->image, leaf);
}

/* --- the root tree --- */

static const char *algorithm(const struct options *options)
{
	static const char *const names[] = { "ctr(aes)", "cbc(aes)", "cts(cbc(aes))", "" };

	if (options->algorithm)
		return options->algorithm;
	return options->layout == LAYOUT_EARLY ? "aes" : names[options->cipher];
}

static void write_root(const struct options *options, uint8_t *item)
{
	uint8_t *const fields = item + ROOT_RESERVED;
	const uint64_t flags = get(item + ROOT_FLAGS, 8);

	memset(fields, 0, 32);
	put(item + ROOT_FLAGS, 8, options->undo ? flags & ~ROOT_BIT : flags | ROOT_BIT);
	if (options->undo)
		return;
	memcpy(fields, algorithm(options), strnlen(algorithm(options), 16));
	if (options->layout == LAYOUT_EARLY) {
		memcpy(fields + 16, options->key_tag, strnlen(options->key_tag, 16));
		return;
	}
	put(fields + 16, 4, options->key_length);
	put(fields + 20, 4, options->key_hash_is_right ? crc32c(0, options->key, options->key_len) : options->key_hash);
}

static void see_roots(struct leaf *leaf, void *context)
{
	const struct plan *const plan = context;
	bool changed = false;

	for (uint32_t slot = 0; slot < leaf->n_items; slot++) {
		const struct item item = leaf_item(leaf, slot);

		for (size_t i = 0; i < plan->n_subvolumes; i++) {
			const struct subvolume *const subvolume = &plan->subvolume[i];

			if (item.type != ROOT_ITEM || item.objectid != subvolume->id || !subvolume->encrypted || !subvolume->chosen)
				continue;
			write_root(plan->options, item.bytes);
			changed = true;
		}
	}
	if (changed)
		leaf_written(plan->image, leaf);
}

void write_all(struct plan *plan)
{
	struct writing writing = { .plan = plan };

	write_data(plan);
	for (size_t i = 0; i < plan->n_subvolumes; i++) {
		writing.subvolume = i;
		if (plan->subvolume[i].encrypted && plan->subvolume[i].chosen)
			tree_walk(plan->image, plan->subvolume[i].root, see_files, &writing);
	}
	free(writing.seen);
	if (plan->options->layout != LAYOUT_2017)
		tree_walk(plan->image, image_root_tree(plan->image), see_roots, plan);
}
