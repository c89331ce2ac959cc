/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans an encryption. */
#include "common/convert/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/batch.h"
#include "common/convert/conversion.h"
#include "common/convert/index.h"
#include "common/convert/preflight.h"
#include "common/convert/sealed-before.h"
#include "common/convert/sharing.h"
#include "common/convert/survey.h"
#include "common/sealed/member-places.h"
#include "common/sealed/pack.h"
#include "common/tree/chunk-alloc.h"
#include "common/util/escape.h"
#include "common/util/sorted64.h"

void encrypt_plan_free(struct encrypt_plan *plan)
{
	free(plan->ids);
	free(plan->survey.flags);
	*plan = (struct encrypt_plan){ 0 };
}

static void members_free(struct convert_plan_member *member, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(member[i].path);
	free(member);
}

void convert_plan_free(struct convert_plan *plan)
{
	members_free(plan->member, plan->n_members);
	members_free(plan->plain, plan->n_plain);
	*plan = (struct convert_plan){ 0 };
}

static bool resolve(struct conversion *c, const char *const *names, bool recursive, struct encrypt_plan *plan, struct error *err)
{
	size_t n = 0;

	while (names[n])
		n++;
	plan->ids = calloc(n ? n : 1, sizeof(*plan->ids));
	if (!plan->ids)
		return error_memory(err);
	for (size_t i = 0; i < n; i++) {
		const struct subvolume *found;

		if (!subvolume_find(&c->list, names[i], &found, err))
			return false;
		plan->ids[i] = found->id;
	}
	plan->n_ids = sort64_unique(plan->ids, n);
	if (!recursive)
		return true;

	uint64_t *all;
	size_t n_all;

	if (!sharing_nested(&c->list, plan->ids, plan->n_ids, &all, &n_all, err))
		return false;
	free(plan->ids);
	plan->ids = all;
	plan->n_ids = n_all;
	return true;
}

static bool refuse_sharers(const struct conversion *c, const struct sharer *sharers, size_t n, struct error *err)
{
	char name[160];

	for (size_t i = 0; i < n; i++)
		conversion_note(c, "shared with %s: tree blocks: %" PRIu64 ", extents: %" PRIu64, subvolume_name(&c->list, sharers[i].id, name),
				sharers[i].n_blocks, sharers[i].n_extents);
	subvolume_name(&c->list, sharers[0].id, name);
	if (n == 1)
		error_set(err, ERROR_REFUSED, "%s shares blocks with the subvolumes to be sealed, but was not named", name);
	else
		error_set(err, ERROR_REFUSED, "%s and %zu more share blocks with the subvolumes to be sealed, but were not named", name, n - 1);
	return error_hint(err, "--shared=include converts them too");
}

static bool add_sharers(struct encrypt_plan *plan, const struct sharer *sharers, size_t n, struct error *err)
{
	uint64_t *grown = reallocarray(plan->ids, plan->n_ids + n, sizeof(*grown));

	if (!grown)
		return error_memory(err);
	plan->ids = grown;
	for (size_t i = 0; i < n; i++)
		plan->ids[plan->n_ids + i] = sharers[i].id;
	plan->n_ids = sort64_unique(plan->ids, plan->n_ids + n);
	return true;
}

/* Scans the set, and widens it until nothing outside shares with it. */
static bool close_set(struct conversion *c, enum convert_shared shared, struct encrypt_plan *plan, struct error *err)
{
	for (;;) {
		struct sharer *sharers = NULL;
		size_t n = 0;
		bool ok;

		scan_free(c->scan);
		c->scan = NULL;
		if (!scan_run(c->volume, plan->ids, plan->n_ids, &c->scan, err) || !sharing_find(c->scan, &sharers, &n, err))
			return false;
		if (n == 0) {
			free(sharers);
			return true;
		}
		ok = shared == SHARED_INCLUDE ? add_sharers(plan, sharers, n, err) : refuse_sharers(c, sharers, n, err);
		free(sharers);
		if (!ok)
			return false;
	}
}

