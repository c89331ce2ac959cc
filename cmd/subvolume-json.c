/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A subvolume in JSON. */
#include "cmd/subvolume-json.h"

#include <uuid/uuid.h>

#include "cmd/inode-text.h"

/* Absent where there is none. */
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

void json_subvolume(struct json_object *line, const struct subvolume *subvolume, bool is_default)
{
	const struct root *root = &subvolume->root;
	char tag[ROOT_TAG_TEXT_SIZE], progress[KEY_TEXT_SIZE];
	const bool is_encrypted = root_tag_text(root, tag);

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
	if (is_encrypted) {
		json_text(line, "encryption", tag);
		json_flag(line, "authenticated", false);
		json_text(line, "encryption_format", root->flags & ROOT_ENCRYPT_2016 ? "2016" : "sealed");
	}
}
