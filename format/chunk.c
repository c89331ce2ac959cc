/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks chunks: where a logical range is stored. */
#include "format/chunk.h"

#include <inttypes.h>
#include <stdio.h>

#define STRIPE_LEN 65536u	/* the only length that btrfs has */

#define corrupt(format, ...) \
	error_set(err, ERROR_CORRUPT, "chunk at %#" PRIx64 ": " format, where, __VA_ARGS__)

/* What a profile requires of the number of stripes. */
static const struct profile {
	uint64_t bit;		/* 0: single */
	const char *name;
	unsigned min_stripes, max_stripes;
	unsigned sub_stripes;	/* 0: not used, any value */
} profiles[] = {
	{ 0, "single", 1, 1, 0 },
	{ GROUP_RAID0, "RAID0", 1, CHUNK_STRIPES_MAX, 0 },
	{ GROUP_RAID1, "RAID1", 2, 2, 0 },
	{ GROUP_DUP, "DUP", 2, 2, 0 },
	{ GROUP_RAID10, "RAID10", 2, CHUNK_STRIPES_MAX, 2 },
	{ GROUP_RAID5, "RAID5", 2, CHUNK_STRIPES_PARITY_MAX, 0 },
	{ GROUP_RAID6, "RAID6", 3, CHUNK_STRIPES_PARITY_MAX, 0 },
	{ GROUP_RAID1C3, "RAID1C3", 3, 3, 0 },
	{ GROUP_RAID1C4, "RAID1C4", 4, 4, 0 },
};

static const struct profile *profile_of(uint64_t type)
{
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
		if (profiles[i].bit == (type & GROUP_PROFILE_MASK))
			return &profiles[i];
	return NULL;
}

const char *chunk_type_text(uint64_t type, char text[64])
{
	static const struct {
		uint64_t bit;
		const char *name;
	} types[] = {
		{ GROUP_DATA, "DATA|" },
		{ GROUP_SYSTEM, "SYSTEM|" },
		{ GROUP_METADATA, "METADATA|" },
	};
	const struct profile *profile = profile_of(type);
	const uint64_t unknown = type & ~(GROUP_TYPE_MASK | (profile ? GROUP_PROFILE_MASK : 0));
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (type & types[i].bit)
			used += snprintf(text + used, 64 - used, "%s", types[i].name);
	if (profile)
		used += snprintf(text + used, 64 - used, "%s", profile->name);
	if (unknown)
		snprintf(text + used, 64 - used, "%s%#" PRIx64, profile ? "|" : "", unknown);
	return text;
}

static bool check_range(const struct chunk *chunk, uint32_t sector_size, uint64_t where, struct error *err)
{
	const uint64_t length_max = (uint64_t)STRIPE_LEN * UINT32_MAX;

	if (chunk->logical % sector_size != 0)
		return corrupt("logical is %#" PRIx64 ", not a multiple of %u", chunk->logical, sector_size);
	if (chunk->length == 0 || chunk->length % sector_size != 0)
		return corrupt("length is %#" PRIx64 ", not a nonzero multiple of %u", chunk->length, sector_size);
	if (chunk->length > length_max)
		return corrupt("length is %#" PRIx64 ", but at most %#" PRIx64 " is possible", chunk->length, length_max);
	if (chunk->length > UINT64_MAX - chunk->logical)
		return corrupt("length is %#" PRIx64 ", past the end of addresses from %#" PRIx64, chunk->length,
			       chunk->logical);
	if (chunk->stripe_len != STRIPE_LEN)
		return corrupt("stripe_len is %" PRIu64 ", not %u", chunk->stripe_len, STRIPE_LEN);
	return true;
}