static bool check_member(struct conversion *c, uint64_t id, struct error *err)
{
	const struct subvolume *subvolume = subvolume_by_id(&c->list, id);
	cleanup_domain struct domain *domain = NULL;
	static const uint8_t zeros[UUID_SIZE];
	char name[160];

	if (!subvolume)
		return error_set(err, ERROR_CORRUPT, "tree %" PRIu64 " shares blocks with the subvolumes to be sealed, but is not a "
			"subvolume", id);
	subvolume_name(&c->list, id, name);
	if (subvolume->deleted)
		return refuse_dead(id, "", err);
	if (subvolume->root.algorithm[0] == 0 && !domain_find(c->volume, &c->list, subvolume, &domain, err))
		return error_prefix(err, "subvolume %s", name);
	if (domain || subvolume->root.algorithm[0] != 0 || subvolume->root.flags & ROOT_ENCRYPT_2016) {
		error_set(err, ERROR_REFUSED, "subvolume %s is sealed already", name);
		return error_named(err, ERROR_NAME_ALREADY_SEALED);
	}
	if (subvolume->root.is_short)
		return error_set(err, ERROR_REFUSED, "subvolume %s has a root item of an older format, without room for the tag", name);
	for (size_t i = 0; i < sizeof(subvolume->root.reserved); i++) {
		if (i < sizeof(struct disk_crypt_tag) && subvolume->root.reserved[i] != 0)
			return error_set(err, ERROR_REFUSED, "subvolume %s: the reserved bytes of its root item are in use", name);
	}
	if (memcmp(subvolume->root.received_uuid, zeros, sizeof(zeros)) != 0)
		conversion_note(c, "subvolume %s was received: `btrfs send` of a sealed subvolume streams ciphertext", name);
	return true;
}

static bool check_extents(const struct conversion *c, struct error *err)
{
	for (size_t i = 0; i < c->scan->n_extents; i++) {
		const struct scan_extent *extent = &c->scan->extent[i];

		if (extent->marked || extent->foreign_mark)
			return error_set(err, ERROR_REFUSED,
					 "inode %" PRIu64 " of subvolume %" PRIu64 " has an extent with other_encoding set already",
					 extent->inode, c->scan->member[extent->member]);
	}
	return true;
}

static bool add_member(struct conversion *c, size_t i, uint64_t id, struct error *err)
{
	const struct subvolume *subvolume = subvolume_by_id(&c->list, id);
	struct crypt_member *member = &c->members[i];
	const size_t len = subvolume->path_len;

	*member = (struct crypt_member){
		.id = id,
		.root_flags = subvolume->root.flags,
		.path_len = (uint16_t)(len < CRYPT_PATH_MAX ? len : CRYPT_PATH_MAX),
		.path_cut = len > CRYPT_PATH_MAX,
	};
	memcpy(member->uuid, subvolume->root.uuid, sizeof(member->uuid));
	memcpy(member->reserved, subvolume->root.reserved, sizeof(member->reserved));
	memcpy(member->path, subvolume->path, member->path_len);
	c->plan->member[i] = (struct convert_plan_member){ .id = id, .path = escape_new(subvolume->path, len) };
	c->plan->n_members = i + 1;
	return c->plan->member[i].path || error_memory(err);
}

static bool add_plain(struct convert_plan *plan, const struct subvolume *subvolume, struct error *err)
{
	struct convert_plan_member *at = &plan->plain[plan->n_plain];

	*at = (struct convert_plan_member){ .id = subvolume->id, .path = escape_new(subvolume->path, subvolume->path_len) };
	plan->n_plain++;
	return at->path || error_memory(err);
}

/* What is nested in the members and stays as it is. */
static bool find_plain(struct conversion *c, const struct encrypt_plan *plan, struct error *err)
{
	uint64_t *all;
	size_t n_all;
	bool ok = true;

	if (!sharing_nested(&c->list, plan->ids, plan->n_ids, &all, &n_all, err))
		return false;
	c->plan->plain = calloc(n_all ? n_all : 1, sizeof(*c->plan->plain));
	ok = c->plan->plain || error_memory(err);
	for (size_t i = 0; ok && i < n_all; i++) {
		const struct subvolume *subvolume = subvolume_by_id(&c->list, all[i]);

		if (subvolume && !subvolume->deleted && subvolume->path_len && !subvolume->root.algorithm[0] &&
		    !sorted64_find(plan->ids, plan->n_ids, all[i]))
			ok = add_plain(c->plan, subvolume, err);
	}
	free(all);
	return ok;
}

static bool note_place(void *context, const struct place_finding *finding, const char *text, struct error *err)
{
	(void)finding;
	(void)err;
	conversion_note(context, "%s", text);
	return true;
}

/* People should know that this is not what was sealed there before. */
static bool note_places(struct conversion *c, struct error *err)
{
	cleanup_member_places struct member_places places = { 0 };

	if (!member_places_read(&c->list, &places, err))
		return false;
	for (size_t i = 0; i < c->n_members; i++) {
		const struct subvolume *subvolume = subvolume_by_id(&c->list, c->members[i].id);

		if (!member_places_tell(&places, subvolume, note_place, c, err))
			return false;
	}
	return true;
}

