/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt list: the subvolumes of an image, one per line. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uuid/uuid.h>

#include "cmd/cmd.h"
#include "cmd/json.h"
#include "common/fs/subvolume.h"
#include "common/util/escape.h"

static struct {
	int uuid;
} opt;

static const struct poptOption options[] = {
	{ "uuid", 'u', POPT_ARG_NONE, &opt.uuid, 0, "print the uuid of each subvolume", NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_image, 0, NULL, NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_format, 0, NULL, NULL },
	POPT_TABLEEND
};

static void print_text(const struct subvolume *subvolume, bool is_default)
{
	const struct root *root = &subvolume->root;
	char *path = escape_new(subvolume->path, subvolume->path_len);
	char uuid[UUID_STR_LEN], tag[ROOT_TAG_TEXT_SIZE];

	printf("ID %" PRIu64 " gen %" PRIu64 " top level %" PRIu64 " ", subvolume->id, root->generation, subvolume->parent_id);
	if (opt.uuid) {
		uuid_unparse_lower(root->uuid, uuid);
		printf("uuid %s ", uuid_is_null(root->uuid) ? "-" : uuid);
	}
	printf("path %s", subvolume->deleted ? "DELETED" : subvolume->id == FS_TREE_ID ? "/" : path ? path : "?");
	/* Tabs, for no escaped path has one. */
	if (root->flags & ROOT_RDONLY)
		printf("\treadonly");
	if (is_default && subvolume->id != FS_TREE_ID)
		printf("\tdefault");
	if (root_tag_text(root, tag))
		printf("\tEncryption: %s", tag);
	putchar('\n');
	free(path);
}

static void json_uuid(struct json_object *line, const char *name, const uint8_t *bytes)
{
	char text[UUID_STR_LEN];

	if (uuid_is_null(bytes))
		return;
	uuid_unparse_lower(bytes, text);
	json_text(line, name, text);
}

static void print_json(const struct subvolume *subvolume, bool is_default)
{
	const struct root *root = &subvolume->root;
	struct json_object *line = json_line();
	char tag[ROOT_TAG_TEXT_SIZE];

	json_u64(line, "id", subvolume->id);
	json_u64(line, "generation", root->generation);
	json_u64(line, "parent_id", subvolume->parent_id);
	json_subvolume_path(line, subvolume);
	json_uuid(line, "uuid", root->uuid);
	json_uuid(line, "parent_uuid", root->parent_uuid);
	json_uuid(line, "received_uuid", root->received_uuid);
	json_flag(line, "readonly", root->flags & ROOT_RDONLY);
	json_flag(line, "default", is_default);
	json_flag(line, "deleted", subvolume->deleted);
	if (root_tag_text(root, tag))
		json_text(line, "encryption", tag);
	json_print(line, stdout);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = NULL;
	char tag[ROOT_TAG_TEXT_SIZE];

	if (!image_open(operand[0], false, true, &volume, err) || !subvolume_list_read(volume, &list, err))
		return false;
	for (size_t i = 0; i < list.n; i++) {
		const struct subvolume *at = &list.at[i];

		/* The top level is in no other subvolume; it is listed where it is sealed. */
		if (at->id == FS_TREE_ID && !root_tag_text(&at->root, tag))
			continue;
		(format_is_json() ? print_json : print_text)(at, at->id == list.default_id);
	}
	return true;
}

const struct command cmd_list = {
	.name = "list",
	.operands = "IMAGE",
	.summary = "list the subvolumes of an image",
	.options = options,
	.run = run,
};
