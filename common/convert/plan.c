/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans an encryption. */
#include "common/convert/plan.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/conversion.h"
#include "common/convert/copy-plan.h"
#include "common/convert/preflight.h"
#include "common/convert/sealed-before.h"
#include "common/convert/sharing-tell.h"
#include "common/convert/sharing.h"
#include "common/convert/survey.h"
#include "common/sealed/member-places.h"
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
	for (size_t i = 0; i < plan->n_keepers; i++)
		free(plan->keeper[i].path);
	free(plan->keeper);
	members_free(plan->member, plan->n_members);
	members_free(plan->plain, plan->n_plain);
	*plan = (struct convert_plan){ 0 };
}

bool plan_resolve(struct conversion *c, const char *const *names, bool recursive, struct encrypt_plan *plan, struct error *err)
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

static bool refuse_sharers(const struct conversion *c, const char *becoming, const struct sharer *sharers, size_t n, struct error *err)
{
	char name[160];

	for (size_t i = 0; i < n; i++)
		conversion_note(c, "shared with %s: tree blocks: %" PRIu64 ", extents: %" PRIu64, subvolume_name(&c->list, sharers[i].id, name),
				sharers[i].n_blocks, sharers[i].n_extents);
	subvolume_name(&c->list, sharers[0].id, name);
	if (n == 1)
		error_set(err, ERROR_REFUSED, "%s shares blocks with the subvolumes to be %s, but was not named", name, becoming);
	else
		error_set(err, ERROR_REFUSED, "%s and %zu more share blocks with the subvolumes to be %s, but were not named", name, n - 1, becoming);
	return error_hint(err, "--shared=include converts them too%s", strcmp(becoming, "sealed") == 0 ? "; --shared=copy copies what is shared and leaves them as they are" : "");
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

bool plan_keepers(struct conversion *c, struct error *err)
{
	struct convert_plan *const plan = c->plan;

	if (!c->copy)
		return true;
	if (!copy_plan_keepers(c->copy, c->scan, err))
		return false;
	plan->n_copied_blocks = c->copy->n_blocks;
	plan->copied_bytes = c->copy->data_bytes;
	plan->keeper = calloc(c->copy->n_keepers, sizeof(*plan->keeper));
	if (!plan->keeper)
		return error_memory(err);
	for (size_t i = 0; i < c->copy->n_keepers; i++) {
		const struct copy_keeper *const keeper = &c->copy->keeper[i];
		const struct subvolume *const subvolume = subvolume_by_id(&c->list, keeper->id);

		if (!subvolume)
			return error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 " has no root item", keeper->id);
		plan->keeper[i] = (struct convert_plan_keeper){ keeper->id, escape_new(subvolume->path, subvolume->path_len), keeper->bytes };
		plan->n_keepers = i + 1;
		if (!plan->keeper[i].path)
			return error_memory(err);
	}
	return true;
}

/* Scans the set, and widens it until nothing outside shares with it; or says what must be copied. */
bool plan_close_set(struct conversion *c, enum convert_shared shared, struct encrypt_plan *plan, struct error *err)
{
	if (plan->tells_sharing && !sharing_tell(c, plan->ids, plan->n_ids, err))
		return false;
	if (shared == SHARED_COPY)
		return preflight_no_parity(c->volume, "sealing with copies", err) && scan_run(c->volume, plan->ids, plan->n_ids, &c->scan, err) && copy_plan_make(c->scan, &c->copy, err) && plan_keepers(c, err);
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
		ok = shared == SHARED_INCLUDE ? add_sharers(plan, sharers, n, err) : refuse_sharers(c, plan->becoming, sharers, n, err);
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
	if (!domain && subvolume->root.flags & ROOT_ENCRYPT_2016)
		return error_set(err, ERROR_REFUSED, "subvolume %s was encrypted by another program", name);
	if (domain || subvolume->root.algorithm[0] != 0) {
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

void plan_member(const struct subvolume *subvolume, struct crypt_member *member)
{
	const size_t len = subvolume->path_len;

	*member = (struct crypt_member){
		.id = subvolume->id,
		.root_flags = subvolume->root.flags,
		.path_len = (uint16_t)(len < CRYPT_PATH_MAX ? len : CRYPT_PATH_MAX),
		.path_cut = len > CRYPT_PATH_MAX,
	};
	memcpy(member->uuid, subvolume->root.uuid, sizeof(member->uuid));
	memcpy(member->reserved, subvolume->root.reserved, sizeof(member->reserved));
	memcpy(member->path, subvolume->path, member->path_len);
}

static bool add_member(struct conversion *c, size_t i, uint64_t id, struct error *err)
{
	const struct subvolume *subvolume = subvolume_by_id(&c->list, id);

	plan_member(subvolume, &c->members[i]);
	c->plan->member[i] = (struct convert_plan_member){ .id = id, .path = escape_new(subvolume->path, subvolume->path_len) };
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
	if (!plan_resolve(c, names, options->recursive, plan, err))
		return false;
	for (size_t i = 0; i < plan->n_ids; i++) {
		if (!check_member(c, plan->ids[i], err))
			return false;
	}
	if (!plan_close_set(c, options->shared, plan, err))
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
	if (!plan_resolve(c, names, recursive, plan, err))
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
	struct encrypt_plan plan = { .becoming = "sealed" };
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