bool plan_members(struct conversion *c, const char *const *names, const struct convert_encrypt_options *options,
		  struct encrypt_plan *plan, struct error *err)
{
	if (!resolve(c, names, options->recursive, plan, err))
		return false;
	for (size_t i = 0; i < plan->n_ids; i++) {
		if (!check_member(c, plan->ids[i], err))
			return false;
	}
	if (!close_set(c, options->shared, plan, err))
		return false;
	c->members = calloc(plan->n_ids, sizeof(*c->members));
	c->plan->member = calloc(plan->n_ids, sizeof(*c->plan->member));
	if (!c->members || !c->plan->member)
		return error_memory(err);
	c->n_members = plan->n_ids;
	for (size_t i = 0; i < plan->n_ids; i++) {
		if (!check_member(c, plan->ids[i], err) || !add_member(c, i, plan->ids[i], err))
			return false;
	}
	if (!find_plain(c, plan, err) || !note_places(c, err) || !check_extents(c, err) || !sealed_before_check(&c->list, c->scan, err) ||
	    !survey_run(c->scan, &plan->survey, err))
		return false;
	c->flags = plan->survey.flags;
	c->n_flags = plan->survey.n_flags;
	plan->survey.flags = NULL;
	c->header.n_inline_units = plan->survey.n_inline_units;
	c->plan->n_extents = c->scan->n_extents;
	c->plan->data_bytes = c->scan->data_bytes;
	c->plan->n_leaves = c->scan->n_leaves;
	c->plan->n_inline_units = plan->survey.n_inline_units;
	return true;
}

static bool check_sealed_before(struct conversion *c, const char *const *names, bool recursive, struct encrypt_plan *plan, struct error *err)
{
	bool possible;

	if (!subvolume_list_read(c->volume, &c->list, err) || !sealed_before_is_possible(&c->list, &possible, err))
		return false;
	if (!possible)
		return true;
	if (!resolve(c, names, recursive, plan, err))
		return false;
	for (size_t i = 0; i < plan->n_ids; i++) {
		if (!check_member(c, plan->ids[i], err))
			return false;
	}
	return scan_run(c->volume, plan->ids, plan->n_ids, &c->scan, err) && sealed_before_check(&c->list, c->scan, err);
}

bool convert_check_sealed_before(struct volume *volume, const char *const *names, bool recursive, struct error *err)
{
	struct conversion c = { .volume = volume };
	struct encrypt_plan plan = { 0 };
	const bool ok = check_sealed_before(&c, names, recursive, &plan, err);

	encrypt_plan_free(&plan);
	conversion_close(&c);
	return ok;
}

bool plan_fill(struct conversion *c, struct error *err)
{
	struct convert_plan *plan = c->plan;

	plan->member = calloc(c->scan->n_members, sizeof(*plan->member));
	if (!plan->member)
		return error_memory(err);
	for (size_t i = 0; i < c->scan->n_members; i++) {
		const struct subvolume *subvolume = subvolume_by_id(&c->list, c->scan->member[i]);

		if (!subvolume)
			return error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 " has no root item", c->scan->member[i]);
		plan->member[i].id = subvolume->id;
		plan->member[i].path = escape_new(subvolume->path, subvolume->path_len);
		plan->n_members = i + 1;
		if (!plan->member[i].path)
			return error_memory(err);
	}
	plan->n_extents = c->scan->n_extents;
	plan->data_bytes = c->scan->data_bytes;
	plan->n_leaves = c->scan->n_leaves;
	plan->n_inline_units = c->inlines ? c->inlines->n : c->header.n_inline_units;
	plan->n_unit_items = c->header.n_unit_items;
	return true;
}

/* --- room ------------------------------------------------------------------------------------------------ */

static uint64_t blocks_for(uint64_t bytes, uint64_t per_block)
{
	return (bytes + per_block - 1) / per_block;
}

/* Each block takes an extent item and may split a free range: at worst in half full leaves, and so on upward. */
static uint64_t blocks_with_extents(uint64_t n_blocks, uint64_t leaf)
{
	const uint64_t item = 2 * sizeof(struct disk_item) + sizeof(struct disk_extent_item) + 9;

	for (uint64_t more = n_blocks; more > 1; n_blocks += more)
		more = blocks_for(more * item, leaf / 2);
	return n_blocks;
}

