/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image of one device: where its blocks are, its trees and checksums.  It is mapped; what changes is copied to the other mirrors. */
#include "tests/image/legacy/legacy.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SUPER_AT = 65536, SUPER_CHUNKS = 811, SUPER_CHUNKS_MAX = 2048, HEADER = 101, ITEM = 25, POINTER = 33,
	CHUNK_ITEM = 228, EXTENT_CSUM = 128, STRIPES_MAX = 4, CSUM = 4,
};

struct chunk {
	uint64_t logical, len, physical[STRIPES_MAX];
	unsigned n_mirrors;
};

/* Checksums of one item of the checksum tree, and the leaf they are in. */
struct csums {
	uint64_t logical;
	uint32_t n;
	uint8_t *at;
	struct leaf leaf;
};

struct image {
	uint8_t *bytes;
	size_t size;
	int fd;
	uint64_t root_tree;
	uint32_t node_size;
	struct chunk *chunk;
	size_t n_chunks;
	struct csums *csum;
	size_t n_csums;
};

static const struct chunk *chunk_of(const struct image *image, uint64_t logical, uint64_t len)
{
	for (size_t i = 0; i < image->n_chunks; i++) {
		const struct chunk *const chunk = &image->chunk[i];

		if (logical >= chunk->logical && logical - chunk->logical < chunk->len) {
			if (len > chunk->len - (logical - chunk->logical))
				die("%llu bytes at %llu leave their chunk", (unsigned long long)len, (unsigned long long)logical);
			return chunk;
		}
	}
	die("no chunk has %llu", (unsigned long long)logical);
}

static uint8_t *mirror_at(struct image *image, uint64_t logical, uint64_t len, unsigned mirror)
{
	const struct chunk *const chunk = chunk_of(image, logical, len);
	const uint64_t at = chunk->physical[mirror] + (logical - chunk->logical);

	if (at > image->size || len > image->size - at)
		die("the image ends before %llu", (unsigned long long)at);
	return image->bytes + at;
}

static void copy_to_mirrors(struct image *image, uint64_t logical, uint64_t len)
{
	const struct chunk *const chunk = chunk_of(image, logical, len);
	const uint8_t *const first = mirror_at(image, logical, len, 0);

	for (unsigned mirror = 1; mirror < chunk->n_mirrors; mirror++)
		memcpy(mirror_at(image, logical, len, mirror), first, len);
}

/* Single, DUP and RAID1 of one device: each stripe has all of the chunk.  Returns the bytes of the item. */
static size_t add_chunk(struct image *image, uint64_t logical, const uint8_t *item)
{
	const unsigned n_stripes = (unsigned)get(item + 44, 2);
	const uint64_t profile = get(item + 24, 8) & 0x7f8;	/* without what is in it */

	if (n_stripes == 0 || n_stripes > STRIPES_MAX || (profile && profile != 0x10 && profile != 0x20))
		die("chunk %llu: %u stripes, profile %#llx", (unsigned long long)logical, n_stripes, (unsigned long long)profile);
	image->chunk = grown(image->chunk, image->n_chunks, sizeof(struct chunk));

	struct chunk *const chunk = &image->chunk[image->n_chunks++];

	*chunk = (struct chunk){ .logical = logical, .len = get(item, 8), .n_mirrors = n_stripes };
	for (unsigned i = 0; i < n_stripes; i++)
		chunk->physical[i] = get(item + 48 + i * 32 + 8, 8);
	return 48 + n_stripes * 32;
}

struct item leaf_item(const struct leaf *leaf, uint32_t slot)
{
	const uint8_t *const header = leaf->bytes + HEADER + slot * ITEM;

	return (struct item){
		.objectid = get(header, 8), .type = header[8], .offset = get(header + 9, 8),
		.bytes = leaf->bytes + HEADER + get(header + 17, 4), .len = (uint32_t)get(header + 21, 4),
	};
}

