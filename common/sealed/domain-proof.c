/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proves a sealed subvolume: all of it by its digest, or single inodes and the names that lead to them. */
#include "common/fs/inode-names.h"
#include "common/sealed/domain-reader.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fs/path.h"
#include "common/sealed/domain-reader-inside.h"
#include "common/util/escape.h"
#include "common/volume/tolerance.h"

/* If the digest differs, extents may have changed places. A look at their data tells. by_place: without that look. */
static bool check_view(struct domain_reader *reader, const struct subvolume *subvolume, bool by_place, struct error *err)
{
	static const struct domain_view_options check = { .accept_index = true };
	struct domain *domain = reader->domain;
	bool changed;

	domain_view_close(&reader->view);
	reader->differs = (struct error){ 0 };
	if (!(by_place ? domain_view_open_by_place(domain, reader->list, subvolume, &reader->view, err)
		       : domain_view_open(domain, reader->list, subvolume, UNIT_PLACE_END, &reader->view, err))) {
		reader->is_unread = error_is_damage(err);
		reader->differs = *err;
		return reader->is_unread;
	}
	reader->is_whole = domain_view_check_trees(&reader->view, &check, &changed, &reader->differs);
	if (reader->is_whole || error_is_damage(&reader->differs))
		return true;
	*err = reader->differs;
	return false;
}

bool domain_reader_check_whole(struct domain_reader *reader, struct error *why, bool *unread, struct error *err)
{
	if (!reader->is_checked) {
		const struct subvolume *subvolume = subvolume_by_id(reader->list, reader->subvolume);

		if (!check_view(reader, subvolume, true, err) || (!reader->is_whole && !reader->is_unread && !check_view(reader, subvolume, false, err)))
			return false;
		if (!reader->is_whole)
			domain_view_close(&reader->view);
		reader->is_checked = true;
	}
	*why = reader->differs;
	*unread = reader->is_unread;
	return true;
}

static bool is_of_domain(const struct domain_reader *reader, uint64_t id)
{
	const struct subvolume *subvolume = subvolume_by_id(reader->list, id);

	return subvolume && (domain_has(reader->domain, reader->list, subvolume) || domain_has_tag(reader->domain, &subvolume->root));
}

/* Is there anything to prove that the digest of the whole has not proven yet? */
static bool needs_proof(const struct domain_reader *reader, uint64_t id)
{
	return id == reader->subvolume ? !reader->is_whole : is_of_domain(reader, id);
}

/*
 * Asks the digest of the whole about an inode that its entry did not prove (ok: see *proven; otherwise damage prevented the proof, see *err).
 * If the digest proves it, the entry is what is damaged. Only an inode that would be refused gets here, and the whole is checked once.
 */
static bool ask_whole(struct domain_reader *reader, const struct tree *tree, bool ok, bool *proven, struct error *err)
{
	const struct error single = ok ? (struct error){ 0 } : *err;
	struct error why;
	bool unread;

	if ((ok && *proven) || (!ok && !error_is_damage(&single)) || tree->id != reader->subvolume)
		return ok;
	if (!domain_reader_check_whole(reader, &why, &unread, err))
		return false;
	*proven = reader->is_whole;
	*err = reader->is_whole ? (struct error){ 0 } : single;
	return ok || reader->is_whole;
}

bool domain_reader_proves(struct domain_reader *reader, const struct tree *tree, uint64_t inode, enum inode_entry_kind kind, bool *proven,
			  struct error *err)
{
	*proven = true;
	return !needs_proof(reader, tree->id) ||
	       ask_whole(reader, tree, inode_prove(reader->prover, tree, inode, kind, proven, err), proven, err);
}

bool domain_reader_proves_name(struct domain_reader *reader, const struct tree *tree, struct name_to_prove what, bool *proven, struct error *err)
{
	*proven = true;
	return !needs_proof(reader, tree->id) ||
	       ask_whole(reader, tree, inode_prove_name(reader->prover, tree, what, proven, err), proven, err);
}

struct proving_path {
	struct domain_reader *reader;
	const char *path;
	struct error *why;
};

/* Compares cut paths as far as they are kept. Nobody proves the part that was cut off; every member with such a path matches. */
static bool is_below(const struct crypt_member *member, const struct crypt_member *above, const uint8_t *rest, size_t len)
{
	const size_t before = above->path_len ? above->path_len + 1u : 0;
	const size_t kept = member->path_len - (before < member->path_len ? before : member->path_len);

	if (above->path_cut)
		return member->path_cut && member->path_len == above->path_len && memcmp(member->path, above->path, above->path_len) == 0;
	if (member->path_len < above->path_len || memcmp(member->path, above->path, above->path_len) != 0 ||
	    (before > 0 && member->path_len >= before && member->path[before - 1] != '/'))
		return false;
	if (member->path_cut)
		return len > kept && memcmp(member->path + (member->path_len - kept), rest, kept) == 0;
	return member->path_len == before + len && memcmp(member->path + before, rest, len) == 0;
}

static const struct crypt_member *member_at(const struct domain_reader *reader, uint64_t id)
{
	const struct subvolume *subvolume = subvolume_by_id(reader->list, id);

	return subvolume ? domain_member_of(reader->domain, subvolume) : NULL;
}

/* Is the list of the directory as it was sealed? It proves the names in it and what they lead to. */
static bool proves_list(struct domain_reader *reader, const struct file_id *directory, bool *proven, struct error *err)
{
	struct tree tree;

	return tree_open(reader->domain->volume, directory->subvolume, &tree, err) &&
	       domain_reader_proves(reader, &tree, directory->inode, INODE_ENTRY_LISTING, proven, err);
}

