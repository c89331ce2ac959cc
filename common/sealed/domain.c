/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the items of a domain from the root tree: both headers, slots, members, inode flags. It checks the layout only, no MAC. */
#include "common/sealed/domain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fs/paths-above.h"
#include "common/sealed/domain-slots.h"
#include "common/sealed/header-backup.h"
#include "common/util/array.h"
#include "common/util/take.h"
#include "common/volume/tolerance.h"

/* Bounds the memory that one domain may take: members have their paths with them. */
#define MEMBERS_MAX	65536u

/* --- items ----------------------------------------------------------------------- */

struct rooms {
	size_t members, inode_flags;
};

static bool too_many(size_t most, const char *what, struct error *err)
{
	return error_set(err, ERROR_REFUSED, "more than %zu %s", most, what);
}

static bool read_member(struct domain *d, const struct crypt_place *place, struct cursor *item, struct rooms *room, struct error *err)
{
	if (d->n_members >= MEMBERS_MAX)
		return too_many(MEMBERS_MAX, "subvolumes sealed together", err);
	if (!ARRAY_ROOM(d->members, d->n_members, room->members, err) || !crypt_member_read(item, &d->members[d->n_members], err))
		return false;

	const uint64_t id = d->members[d->n_members].id;

	if (place->index != d->n_members)
		return error_set(err, ERROR_CORRUPT, "member item %" PRIu64 " follows %zu others", place->index, d->n_members);
	if (d->n_members > 0 && id <= d->members[d->n_members - 1].id)
		return error_set(err, ERROR_CORRUPT, "member item %" PRIu64 ": subvolume %" PRIu64 " follows %" PRIu64, place->index, id,
				 d->members[d->n_members - 1].id);
	d->n_members++;
	return true;
}

static bool flags_ascend(const struct crypt_inode_flags *a, const struct crypt_inode_flags *b)
{
	return a->member != b->member ? a->member < b->member : a->inode < b->inode;
}

static bool read_inode_flags(struct domain *d, const struct crypt_place *place, struct cursor *item, struct rooms *room, struct error *err)
{
	unsigned n;

	if (!crypt_head_read(item, CRYPT_INODE_FLAGS, &n, err))
		return false;
	while (n-- > 0) {
		const size_t i = d->n_inode_flags;

		if (i >= DOMAIN_INODE_FLAGS_MAX)
			return too_many(DOMAIN_INODE_FLAGS_MAX, "inodes with flags", err);
		if (!ARRAY_ROOM(d->inode_flags, i, room->inode_flags, err) || !crypt_inode_flags_next(item, &d->inode_flags[i], err))
			return false;
		if (i > 0 && !flags_ascend(&d->inode_flags[i - 1], &d->inode_flags[i]))
			return error_set(err, ERROR_CORRUPT, "inode flags item %" PRIu64 ": inode %" PRIu64 " of subvolume %" PRIu64
					 " is out of order", place->index, d->inode_flags[i].inode, d->inode_flags[i].member);
		d->n_inode_flags++;
	}
	return crypt_item_end(item, CRYPT_INODE_FLAGS, err);
}

static bool read_item(struct domain *d, const struct crypt_place *place, struct cursor *item, struct rooms *room, struct error *err)
{
	return place->kind == CRYPT_SLOT ? domain_take_slot(d, place->index, item, err)
	     : place->kind == CRYPT_MEMBER ? read_member(d, place, item, room, err)
	     : read_inode_flags(d, place, item, room, err);
}

