/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/legacy/clones.h"

#include "common/fs/backref.h"

#define USERS_MAX 256u	/* of one extent that are looked at */

struct users {
	struct user { uint64_t tree, inode; } at[USERS_MAX];
	size_t n;
};

static bool add_user(void *context, const struct backref_file *file, struct error *err)
{
	struct users *const users = context;

	(void)err;
	for (size_t i = 0; i < users->n; i++) {
		if (users->at[i].tree == file->root && users->at[i].inode == file->inode)
			return true;
	}
	if (users->n < USERS_MAX)
		users->at[users->n++] = (struct user){ file->root, file->inode };
	return true;
}

static bool find_users(struct volume *volume, uint64_t disk_bytenr, struct users *users, struct error *err)
{
	const struct backref_query query = { .volume = volume, .logical = disk_bytenr, .whole = true, .visit = add_user, .context = users };
	struct backref_extent extent;
	uint64_t n_stale = 0;

	return backref_extent_at(volume, disk_bytenr, &extent, err) &&
	       (extent.refs < 2 || !extent.is_data || backref_files(&query, &extent, &n_stale, err));
}

/* With the other ciphers a wrong IV spoils no more than the first 16 bytes of each page, so that padding proves only the key. */
static bool padding_proves_iv(const struct legacy *legacy)
{
	return legacy->mode == LEGACY_CTR;
}

/* Does it use the extent with another IV, and if so, does it surely read right? */
static bool look_at(const struct user *user, const struct tree *own, const struct legacy *legacy, struct legacy_ciphers *ciphers,
		    const struct legacy_inode *inode, uint64_t disk_bytenr, bool *is_other, bool *is_right, struct error *err)
{
	enum legacy_padding padding = LEGACY_PADDING_NONE;
	struct legacy_inode other = { 0 };
	struct tree tree;

	*is_other = *is_right = false;
	if (user->tree == own->id && user->inode == inode->number)
		return true;
	if (!tree_open(own->volume, user->tree, &tree, err) || !legacy_inode_read(&tree, user->inode, ciphers, &other, err))
		return false;
	/* A snapshot has the same file with the same IV. */
	*is_other = other.has_iv && other.flags & INODE_ENCRYPT && memcmp(other.disk_iv, inode->disk_iv, LEGACY_IV_SIZE) != 0;
	const bool ok = !*is_other || legacy_probe(&tree, legacy, ciphers, &other, disk_bytenr, &padding, err);

	*is_right = padding == LEGACY_PADDING_RIGHT && padding_proves_iv(legacy);
	secret_wipe(&other, sizeof(other));
	return ok;
}

static bool survive(const struct error *what, struct error *err)
{
	return !error_is_machine(what) || (*err = *what, false);
}

bool clone_find(const struct tree *tree, const struct legacy *legacy, struct legacy_ciphers *ciphers, const struct legacy_inode *inode,
		uint64_t disk_bytenr, struct clone *clone, struct error *err)
{
	enum legacy_padding own = LEGACY_PADDING_NONE;
	struct users users = { .n = 0 };
	struct error what = { 0 };

	*clone = (struct clone){ .kind = CLONE_NONE };
	if (!find_users(tree->volume, disk_bytenr, &users, &what))
		return survive(&what, err);
	if (users.n < 2)
		return true;
	if (!legacy_probe(tree, legacy, ciphers, inode, disk_bytenr, &own, err))
		return false;
	/* Those of this subvolume first: people look for the other file there. */
	own = padding_proves_iv(legacy) ? own : LEGACY_PADDING_NONE;
	for (size_t i = 0; i < 2 * users.n && own != LEGACY_PADDING_RIGHT && clone->kind != CLONE_WRONG; i++) {
		const struct user *const user = &users.at[i % users.n];
		struct error unread = { 0 };
		bool is_other, is_right;

		if ((user->tree == tree->id) != (i < users.n))
			continue;
		if (!look_at(user, tree, legacy, ciphers, inode, disk_bytenr, &is_other, &is_right, &unread)) {
			if (!survive(&unread, err))
				return false;
		} else if (is_other && (is_right || clone->kind == CLONE_NONE)) {
			*clone = (struct clone){ is_right ? CLONE_WRONG : CLONE_DOUBTFUL, user->tree, user->inode };
		}
	}
	return true;
}
