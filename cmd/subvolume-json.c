/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A subvolume in JSON. */
#include "cmd/subvolume-json.h"

#include <uuid/uuid.h>

#include <stdlib.h>

#include "cmd/key-shown.h"
#include "cmd/print.h"
#include "cmd/value-text.h"

/* Absent if there is none. */
static void json_uuid(struct json_object *line, const char *name, const uint8_t *bytes)
{
	char text[UUID_STR_LEN];

	if (uuid_is_null(bytes))
		return;
	uuid_unparse_lower(bytes, text);
	json_text(line, name, text);
}

bool subvolume_is_being_cleaned(const struct subvolume *subvolume)
{
	const struct key none = { 0 };

	return subvolume->deleted && key_compare(&subvolume->root.drop_progress, &none) != 0;
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

void json_subvolume(struct json_object *line, const struct subvolume *subvolume, const struct seal *seal, const struct keyring_found *key,
		    bool is_default)
{
	const struct root *root = &subvolume->root;
	char own[ROOT_TAG_TEXT_SIZE], tag[ROOT_TAG_TEXT_SIZE], progress[KEY_TEXT_SIZE];
	const bool is_encrypted = subvolume_encryption(subvolume, seal, tag);

	json_u64(line, "id", subvolume->id);
	json_u64(line, "generation", root->generation);
	json_u64(line, "generation_at_creation", root->otransid);
	json_u64(line, "parent_id", subvolume->parent_id);
	json_subvolume_path(line, subvolume);
	json_uuid(line, "uuid", root->uuid);
	json_uuid(line, "parent_uuid", root->parent_uuid);
	json_uuid(line, "received_uuid", root->received_uuid);
	json_time(line, "created", &root->otime);
	json_u64(line, "send_transid", root->stransid);
	json_u64(line, "receive_transid", root->rtransid);
	json_flag(line, "readonly", root->flags & ROOT_RDONLY);
	json_flag(line, "default", is_default);
	json_flag(line, "deleted", subvolume->deleted);
	if (subvolume_is_being_cleaned(subvolume))
		json_text(line, "drop_progress", key_text(&root->drop_progress, progress));
	json_flag(line, "encrypted", is_encrypted);
	if (seal->has_wrong_tag)
		json_text(line, "root_item_tag", root_tag_text(root, own) ? own : "");
	if (seal->moved)
		json_name(line, "sealed_as", seal->moved, seal->moved_len);
	if (seal->in_place_of)
		json_u64(line, "in_place_of", seal->in_place_of);
	if (seal->doubt_text[PLACE_NUMBER])
		json_flag(line, "number_reused", true);
	if (is_encrypted) {
		json_text(line, "encryption", tag);
		json_flag(line, "authenticated", false);
		json_text(line, "encryption_format", seal->claim == DOMAIN_NONE && root->flags & ROOT_ENCRYPT_2016 ? "2016" : "sealed");
		key_shown_put(&(const struct row){ .json = line }, key);
	}
}