uint64_t plan_blocks_needed(const struct conversion *c, const struct encrypt_plan *plan)
{
	const uint32_t node_size = c->volume->super.node_size;
	const uint64_t leaf = node_size - sizeof(struct disk_header), pointers = leaf / sizeof(struct disk_key_ptr);
	const uint64_t item_max = crypt_item_max(node_size), items_per_leaf = leaf / (item_max + sizeof(struct disk_item));
	struct unit_packer packer = { .scan = c->scan, .item_max = (uint32_t)item_max };
	uint64_t n_items = 0, n_blocks, more;
	uint32_t len;
	unsigned n_units;

	while (unit_pack_next(&packer, CIPHER_AES_256_GCM, NULL, &len, &n_units))
		n_items++;
	c->plan->n_unit_items = n_items;
	n_items += blocks_for(plan->survey.n_inline_units, inline_units_per_item(node_size)) +
		   blocks_for(plan->survey.n_index_most, index_entries_per_item(node_size)) +
		   (damage_carries(c) || damage_skips(c) ? bad_block_items(c, c->scan->data_bytes / CRYPT_BLOCK) : 0);
	/* Leaves and the small items, then the nodes above them. */
	n_blocks = blocks_for(n_items, items_per_leaf) +
		   blocks_for((c->n_members + CRYPT_SLOTS_MAX + 4) * (CRYPT_MEMBER_MAX + sizeof(struct disk_item)) +
			      c->n_flags * sizeof(struct disk_crypt_inode_flags), leaf / 2) + 4;
	for (more = n_blocks; more > 1; n_blocks += more)
		more = blocks_for(more, pointers / 2);
	return blocks_with_extents(n_blocks, leaf) + 16;
}

/* Plans new chunks for the bytes that the block groups lack. */
static bool plan_chunks(struct conversion *c, uint64_t bytes, uint64_t *usable, struct error *err)
{
	cleanup_chunk_plan struct chunk_plan chunks = { 0 };

	if (!chunk_plan_make(c->volume, c->allocator, bytes, &chunks, err))
		return false;
	*usable = chunks.usable;
	if (chunks.usable < bytes)
		return true;
	c->plan->metadata_missing = bytes;
	c->plan->n_new_chunks = chunks.n;
	c->plan->new_chunk_bytes = chunks.length;
	return chunk_alloc_check(c->volume, c->allocator, &chunks, err);
}

bool plan_check_space(struct conversion *c, const struct encrypt_plan *plan, struct error *err)
{
	const uint32_t node_size = c->volume->super.node_size;
	const uint64_t needed = plan_blocks_needed(c, plan) * node_size;
	const uint64_t free_bytes = allocator_n_free_blocks(c->allocator) * node_size;
	uint64_t reserve, more;

	if (!allocator_global_reserve(c->volume, &reserve, err))
		return false;
	c->plan->metadata_needed = needed;
	c->plan->metadata_available = free_bytes > reserve ? free_bytes - reserve : 0;
	if (needed <= c->plan->metadata_available)
		return true;
	if (!plan_chunks(c, needed + reserve - free_bytes, &more, err))
		return false;
	if (c->plan->n_new_chunks > 0)
		return true;
	error_set(err, ERROR_NO_SPACE, "metadata: %" PRIu64 " bytes needed, %" PRIu64 " available (%" PRIu64 " free, %" PRIu64
		  " are the kernel's reserve), new chunks could hold %" PRIu64 " of the %" PRIu64 " that are missing", needed,
		  c->plan->metadata_available, free_bytes, reserve, more, needed + reserve - free_bytes);
	return error_hint(err, MAKE_ROOM "%s",
			  damage_carries(c) || damage_skips(c) ? "; without --on-error=continue and --skip-damaged less is needed, because no "
				"damaged blocks have to be recorded" : "");
}

bool plan_check_bad_blocks(struct conversion *c, uint64_t n_more, struct error *err)
{
	const uint32_t node_size = c->volume->super.node_size;
	const uint64_t leaf = node_size - sizeof(struct disk_header), n_free = allocator_n_free_blocks(c->allocator);
	const uint64_t n_items = bad_block_items(c, c->bad.n_stored + n_more) - bad_block_items(c, c->bad.n_stored);
	uint64_t n_blocks = 2 * n_items + 2 * LEVEL_MAX, more;	/* half full leaves, and splits on the way there */

	if (n_more == 0)
		return true;
	for (more = n_blocks; more > 1; n_blocks += more)
		more = blocks_for(more, leaf / sizeof(struct disk_key_ptr) / 2);
	n_blocks = blocks_with_extents(n_blocks, leaf);
	if (n_blocks <= n_free)
		return true;
	error_set(err, ERROR_NO_SPACE, "metadata: up to %" PRIu64 " bytes needed to note %" PRIu64 " damaged blocks, %" PRIu64 " free",
		  n_blocks * node_size, n_more, n_free * node_size);
	return !volume_is_unfinished(c->volume) && error_hint(err, MAKE_ROOM);
}