static void walk(struct image *image, uint64_t root, uint64_t parent, void see(struct leaf *leaf, void *context), void *context)
{
	uint8_t *const block = mirror_at(image, root, image->node_size, 0);
	const uint32_t n = (uint32_t)get(block + 96, 4);

	if (get(block + 48, 8) != root || get(block, 4) != (crc32c(~0u, block + 32, image->node_size - 32) ^ ~0u))
		die("no tree block at %llu", (unsigned long long)root);
	if (block[100] == 0) {
		struct leaf leaf = { block, root, parent, n };

		see(&leaf, context);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		walk(image, get(block + HEADER + i * POINTER + 17, 8), root, see, context);
}

void tree_walk(struct image *image, uint64_t root, void see(struct leaf *leaf, void *context), void *context)
{
	walk(image, root, 0, see, context);
}

void leaf_written(struct image *image, struct leaf *leaf)
{
	put(leaf->bytes, 4, crc32c(~0u, leaf->bytes + 32, image->node_size - 32) ^ ~0u);
	copy_to_mirrors(image, leaf->logical, image->node_size);
}

static void see_chunks(struct leaf *leaf, void *context)
{
	struct image *const image = context;

	for (uint32_t slot = 0; slot < leaf->n_items; slot++) {
		const struct item item = leaf_item(leaf, slot);
		bool known = false;

		for (size_t i = 0; i < image->n_chunks; i++)
			known |= image->chunk[i].logical == item.offset;
		if (item.type == CHUNK_ITEM && !known)
			add_chunk(image, item.offset, item.bytes);
	}
}

static void see_csums(struct leaf *leaf, void *context)
{
	struct image *const image = context;

	for (uint32_t slot = 0; slot < leaf->n_items; slot++) {
		const struct item item = leaf_item(leaf, slot);

		if (item.type != EXTENT_CSUM)
			continue;
		image->csum = grown(image->csum, image->n_csums, sizeof(struct csums));
		image->csum[image->n_csums++] = (struct csums){ item.offset, item.len / CSUM, item.bytes, *leaf };
	}
}

struct root { uint64_t id, at; };

static void see_root(struct leaf *leaf, void *context)
{
	struct root *const root = context;

	for (uint32_t slot = 0; slot < leaf->n_items; slot++) {
		const struct item item = leaf_item(leaf, slot);

		if (item.objectid == root->id && item.type == 132)
			root->at = get(item.bytes + 176, 8);
	}
}

struct image *image_open(const char *path)
{
	struct image *const image = calloc(1, sizeof(*image));
	struct root csum_tree = { 7, 0 };
	struct stat st;

	if (!image || (image->fd = open(path, O_RDWR | O_CLOEXEC)) < 0 || fstat(image->fd, &st))
		die("%s cannot be opened", path);
	image->size = (size_t)st.st_size;
	image->bytes = mmap(NULL, image->size, PROT_READ | PROT_WRITE, MAP_SHARED, image->fd, 0);
	if (image->bytes == MAP_FAILED || image->size < 2 * SUPER_AT)
		die("%s cannot be mapped", path);

	const uint8_t *const super = image->bytes + SUPER_AT;

	if (memcmp(super + 64, "_BHRfS_M", 8) || get(super + 136, 8) != 1 || get(super + 144, 4) != PAGE || get(super + 196, 2) != 0 || get(super + 96, 8) != 0)
		die("%s: not btrfs on one device with sectors of 4096 bytes, crc32c and no log tree", path);
	image->node_size = (uint32_t)get(super + 148, 4);
	image->root_tree = get(super + 80, 8);

	const size_t n = get(super + 160, 4);

	for (size_t at = 0; at < n && n <= SUPER_CHUNKS_MAX;)
		at += 17 + add_chunk(image, get(super + SUPER_CHUNKS + at + 9, 8), super + SUPER_CHUNKS + at + 17);
	tree_walk(image, get(super + 88, 8), see_chunks, image);
	tree_walk(image, image->root_tree, see_root, &csum_tree);
	tree_walk(image, csum_tree.at, see_csums, image);
	return image;
}

void image_close(struct image *image)
{
	munmap(image->bytes, image->size);
	if (close(image->fd))
		die("close");
	free(image->chunk);
	free(image->csum);
	free(image);
}

uint64_t image_root_tree(const struct image *image)
{
	return image->root_tree;
}

uint32_t image_node_size(const struct image *image)
{
	return image->node_size;
}

uint8_t *data_at(struct image *image, uint64_t logical, uint64_t len)
{
	return mirror_at(image, logical, len, 0);
}

void data_written(struct image *image, uint64_t logical, uint64_t len)
{
	const uint8_t *const data = data_at(image, logical, len);
	uint64_t found = 0;

	copy_to_mirrors(image, logical, len);
	for (size_t i = 0; i < image->n_csums; i++) {
		struct csums *const csums = &image->csum[i];
		bool changed = false;

		for (uint32_t sector = 0; sector < csums->n; sector++) {
			const uint64_t at = csums->logical + (uint64_t)sector * PAGE;

			if (at < logical || at >= logical + len)
				continue;
			put(csums->at + sector * CSUM, CSUM, crc32c(~0u, data + (at - logical), PAGE) ^ ~0u);
			found += PAGE;
			changed = true;
		}
		if (changed)
			leaf_written(image, &csums->leaf);
	}
	if (found != len)
		die("of %llu bytes at %llu, %llu have checksums", (unsigned long long)len, (unsigned long long)logical, (unsigned long long)found);
}
