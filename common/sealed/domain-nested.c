/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goes from a directory of one subvolume to another subvolume, using only what the directory holds. */
#include "common/sealed/domain-nested.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs/path.h"
#include "common/fs/paths-above.h"
#include "common/util/escape.h"

bool nested_entry_leads(struct path_memory *memory, struct volume *volume, uint64_t above, const uint8_t *rest, size_t rest_len, uint64_t id,
			bool *leads, struct error *err)
{
	const uint8_t *const slash = memrchr(rest, '/', rest_len);
	const size_t above_len = slash ? (size_t)(slash - rest) : 0, skip = slash ? above_len + 1 : 0;
	char *const directory = strndup((const char *)rest, above_len);
	struct key location;
	struct file_id at;
	struct tree tree;
	bool found = false, ok;

	*leads = false;
	if (!directory)
		return error_memory(err);
	ok = path_find_again(memory, volume, above, directory, &at, err);
	free(directory);
	if (!ok && (err->kind == ERROR_NOT_FOUND || err->kind == ERROR_USAGE)) {	/* ".." leads nowhere */
		*err = (struct error){ 0 };
		return true;
	}
	if (!ok)
		return false;
	if (at.subvolume != above || at.inode == EMPTY_SUBVOLUME_INODE)
		return true;
	if (!tree_open(volume, above, &tree, err) ||
	    !dir_entry_location(&tree, at.inode, (const char *)rest + skip, rest_len - skip, &location, &found, err))
		return false;
	*leads = found && location.type == KEY_ROOT_ITEM && location.objectid == id;
	return true;
}

/* --- in the place of a member ------------------------------------------------------------------------------------------ */

bool domain_is_replaced(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume)
{
	const struct crypt_member *const member = domain_member(domain, subvolume->id);
	const struct crypt_member *const above = member ? domain_member_above(domain, member) : NULL;
	const struct subvolume *const holder = above ? subvolume_by_id(list, above->id) : NULL;
	struct path_memory memory = { 0 };
	struct error unread = { 0 };
	const uint8_t *rest;
	size_t rest_len;
	bool leads = false;

	if (!holder || domain_member_of(domain, subvolume) || holder->deleted || !domain_member_of(domain, holder))
		return false;
	if (member->path_cut)
		return subvolume->parent_id == above->id;
	rest = path_below(member->path, member->path_len, above->path, above->path_len, &rest_len);
	leads = !nested_entry_leads(&memory, domain->volume, above->id, rest, rest_len, subvolume->id, &leads, &unread) || leads;
	path_memory_free(&memory);
	return leads;
}

bool domain_check_replaced(const struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume, struct error *err)
{
	const struct crypt_member *const member = domain_member(domain, subvolume->id);
	char path[200];

	if (!domain_is_replaced(domain, list, subvolume))
		return true;
	escape_text(member->path_len ? member->path : (const uint8_t *)"/", member->path_len ? member->path_len : 1, path, sizeof(path));
	error_set(err, ERROR_CORRUPT, "the root item of the sealed subvolume %" PRIu64 " (%s) has another uuid", member->id, path);
	return error_hint(err, "it was replaced, or it was deleted and a kernel gave its id to a new subvolume of the same name: then "
		"make a snapshot of that, which gets an id of its own, and delete it");
}

bool domain_check_all_replaced(const struct domain *domain, const struct subvolume_list *list, struct error *err)
{
	for (size_t i = 0; i < domain->n_members; i++) {
		const struct subvolume *subvolume = subvolume_by_id(list, domain->members[i].id);

		if (subvolume && !domain_check_replaced(domain, list, subvolume, err))
			return false;
	}
	return true;
}
