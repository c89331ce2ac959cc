/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A subvolume as a row. */
#include "cmd/subvolume-row.h"

#include <uuid/uuid.h>

#include <stdlib.h>

#include "cmd/key-shown.h"
#include "cmd/print.h"
#include "cmd/value-text.h"

/* Absent if there is none. */
static void put_uuid(const struct row *row, const char *name, const uint8_t *bytes)
{
	if (!uuid_is_null(bytes))
		row_uuid(row, name, NULL, bytes);
}

bool subvolume_encryption(const struct subvolume *subvolume, const struct seal *seal, char text[ROOT_TAG_TEXT_SIZE])
{
	if (!seal->has_wrong_tag && root_tag_text(&subvolume->root, text))
		return true;
	if (!seal->has_wrong_tag && (seal->claim < DOMAIN_MEMBER || seal->tag[0]))
		return false;
	strcpy(text, seal->tag[0] ? seal->tag : "unknown");
	return true;
}

static bool warn(char *text, struct error *err)
{
	if (text)
		print_warning(NULL, text);
	free(text);
	return text || error_memory(err);
}

bool subvolume_seal_warn(const struct subvolume *subvolume, const struct seal *seal, struct error *err)
{
	bool ok = (!seal->replaced_text || warn(strdup(seal->replaced_text), err)) &&
		  (!seal->has_wrong_tag || warn(seal_tag_text(subvolume, seal->tag), err));

	for (size_t i = 0; ok && i < PLACE_DOUBTS; i++)
		ok = !seal->doubt_text[i] || warn(strdup(seal->doubt_text[i]), err);
	return ok;
}

void json_place(struct json_object *line, const char *kind, const struct place_finding *finding)
{
	static const char *const names[] = {
		[PLACE_MOVED] = "moved", [PLACE_NUMBER] = "number-reused", [PLACE_TAKEN] = "in-place-of", [PLACE_CUT] = "path-cut",
	};

	json_text(line, kind, names[finding->doubt]);
	json_u64(line, "subvolume", finding->subvolume->id);
	json_name(line, "path", finding->subvolume->path, finding->subvolume->path_len);
	if (finding->doubt == PLACE_TAKEN)
		json_u64(line, "in_place_of", finding->place->id);
	else
		json_name(line, "sealed_as", finding->place->path, finding->place->path_len);
}

void subvolume_put(const struct row *row, const struct subvolume *subvolume, const struct seal *seal, const struct keyring_found *key,
		   bool is_default)
{
	const struct root *root = &subvolume->root;
	char own[ROOT_TAG_TEXT_SIZE], tag[ROOT_TAG_TEXT_SIZE], progress[KEY_TEXT_SIZE];
	const bool is_encrypted = subvolume_encryption(subvolume, seal, tag);
	const struct key none = { 0 };

	row_u64(row, "id", NULL, subvolume->id);
	row_u64(row, "generation", NULL, root->generation);
	row_u64(row, "generation_at_creation", NULL, root->otransid);
	row_u64(row, "parent_id", NULL, subvolume->parent_id);
	if (row->json)
		json_subvolume_path(row->json, subvolume);
	put_uuid(row, "uuid", root->uuid);
	put_uuid(row, "parent_uuid", root->parent_uuid);
	put_uuid(row, "received_uuid", root->received_uuid);
	if (row->json)
		json_time(row->json, "created", &root->otime);
	row_u64(row, "send_transid", NULL, root->stransid);
	row_u64(row, "receive_transid", NULL, root->rtransid);
	row_flag(row, "readonly", "\treadonly", root->flags & ROOT_RDONLY);
	row_flag(row, "default", subvolume->id == FS_TREE_ID ? NULL : "\tdefault", is_default);
	row_flag(row, "deleted", NULL, subvolume->deleted);
	if (subvolume->deleted && key_compare(&root->drop_progress, &none) != 0) {
		row_text(row, "drop_progress", NULL, key_text(&root->drop_progress, progress));
		row_words(row, "\tpartly cleaned up");
	}
	row_flag(row, "encrypted", NULL, is_encrypted);
	if (seal->has_wrong_tag)
		row_text(row, "root_item_tag", NULL, root_tag_text(root, own) ? own : "");
	if (seal->moved)
		row_name(row, "sealed_as", NULL, seal->moved, seal->moved_len);
	if (seal->in_place_of)
		row_u64(row, "in_place_of", NULL, seal->in_place_of);
	if (seal->doubt_text[PLACE_NUMBER])
		row_flag(row, "number_reused", NULL, true);
	if (is_encrypted) {
		row_text(row, "encryption", "\tEncryption: ", tag);
		row_flag(row, "authenticated", NULL, false);
		row_text(row, "encryption_format", NULL, seal->claim == DOMAIN_NONE && root->flags & ROOT_ENCRYPT_2016 ? "2016" : "sealed");
		key_shown_put(row, key);
		row_words(row, " (not authenticated)");
	}
}
