/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A subvolume as a row. */
#include "cmd/subvolume-row.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "cmd/image.h"
#include "cmd/key-shown.h"
#include "cmd/print.h"
#include "cmd/value-text.h"

#define OF(member) offsetof(struct subvolume, member)
static const struct field {
	const char *member, *column, *line;
	enum { FIELD_NUMBER, FIELD_UUID, FIELD_TIME } kind;
	size_t at;
} fields[] = {
	[SUBVOLUME_ID] = { "id", "ID", "\n\tSubvolume ID: \t\t", FIELD_NUMBER, OF(id) },
	[SUBVOLUME_GENERATION] = { "generation", "gen", "\n\tGeneration: \t\t", FIELD_NUMBER, OF(root.generation) },
	[SUBVOLUME_CREATED_IN] = { "generation_at_creation", "cgen", "\n\tGen at creation: \t", FIELD_NUMBER, OF(root.otransid) },
	[SUBVOLUME_PARENT] = { "parent_id", "parent", "\n\tParent ID: \t\t", FIELD_NUMBER, OF(parent_id) },
	[SUBVOLUME_TOP_LEVEL] = { NULL, "top level", "\n\tTop level ID: \t\t", FIELD_NUMBER, OF(parent_id) },
	[SUBVOLUME_UUID] = { "uuid", "uuid", "\n\tUUID: \t\t\t", FIELD_UUID, OF(root.uuid) },
	[SUBVOLUME_PARENT_UUID] = { "parent_uuid", "parent_uuid", "\n\tParent UUID: \t\t", FIELD_UUID, OF(root.parent_uuid) },
	[SUBVOLUME_RECEIVED_UUID] = { "received_uuid", "received_uuid", "\n\tReceived UUID: \t\t", FIELD_UUID, OF(root.received_uuid) },
	[SUBVOLUME_CREATED] = { "created", "otime", "\n\tCreation time: \t\t", FIELD_TIME, OF(root.otime) },
	[SUBVOLUME_SENT_IN] = { "send_transid", NULL, "\n\tSend transid: \t\t", FIELD_NUMBER, OF(root.stransid) },
	[SUBVOLUME_SENT] = { NULL, NULL, "\n\tSend time: \t\t", FIELD_TIME, OF(root.stime) },
	[SUBVOLUME_RECEIVED_IN] = { "receive_transid", NULL, "\n\tReceive transid: \t", FIELD_NUMBER, OF(root.rtransid) },
	[SUBVOLUME_RECEIVED] = { NULL, NULL, "\n\tReceive time: \t\t", FIELD_TIME, OF(root.rtime) },
};

/* In text, "-" if there is none. */
static const char *value_text(const struct field *field, const struct subvolume *subvolume, bool in_list, char text[SUBVOLUME_VALUE_SIZE])
{
	static_assert(SUBVOLUME_VALUE_SIZE > DATE_TEXT_SIZE + ZONE_TEXT_SIZE, "a date and its zone are a value");
	const void *value = (const uint8_t *)subvolume + field->at;
	const struct inode_time *time = value;
	char date[DATE_TEXT_SIZE], zone[ZONE_TEXT_SIZE];

	strcpy(text, "-");
	switch (field->kind) {
	case FIELD_NUMBER:
		snprintf(text, SUBVOLUME_VALUE_SIZE, "%" PRIu64, *(const uint64_t *)value);
		break;
	case FIELD_UUID:
		if (!uuid_is_null(value))
			uuid_unparse_lower(value, text);
		break;
	case FIELD_TIME:
		if (time->sec != 0 && in_list && local_date_text(time->sec, date))
			strcpy(text, date);
		else if (time->sec != 0 && !in_list && date_text(time->sec, date))
			snprintf(text, SUBVOLUME_VALUE_SIZE, "%s %s", date, zone_text(time->sec, zone));
	}
	return text;
}