bool domain_reader_proves_list(struct list_proof *proof, uint64_t subvolume, uint64_t directory, bool *proven, struct error *err)
{
	struct domain_reader *reader = (struct domain_reader *)((uint8_t *)proof - offsetof(struct domain_reader, list_proof));
	const struct file_id id = { subvolume, directory };

	*proven = false;
	if (!is_of_domain(reader, subvolume) || proves_list(reader, &id, proven, err))
		return true;
	*proven = false;
	if (!error_is_damage(err))
		return false;
	*err = (struct error){ 0 };
	return true;
}

/* Does an entry of the directory lead to the subvolume? What the tree of roots alone says is in no list. */
static bool has_entry(struct domain_reader *reader, const struct path_step *step, bool *has, struct error *err)
{
	struct key location;
	struct tree tree;

	if (!tree_open(reader->domain->volume, step->directory.subvolume, &tree, err) ||
	    !dir_entry_location(&tree, step->directory.inode, step->name, step->len, &location, has, err))
		return false;
	*has = *has && location.type == KEY_ROOT_ITEM && location.objectid == step->found.subvolume;
	return true;
}

/*
 * Proves a step into a subvolume that stayed plain, by the list of the directory: it has the name and the id. A snapshot made since is in no
 * list that was sealed. What has the id of a member, or a tag of the domain, was put in the place of something sealed.
 */
static bool proves_plain(struct domain_reader *reader, const struct path_step *step, bool *proven, struct error *err)
{
	bool has;

	*proven = false;
	if (domain_member(reader->domain, step->found.subvolume) || is_of_domain(reader, step->found.subvolume))
		return true;
	if (!has_entry(reader, step, &has, err))
		return false;
	return !has || proves_list(reader, &step->directory, proven, err);
}

/* Proves a step into a nested subvolume: a sealed one by the paths where the two were sealed. */
bool domain_reader_proves_nested(struct domain_reader *reader, const struct path_step *step, bool *proven, struct error *err)
{
	const struct domain *domain = reader->domain;
	const struct crypt_member *above = member_at(reader, step->directory.subvolume);
	const struct crypt_member *member = member_at(reader, step->found.subvolume);
	uint8_t *directory, *path;
	struct tree tree;
	size_t len;

	if (above && !member)
		return proves_plain(reader, step, proven, err);
	*proven = above || !is_of_domain(reader, step->directory.subvolume);
	if (!above)
		return true;
	if (!tree_open(domain->volume, step->directory.subvolume, &tree, err) ||
	    !inode_path_bytes(&tree, step->directory.inode, &directory, &len, err))
		return false;
	path = malloc(len + 1 + step->len);
	if (path && directory) {
		memcpy(path, directory, len);
		if (len > 0)
			path[len++] = '/';
		memcpy(path + len, step->name, step->len);
	}
	*proven = path && directory && is_below(member, above, path, len + step->len);
	free(directory);
	free(path);
	return path || error_memory(err);
}

/* Proves the step into an inode of the same subvolume. *what: what is wrong; NULL: nothing. */
static bool prove_inode(const struct proving_path *proving, const struct path_step *step, const char **what, struct error *err)
{
	struct domain_reader *reader = proving->reader;
	bool proven, named, is_directory;
	struct inode inode;
	struct tree tree;

	if (!tree_open(reader->domain->volume, step->found.subvolume, &tree, err) || !inode_get(&tree, step->found.inode, &inode, err))
		return false;
	is_directory = S_ISDIR(inode.mode);

	const struct name_to_prove name = { step->found.inode, is_directory, step->directory.inode, step->name, step->len };

	if (!domain_reader_proves(reader, &tree, step->found.inode, is_directory ? INODE_ENTRY_NAMES : INODE_ENTRY_FILE, &proven, err) ||
	    !domain_reader_proves_name(reader, &tree, name, &named, err))
		return false;
	if (!proven && !is_directory)
		*what = "it is not the file that was sealed";
	else if (!named)
		*what = is_directory ? "no directory of this name was sealed here" : "it was not sealed under this name here";
	return true;
}

/* The empty directory in place of a nested subvolume has only its name, which the list of its directory proves. */
static bool prove_empty(const struct proving_path *proving, const struct path_step *step, const char **what, struct error *err)
{
	bool proven;

	if (!proves_list(proving->reader, &step->directory, &proven, err))
		return false;
	if (!proven)
		*what = "it was not sealed under this name here";
	return true;
}

static bool prove_step(void *context, const struct path_step *step, struct error *err)
{
	const struct proving_path *proving = context;
	const char *what = NULL;
	char text[256];
	bool nested = true;

	if (proving->why->kind != ERROR_NONE)
		return true;
	if (step->found.inode == EMPTY_SUBVOLUME_INODE ? !prove_empty(proving, step, &what, err) :
	    step->found.subvolume == step->directory.subvolume ? !prove_inode(proving, step, &what, err) :
	    !domain_reader_proves_nested(proving->reader, step, &nested, err))
		return false;
	if (!nested)
		what = "the subvolume was not here when it was sealed";
	if (!what)
		return true;
	escape_text(proving->path, (size_t)(step->name - proving->path) + step->len, text, sizeof(text));
	error_set(proving->why, ERROR_CORRUPT, "%s: %s", text, what);
	return true;
}

bool domain_reader_proves_path(struct domain_reader *reader, uint64_t subvolume, const char *path, struct error *why, struct error *err)
{
	struct proving_path proving = { reader, path, why };
	struct file_id found;

	*why = (struct error){ 0 };
	return path_follow(reader->domain->volume, subvolume, path, prove_step, &proving, &found, err);
}
