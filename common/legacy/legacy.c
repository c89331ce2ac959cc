/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/legacy/legacy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/util/escape.h"
#include "format/dir-entry.h"

#define PROPERTY_MAX 64u	/* longer than any value that is valid */
#define ALGORITHM_EARLY "aes"	/* which was cts(cbc(aes)) with a constant IV */

/* The xattr with that name in an item that has one or more. */
static bool xattr_in_item(struct cursor item, const char *name, struct cursor *value, bool *found, struct error *err)
{
	struct dir_entry xattr;

	*found = false;
	while (!*found && item.left > 0) {
		if (!xattr_next(&item, &xattr, err))
			return false;
		*found = legacy_xattr_is(&xattr.name, name);
		*value = xattr.data;
	}
	return true;
}

bool legacy_xattr(const struct tree *tree, uint64_t inode, const char *name, uint8_t *value, size_t size, size_t *len, bool *found,
		  struct error *err)
{
	const struct key key = { inode, KEY_XATTR_ITEM, dir_entry_name_hash(name, strlen(name)) };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct cursor data;

	*found = false;
	if (!tree_find(tree, &key, &iter, found, err) || (*found && !xattr_in_item(iter.item, name, &data, found, err)))
		return false;
	if (!*found)
		return true;
	*len = data.left < size ? data.left : size;
	memcpy(value, data.at, *len);
	return true;
}

static bool property_of(const struct tree *tree, uint64_t inode, struct legacy_property *property, bool *found, struct error *err)
{
	uint8_t bytes[PROPERTY_MAX];
	struct cursor value = { .at = bytes };

	return legacy_xattr(tree, inode, LEGACY_XATTR_PROPERTY, bytes, sizeof(bytes), &value.left, found, err) &&
	       (!*found || legacy_property_read(&value, property, err));
}

/* The first one that is valid, of any inode. */
static bool property_of_any(const struct tree *tree, struct legacy_property *property, bool *found, struct error *err)
{
	const struct key first = { FIRST_FREE_ID, KEY_XATTR_ITEM, 0 };
	const uint64_t hash = dir_entry_name_hash(LEGACY_XATTR_PROPERTY, strlen(LEGACY_XATTR_PROPERTY));
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error ignored = { 0 };
	bool ok;

	*found = false;
	for (ok = tree_seek(tree, &first, &iter, err); ok && iter.valid && !*found; ok = ok && !*found ? tree_next(&iter, err) : ok) {
		struct cursor value;

		if (iter.key.type == KEY_XATTR_ITEM && iter.key.offset == hash &&
		    xattr_in_item(iter.item, LEGACY_XATTR_PROPERTY, &value, found, &ignored))
			*found = *found && legacy_property_read(&value, property, &ignored);
	}
	return ok;
}

/* Damage keeps nobody from listing what there is. */
static bool survive(struct error *what, bool *found, struct error *err)
{
	*found = false;
	if (error_is_machine(what))
		return *err = *what, false;
	return true;
}

/* Whoever reads the subvolume then hears of damage there. */
static bool find_property(struct volume *volume, const struct subvolume *subvolume, bool any, struct legacy_property *property, bool *found,
			  struct error *err)
{
	struct error what = { 0 };
	struct tree tree;

	*found = false;
	if (!tree_open(volume, subvolume->id, &tree, &what))
		return survive(&what, found, err);
	if (!property_of(&tree, subvolume->root.dirid, property, found, &what) && !survive(&what, found, err))
		return false;
	return *found || !any || property_of_any(&tree, property, found, &what) || survive(&what, found, err);
}

/* The root item comes first. Only if it says nothing, the xattr alone tells the layouts apart. */
static enum legacy_layout layout_of(const struct legacy_root *root, const struct legacy_property *property)
{
	const char *const algorithm = root->algorithm[0] ? root->algorithm : property->algorithm;

	if (root->is_early || strcmp(algorithm, ALGORITHM_EARLY) == 0)
		return LEGACY_EARLY_2016;
	return property->is_2017 && !root->algorithm[0] ? LEGACY_2017 : LEGACY_2016;
}