static bool check_type(const struct chunk *chunk, uint64_t where, struct error *err)
{
	const uint64_t unknown = chunk->type & ~(GROUP_TYPE_MASK | GROUP_PROFILE_MASK);
	const bool is_system = chunk->type & GROUP_SYSTEM;
	const struct profile *profile = profile_of(chunk->type);

	if (unknown)
		return corrupt("type is %#" PRIx64 ", which has unknown bits %#" PRIx64, chunk->type, unknown);
	if (!(chunk->type & GROUP_TYPE_MASK))
		return corrupt("type is %#" PRIx64 ", neither data, system nor metadata", chunk->type);
	if (is_system && (chunk->type & (GROUP_DATA | GROUP_METADATA)))
		return corrupt("type is %#" PRIx64 ", system together with another", chunk->type);
	if (!profile)
		return corrupt("type is %#" PRIx64 ", which has several profiles", chunk->type);
	if (chunk->n_stripes > CHUNK_STRIPES_PARITY_MAX && profile->max_stripes == CHUNK_STRIPES_PARITY_MAX)
		return error_set(err, ERROR_REFUSED, "chunk at %#" PRIx64 ": num_stripes is %u, this version reads %s with up to %u", where,
				 chunk->n_stripes, profile->name, profile->max_stripes);
	if (chunk->n_stripes < profile->min_stripes || chunk->n_stripes > profile->max_stripes)
		return corrupt("num_stripes is %u, %s takes %u to %u", chunk->n_stripes, profile->name,
			       profile->min_stripes, profile->max_stripes);
	if (profile->sub_stripes != 0) {
		if (chunk->sub_stripes != profile->sub_stripes)
			return corrupt("sub_stripes is %u, %s takes %u", chunk->sub_stripes, profile->name,
				       profile->sub_stripes);
		if (chunk->n_stripes % profile->sub_stripes != 0)
			return corrupt("num_stripes is %u, %s takes a multiple of %u", chunk->n_stripes, profile->name,
				       profile->sub_stripes);
	}
	return true;
}

static void read_stripes(struct cursor *item, struct chunk *chunk)
{
	for (unsigned i = 0; i < chunk->n_stripes; i++) {
		struct disk_stripe disk;

		if (!cursor_read(item, &disk, sizeof(disk)))
			return;		/* their presence was checked */
		chunk->stripe[i] = (struct chunk_stripe){
			.devid = le64(disk.devid),
			.physical = le64(disk.offset),
		};
		memcpy(chunk->stripe[i].dev_uuid, disk.dev_uuid, UUID_SIZE);
	}
}

static bool read_one(struct cursor *item, uint64_t logical, uint32_t sector_size, struct chunk_stripe *room, struct chunk *out,
		     struct error *err)
{
	const uint64_t where = item->offset;
	struct disk_chunk disk;

	if (!cursor_read(item, &disk, sizeof(disk)))
		return corrupt("%zu bytes left, a chunk takes %zu", item->left, sizeof(disk));

	struct chunk chunk = {
		.logical = logical,
		.length = le64(disk.length),
		.type = le64(disk.type),
		.stripe_len = le64(disk.stripe_len),
		.n_stripes = le16(disk.num_stripes),
		.sub_stripes = le16(disk.sub_stripes),
		.stripe = room,
	};

	if (chunk.n_stripes == 0)
		return corrupt("num_stripes is 0, not at least %d", 1);
	if (chunk.n_stripes > item->left / sizeof(struct disk_stripe))
		return corrupt("num_stripes is %u, %zu bytes are left for them", chunk.n_stripes, item->left);
	if (chunk.n_stripes > CHUNK_STRIPES_MAX)
		return corrupt("num_stripes is %u, a leaf has room for %zu", chunk.n_stripes, CHUNK_STRIPES_MAX);
	if (!check_range(&chunk, sector_size, where, err) || !check_type(&chunk, where, err))
		return false;
	read_stripes(item, &chunk);
	*out = chunk;
	return true;
}

bool chunk_read(struct cursor *item, uint64_t logical, uint32_t sector_size, struct chunk_stripe *room, struct chunk *out,
		struct error *err)
{
	const uint64_t where = item->offset;
	struct chunk chunk;

	if (!read_one(item, logical, sector_size, room, &chunk, err))
		return false;
	if (item->left != 0)
		return corrupt("num_stripes is %u, %zu bytes follow them", chunk.n_stripes, item->left);
	*out = chunk;
	return true;
}

bool chunk_array_next(struct cursor *array, uint32_t sector_size, struct chunk_stripe *room, struct chunk *out,
		      struct error *err)
{
	const uint64_t where = array->offset;
	struct disk_key disk;
	struct chunk chunk;

	if (!cursor_read(array, &disk, sizeof(disk)))
		return corrupt("%zu bytes left in the superblock's array, a key takes %zu", array->left, sizeof(disk));

	const struct key key = key_from_disk(&disk);

	if (key.objectid != FIRST_CHUNK_TREE_ID || key.type != KEY_CHUNK_ITEM) {
		char text[KEY_TEXT_SIZE];

		return corrupt("key is %s, not a chunk's", key_text(&key, text));
	}
	if (!read_one(array, key.offset, sector_size, room, &chunk, err))
		return false;
	if (!(chunk.type & GROUP_SYSTEM))
		return corrupt("type is %#" PRIx64 ", not system in the superblock's array", chunk.type);
	*out = chunk;
	return true;
}