void subvolume_put_lines(const struct row *row, enum subvolume_field first, enum subvolume_field last, const struct subvolume *subvolume)
{
	char text[SUBVOLUME_VALUE_SIZE];

	for (size_t i = first; i <= last; i++)
		row_text(row, NULL, fields[i].line, value_text(&fields[i], subvolume, false, text));
}

const char *subvolume_column(enum subvolume_field field)
{
	return fields[field].column;
}

const char *subvolume_column_value(enum subvolume_field field, const struct subvolume *subvolume, char text[SUBVOLUME_VALUE_SIZE])
{
	value_text(&fields[field], subvolume, true, text);
	if (fields[field].kind == FIELD_UUID)
		sprintf(text + strlen(text), "%*s", (int)(UUID_STR_LEN - 1 - strlen(text)), "");
	return text;
}

/* In JSON. A uuid is absent if there is none. */
static void put_members(const struct row *row, enum subvolume_field first, enum subvolume_field last, const struct subvolume *subvolume)
{
	for (size_t i = first; i <= last; i++) {
		const struct field *field = &fields[i];
		const void *value = (const uint8_t *)subvolume + field->at;

		if (!field->member)
			continue;
		if (field->kind == FIELD_NUMBER)
			row_u64(row, field->member, NULL, *(const uint64_t *)value);
		else if (field->kind == FIELD_TIME)
			row_time(row, field->member, value);
		else if (!uuid_is_null(value))
			row_uuid(row, field->member, NULL, value);
	}
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

void seals_note_empty(const struct seals *seals, const char *image)
{
	char *const word = image_word(image);
	char uuid[UUID_STR_LEN];

	for (size_t i = 0; i < seals->n_keys; i++) {
		if (!seals->keys[i].is_empty || volume_is_unfinished(seals->list->volume))
			continue;
		uuid_unparse(seals->keys[i].header.domain_uuid, uuid);
		printf_note("no subvolume of sealing %s is left; `btrfs-crypt convert --purge --domain %s %s` removes what it still takes", uuid, uuid,
			    word ? word : "IMAGE");
	}
	free(word);
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

bool subvolume_cipher_read(const struct seals *seals, const struct subvolume *subvolume, bool flagged_only, struct subvolume_cipher *cipher,
			   struct error *err)
{
	*cipher = (struct subvolume_cipher){ .seal = seal_of(seals, subvolume) };
	cipher->key = seal_key_of(seals, cipher->seal);
	return cipher->seal->claim != DOMAIN_NONE || legacy_shown_read(seals->list, subvolume, flagged_only, &cipher->legacy, err);
}

void subvolume_put(const struct row *row, const struct subvolume *subvolume, const struct subvolume_cipher *cipher, bool is_default)
{
	const bool is_legacy = cipher->legacy.legacy.layout != LEGACY_NONE;
	const struct seal *const seal = cipher->seal;
	const struct root *root = &subvolume->root;
	char own[ROOT_TAG_TEXT_SIZE], tag[ROOT_TAG_TEXT_SIZE], progress[KEY_TEXT_SIZE];
	const bool is_encrypted = is_legacy || subvolume_encryption(subvolume, seal, tag);
	const struct key none = { 0 };

	put_members(row, SUBVOLUME_ID, SUBVOLUME_TOP_LEVEL, subvolume);
	row_subvolume(row, NULL, subvolume);
	put_members(row, SUBVOLUME_UUID, SUBVOLUME_RECEIVED, subvolume);
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
	if (is_encrypted)
		row_flag(row, "authenticated", NULL, false);
	if (is_legacy) {
		legacy_shown_put(row, "\tEncryption: ", &cipher->legacy);
	} else if (is_encrypted) {
		row_text(row, "encryption", "\tEncryption: ", tag);
		row_text(row, "encryption_format", NULL, "sealed");
		key_shown_put(row, cipher->key);
		row_words(row, " (not authenticated)");
	}
}