static bool read_items(struct domain *d, const struct tree *tree, uint64_t *n_flags_items, struct error *err)
{
	const struct key first = crypt_key(d->number, CRYPT_SLOT, 0);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct crypt_place place;
	struct rooms room = { 0 };

	if (!tree_seek(tree, &first, &iter, err))
		return false;
	while (iter.valid && crypt_place_of_key(&iter.key, &place) && place.domain == d->number && place.kind <= CRYPT_INODE_FLAGS &&
	       !place.second_header) {
		if (!read_item(d, &place, &iter.item, &room, err))
			return false;
		*n_flags_items += place.kind == CRYPT_INODE_FLAGS;
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

static int compare_uuids(const void *a, const void *b, void *context)
{
	const struct domain *d = context;
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const int order = memcmp(d->members[x].uuid, d->members[y].uuid, UUID_SIZE);

	return order ? order : x < y ? -1 : x > y;
}

static bool index_members(struct domain *d, struct error *err)
{
	d->member_by_uuid = calloc(d->n_members ? d->n_members : 1, sizeof(*d->member_by_uuid));
	if (!d->member_by_uuid)
		return error_memory(err);
	for (size_t i = 0; i < d->n_members; i++)
		d->member_by_uuid[i] = (uint32_t)i;
	qsort_r(d->member_by_uuid, d->n_members, sizeof(*d->member_by_uuid), compare_uuids, d);
	return true;
}

static bool nest_members(struct domain *d, struct error *err)
{
	struct place_path *const paths = calloc(d->n_members + 1, sizeof(*paths));
	bool ok;

	d->member_above = calloc(d->n_members + 1, sizeof(*d->member_above));
	for (size_t i = 0; paths && i < d->n_members; i++)
		paths[i] = (struct place_path){ .at = d->members[i].path, .len = d->members[i].path_len, .is_cut = d->members[i].path_cut };
	ok = paths && d->member_above ? paths_above(paths, d->n_members, d->member_above, err) : error_memory(err);
	free(paths);
	return ok;
}

/* --- headers --------------------------------------------------------------------- */

/* The other copy makes up for one that cannot be read, so this is false only if the machine failed. */
static bool read_copy(struct domain *d, const struct tree *tree, unsigned i, struct error *why, struct error *err)
{
	const struct key key = i == 0 ? crypt_key(d->number, CRYPT_HEADER, 0) : crypt_second_header_key(d->number);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error error = { 0 };
	bool found = false;

	if (!tree_find(tree, &key, &iter, &found, &error)) {
		/* the leaf is bad, so nothing more is known about this copy */
	} else if (!found) {
		error_set(&error, ERROR_NOT_FOUND, "copy %u of the header of sealing %u is missing", i, d->number);
	} else if (crypt_header_read(&iter.item, &d->copy[i], &error)) {
		d->copy_valid[i] = d->copy[i].domain == d->number;
		if (!d->copy_valid[i])
			error_set(&error, ERROR_KEY_HEADER, "copy %u of the header of sealing %u belongs to sealing %u", i, d->number,
				  d->copy[i].domain);
	}
	if (error_is_machine(&error)) {
		*err = error;
		return false;
	}
	if (found && iter.path[0])
		d->copy_block[i] = iter.path[0]->logical;
	if (error.kind != ERROR_NONE && why->kind == ERROR_NONE)
		*why = error;
	return true;
}

/* Whatever the slots are: has the seal item the seal of this header? */
static bool has_seal(const struct domain *d, const struct crypt_header *header)
{
	const struct key key = crypt_key(d->number, CRYPT_SEAL, 0);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error ignored = { 0 };
	struct crypt_seal seal;
	struct tree tree;
	bool found = false;

	return !d->backup && tree_open(d->volume, ROOT_TREE_ID, &tree, &ignored) && tree_find(&tree, &key, &iter, &found, &ignored) && found &&
	       crypt_seal_read(&iter.item, &seal, &ignored) && memcmp(seal.seal, header->seal, sizeof(seal.seal)) == 0;
}

/*
 * A slot may be damaged, but if all of them are of another domain, it is the header that does not belong here; and if it vouches for one of them, it
 * is the uuid in the header that is damaged.
 */
static bool belongs_to_slots(const struct domain *d, const struct crypt_header *header, struct error *why)
{
	bool any = d->n_slots == 0, any_whole = false;

	for (size_t i = 0; i < d->n_slots; i++) {
		const unsigned number = d->slots[i].number;

		any |= memcmp(d->slots[i].domain_uuid, header->domain_uuid, CRYPT_UUID_SIZE) == 0;
		any_whole |= memcmp(d->slot_item[number].hash, header->slot_hash[number], CRYPT_SLOT_HASH_SIZE) == 0;
	}
	return any || (!any_whole && has_seal(d, header)) ||
	       error_set(why, ERROR_KEY_HEADER, "the header of sealing %u and key slot %u do not belong together", d->number, d->slots[0].number);
}

/* Checks everything a header says about the other items. MACs are left to domain_open(). */
static bool header_fits(const struct domain *d, const struct crypt_header *header, uint64_t n_flags_items, struct error *why)
{
	const struct {
		const char *what;
		uint64_t said, found;
	} count[] = {
		{ "subvolumes", header->n_members, d->n_members },
		{ "inode flags items", header->n_inode_flags_items, n_flags_items },
	};

	for (size_t i = 0; i < sizeof(count) / sizeof(count[0]); i++) {
		if (count[i].said != count[i].found)
			return error_set(why, ERROR_KEY_HEADER, "the header of sealing %u says %" PRIu64 " %s, but there are %" PRIu64,
				d->number,
					 count[i].said, count[i].what, count[i].found);
	}
	return belongs_to_slots(d, header, why);
}

static bool choose_header(struct domain *d, uint64_t n_flags_items, const struct error *why_invalid, struct error *err)
{
	struct error why = { 0 };
	int chosen = -1;

	for (int i = 0; i < 2; i++) {
		if (d->copy_valid[i])
			d->copy_valid[i] = header_fits(d, &d->copy[i], n_flags_items, &why);
		if (d->copy_valid[i] && (chosen < 0 || d->copy[i].epoch > d->copy[chosen].epoch))
			chosen = i;
	}
	if (chosen < 0)
		return error_set(err, why_invalid->kind == ERROR_REFUSED ? ERROR_REFUSED : ERROR_KEY_HEADER, "%s",
				 why.kind != ERROR_NONE ? why.text : why_invalid->text);
	d->header = d->copy[chosen];
	d->one_header_bad = !d->copy_valid[!chosen] || !crypt_header_equal(&d->copy[0], &d->copy[1]);
	return true;
}

/* --- the domain --------------------------------------------------------------------- */

void domain_key_name(const struct domain *domain, char name[DOMAIN_KEY_NAME_SIZE])
{
	struct le32 hash;

	memcpy(&hash, domain->header.kcv, sizeof(hash));
	snprintf(name, DOMAIN_KEY_NAME_SIZE, "btrfs:%08" PRIx32, le32(hash));
}

void domain_tag_text(const struct domain *domain, char text[DOMAIN_TAG_TEXT_SIZE])
{
	char name[DOMAIN_KEY_NAME_SIZE];

	domain_key_name(domain, name);
	snprintf(text, DOMAIN_TAG_TEXT_SIZE, "%s@%s", crypt_cipher_name(domain->header.cipher), name);
}

void domain_free(struct domain *domain)
{
	if (!domain)
		return;
	free(domain->slots);
	free(domain->members);
	free(domain->member_by_uuid);
	free(domain->member_above);
	free(domain->inode_flags);
	key_schedule_free(domain->schedule);
	free(domain);
}

bool domain_header_has_tag(struct volume *volume, uint16_t number, const struct root *root, bool *has, struct error *err)
{
	struct domain d = { .volume = volume, .number = number };
	struct error why = { 0 };
	struct tree tree;

	*has = false;
	if (!tree_open(volume, ROOT_TREE_ID, &tree, err))
		return false;
	for (unsigned i = 0; i < 2 && !*has; i++) {
		if (!read_copy(&d, &tree, i, &why, err))
			return false;
		d.header = d.copy[i];
		*has = d.copy_valid[i] && domain_has_tag(&d, root);
	}
	return true;
}

static struct domain *domain_new(struct volume *volume, uint16_t number)
{
	struct domain *d = calloc(1, sizeof(*d));

	if (d) {
		d->volume = volume;
		d->number = number;
		d->slot_used = -1;
	}
	return d;
}

static bool has_slot_items(const struct domain *d)
{
	bool any = d->has_far_slot;

	for (unsigned i = 0; i < CRYPT_SLOTS_MAX; i++)
		any |= d->slot_item[i].is_there;
	return any;
}

static bool read_tree(struct volume *volume, uint16_t number, struct domain **domain, struct error *err)
{
	cleanup_domain struct domain *d = domain_new(volume, number);
	struct error why = { 0 };
	uint64_t n_flags_items = 0;
	struct tree tree;

	if (!d)
		return error_memory(err);
	if (!tree_open(volume, ROOT_TREE_ID, &tree, err) || !read_copy(d, &tree, 0, &why, err) || !read_copy(d, &tree, 1, &why, err) ||
	    !read_items(d, &tree, &n_flags_items, err) || !index_members(d, err) || !nest_members(d, err))
		return false;
	if (why.kind == ERROR_NOT_FOUND && !d->copy_valid[0] && !d->copy_valid[1] && !has_slot_items(d) &&
	    d->n_members + n_flags_items == 0)
		return error_set(err, ERROR_NOT_FOUND, "sealing %u not found", number);
	if (!choose_header(d, n_flags_items, &why, err))
		return false;
	*domain = TAKE(d);
	return true;
}

/* --- header backups ---------------------------------------------------------------------- */

struct reading {
	struct domain *domain;
	struct rooms room;
	uint64_t n_flags_items;
};

static bool take_item(void *context, const struct crypt_backup_item *item, struct error *err)
{
	struct reading *const r = context;
	struct cursor payload = item->payload;

	if (item->place.kind == CRYPT_HEADER || item->place.kind == CRYPT_BAD_BLOCKS)
		return true;
	r->n_flags_items += item->place.kind == CRYPT_INODE_FLAGS;
	return read_item(r->domain, &item->place, &payload, &r->room, err) || error_prefix(err, "header backup");
}

/* Whatever is wrong in it, it is the backup that is damaged, not the filesystem. */
static bool backup_is_wrong(struct error *err)
{
	if (err->kind == ERROR_CORRUPT)
		err->kind = ERROR_KEY_HEADER;
	return false;
}

bool domain_read_backup(struct volume *volume, const struct header_backup *backup, struct domain **domain, struct error *err)
{
	cleanup_domain struct domain *d = domain_new(volume, backup->header.domain);
	struct reading reading = { .domain = d };
	struct error why = { 0 };

	if (!d)
		return error_memory(err);
	d->backup = backup;
	d->copy[0] = backup->header;
	d->copy_valid[0] = true;
	if (!header_backup_items(backup, take_item, &reading, err) || !index_members(d, err) || !nest_members(d, err))
		return backup_is_wrong(err);
	if (!header_fits(d, &backup->header, reading.n_flags_items, &why))
		return error_set(err, why.kind, "header backup: %s", why.text);
	d->header = backup->header;
	*domain = TAKE(d);
	return true;
}

bool domain_read(struct volume *volume, uint16_t number, struct domain **domain, struct error *err)
{
	const struct header_backup *const backup = volume->backup;
	struct domain *found = NULL;
	struct error why = { 0 };

	if (!backup || backup->header.domain != number)
		return read_tree(volume, number, domain, err);
	if (!read_tree(volume, number, &found, &why)) {
		if (error_is_machine(&why))
			return *err = why, false;
		return domain_read_backup(volume, backup, domain, err);
	}

	const bool is_same = memcmp(found->header.domain_uuid, backup->header.domain_uuid, CRYPT_UUID_SIZE) == 0;

	if (is_same && found->header.epoch > backup->header.epoch) {
		*domain = found;
		return true;
	}
	domain_free(found);
	return is_same ? domain_read_backup(volume, backup, domain, err) :
			 error_set(err, ERROR_KEY_HEADER, "the header backup belongs to another sealing than number %u of this image", number);
}