bool legacy_is_unfinished(const struct volume *volume, uint8_t op_id[CRYPT_UUID_SIZE])
{
	const struct superblock *const super = volume_unfinished_super(volume);
	struct crypt_state_tail state;
	struct error unread = { 0 };

	if (!super || !crypt_state_read(super->disk.tail, &state, &unread) || state.operation != CRYPT_OP_LEGACY)
		return false;
	if (op_id)
		memcpy(op_id, state.disk.op_id, sizeof(state.disk.op_id));
	return true;
}

static bool is_converting(const struct volume *volume, const struct root *root)
{
	uint8_t op_id[CRYPT_UUID_SIZE];

	return legacy_is_unfinished(volume, op_id) && legacy_root_has_id(root, op_id);
}

bool legacy_find(struct volume *volume, const struct subvolume *subvolume, struct legacy *legacy, struct error *err)
{
	const bool is_flagged = subvolume->root.flags & ROOT_ENCRYPT_2016;
	const struct reporter reporter = volume->reporter;
	struct legacy_property property = { 0 };
	struct legacy_root root;
	bool found, ok;

	*legacy = (struct legacy){ .layout = LEGACY_NONE };
	volume->reporter = (struct reporter){ NULL, NULL };
	ok = find_property(volume, subvolume, is_flagged, &property, &found, err);
	volume->reporter = reporter;
	if (!ok)
		return false;
	if (!found)
		property = (struct legacy_property){ 0 };
	if (!is_flagged) {
		legacy->layout = property.is_2017 ? LEGACY_2017 : LEGACY_NONE;
		return true;
	}
	legacy_root_of(&subvolume->root, &root);
	legacy->layout = layout_of(&root, &property);
	strcpy(legacy->algorithm, root.algorithm[0] ? root.algorithm : property.algorithm);
	strcpy(legacy->other, strcmp(legacy->algorithm, property.algorithm) == 0 ? "" : property.algorithm);
	strcpy(legacy->tag, property.tag[0] ? property.tag : root.tag);
	legacy->mode = legacy_mode_of(legacy->algorithm);
	legacy->key_len = root.key_len;
	legacy->key_hash = root.key_hash;
	legacy->is_converting = is_converting(volume, &subvolume->root);
	return true;
}

const char *legacy_text(const struct legacy *legacy, char text[LEGACY_TEXT_SIZE])
{
	snprintf(text, LEGACY_TEXT_SIZE, "%s@%s", legacy->algorithm[0] ? legacy->algorithm : "-", legacy->tag[0] ? legacy->tag : "-");
	return text;
}

const char *legacy_layout_name(enum legacy_layout layout)
{
	static const char *const names[] = { "none", [LEGACY_EARLY_2016] = "early-2016", [LEGACY_2017] = "2017", [LEGACY_2016] = "2016" };

	return names[layout];
}

bool legacy_check_readable(const struct legacy *legacy, uint64_t subvolume, struct error *err)
{
	if (legacy->layout != LEGACY_2016)
		return error_set(err, ERROR_REFUSED, "subvolume %" PRIu64 " is encrypted in the layout of %s, which is not supported", subvolume,
				 legacy->layout == LEGACY_2017 ? "2017" : "early 2016");
	if (legacy->mode == LEGACY_MODE_UNKNOWN)
		return error_set(err, ERROR_REFUSED, "subvolume %" PRIu64 " is encrypted with \"%s\"; only ctr(aes), cbc(aes) and cts(cbc(aes)) of the "
				 "format of 2016 are supported", subvolume, legacy->algorithm);
	if (legacy->is_converting)
		return error_set(err, ERROR_UNFINISHED, "subvolume %" PRIu64 " is being decrypted", subvolume) ||
		       error_hint(err, "`convert --status` says how to finish or undo it");
	return legacy->key_len == 0 || legacy->key_len == LEGACY_KEY_SIZE ||
	       error_set(err, ERROR_REFUSED, "subvolume %" PRIu64 " is encrypted with a key of %" PRIu32 " bytes; only %u are supported", subvolume,
			 legacy->key_len, LEGACY_KEY_SIZE);
}
