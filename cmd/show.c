/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt show: everything about one subvolume. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uuid/uuid.h>

#include "cmd/command.h"
#include "cmd/image-options.h"
#include "cmd/json.h"
#include "cmd/key-options.h"
#include "cmd/key-shown.h"
#include "cmd/mounted.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/show-quota.h"
#include "cmd/source.h"
#include "cmd/subvolume-json.h"
#include "cmd/unfinished.h"
#include "cmd/value-text.h"
#include "common/fs/subvolume-label.h"
#include "common/util/escape.h"

static const struct poptOption options[] = {
	INCLUDE(options_no_keyring), INCLUDE(options_image), INCLUDE(options_time), INCLUDE(options_format),
	POPT_TABLEEND
};

/* The texts that both formats share. */
struct facts {
	const struct subvolume_list *list;
	const struct subvolume *subvolume;
	char *path, *name;	/* escaped */
	char tag[ROOT_TAG_TEXT_SIZE];
	bool tagged, is_2016;
	struct unfinished unfinished;
	struct seals seals;
	const struct seal *seal;
	const struct keyring_found *key;	/* seal_key_of() */
	bool is_converting;
	struct show_quota quota;
};

static const char *uuid_text(const uint8_t *uuid, char text[UUID_STR_LEN])
{
	uuid_unparse_lower(uuid, text);
	return uuid_is_null(uuid) ? "-" : text;
}

static const char *time_text(const struct inode_time *at, char text[96])
{
	char date[DATE_TEXT_SIZE], zone[ZONE_TEXT_SIZE];

	if (at->sec == 0 || !date_text(at->sec, date))
		return "-";
	snprintf(text, 96, "%s %s", date, zone_text(at->sec, zone));
	return text;
}

static bool is_snapshot_of(const struct subvolume *at, const struct subvolume *source)
{
	return !uuid_is_null(source->root.uuid) && !at->root.is_short && !at->deleted &&
	       uuid_compare(at->root.parent_uuid, source->root.uuid) == 0;
}

static void print_text(const struct facts *facts)
{
	const struct subvolume *at = facts->subvolume;
	const struct root *root = &at->root;
	char text[96];

	printf("%s\n", at->id == FS_TREE_ID ? "/" : facts->path);
	printf("\tName: \t\t\t%s\n", facts->name);
	printf("\tUUID: \t\t\t%s\n", uuid_text(root->uuid, text));
	printf("\tParent UUID: \t\t%s\n", uuid_text(root->parent_uuid, text));
	printf("\tReceived UUID: \t\t%s\n", uuid_text(root->received_uuid, text));
	printf("\tCreation time: \t\t%s\n", time_text(&root->otime, text));
	printf("\tSubvolume ID: \t\t%" PRIu64 "\n", at->id);
	printf("\tGeneration: \t\t%" PRIu64 "\n", root->generation);
	printf("\tGen at creation: \t%" PRIu64 "\n", root->otransid);
	printf("\tParent ID: \t\t%" PRIu64 "\n", at->parent_id);
	printf("\tTop level ID: \t\t%" PRIu64 "\n", at->parent_id);
	if (at->deleted)
		printf("\tState: \t\t\tdeleted, not cleaned up yet\n");
	printf("\tFlags: \t\t\t%s\n", root->flags & ROOT_RDONLY ? "readonly" : "-");
	if (facts->tagged) {
		printf("\tEncryption: \t\t%s", facts->tag);
		key_shown_put(&(const struct row){ .json = NULL }, facts->key);
		printf("%s\n", facts->is_2016 ? " (format of 2016)" : " (not authenticated)");
	}
	if (facts->is_converting)
		printf("\tConversion: \t\tunfinished: %s, %u%% done\n", facts->unfinished.words.doing, facts->unfinished.status.percent);
	printf("\tSend transid: \t\t%" PRIu64 "\n", root->stransid);
	printf("\tSend time: \t\t%s\n", time_text(&root->stime, text));
	printf("\tReceive transid: \t%" PRIu64 "\n", root->rtransid);
	printf("\tReceive time: \t\t%s\n", time_text(&root->rtime, text));
	printf("\tSnapshot(s):\n");
	for (size_t i = 0; i < facts->list->n; i++) {
		const struct subvolume *snapshot = &facts->list->at[i];

		if (is_snapshot_of(snapshot, at)) {
			char *path = escape_new(snapshot->path, snapshot->path_len);

			printf("\t\t\t\t%s\n", path ? path : "?");
			free(path);
		}
	}
	show_quota_print(&(struct row){ .json = NULL }, &facts->quota);
}

static void print_json(const struct facts *facts)
{
	const struct subvolume *at = facts->subvolume;
	struct json_object *line = json_line(), *snapshots = json_array();

	json_subvolume(line, at, facts->seal, facts->key, facts->list->default_id == at->id);
	if (facts->is_converting)
		unfinished_json(&facts->unfinished, line);
	for (size_t i = 0; i < facts->list->n; i++) {
		const struct subvolume *snapshot = &facts->list->at[i];

		if (is_snapshot_of(snapshot, at)) {
			struct json_object *member = json_line();

			json_u64(member, "id", snapshot->id);
			json_subvolume_path(member, snapshot);
			json_append(snapshots, member);
		}
	}
	json_member(line, "snapshots", snapshots);
	show_quota_print(&(struct row){ .json = line }, &facts->quota);
	json_print(line, stdout);
}

/* What people must know before they continue to use a sealed subvolume. */
static void print_cautions(const struct facts *facts)
{
	if (!facts->tagged || facts->is_2016)
		return;
	print_warning(NULL, "btrfs send of this subvolume streams ciphertext as ordinary files");
	if (facts->subvolume->id == FS_TREE_ID)
		print_warning(NULL, "the top level is sealed but stays writable: once anything is created or removed in it, "
			      "reading and unsealing need --accept-changes");
}

/* SUBVOL; else the subvolume of a mounted directory, or the top level of an image. */
static bool choose(const char *const *operand, const struct subvolume_list *list, bool is_mounted, const struct subvolume **found, struct error *err)
{
	uint64_t id = FS_TREE_ID;

	if (operand[1])
		return subvolume_operand(list, operand[1], found, err);
	if (is_mounted && !mounted_subvolume(operand[0], &id, err))
		return false;
	*found = subvolume_by_id(list, id);
	return *found || error_set(err, ERROR_NOT_FOUND, "subvolume id %" PRIu64 " not found", id);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = NULL;
	struct facts facts = { .list = &list };

	if (!subvolumes_open(operand[0], &volume, &list, err) ||
	    !choose(operand, &list, !volume, &facts.subvolume, err) ||
	    !show_quota_read(operand[0], volume, facts.subvolume->id, &facts.quota, err) ||
	    !unfinished_read(volume, &facts.unfinished, err) || !seals_read(&list, &facts.seals, err) ||
	    (!key_options_no_keyring() && !seals_find_keys(&facts.seals, err)))
		return false;

	const struct subvolume *at = facts.subvolume;
	char own[SUBVOLUME_LABEL_SIZE];
	size_t len;
	const uint8_t *path = subvolume_label(at, at->id, own, &len);
	const uint8_t *slash = memrchr(path, '/', len);
	const uint8_t *name = slash ? slash + 1 : path;

	facts.path = escape_new(path, len);
	facts.name = at->id == FS_TREE_ID ? strdup("<FS_TREE>") : escape_new(name, (size_t)(path + len - name));
	facts.is_converting = unfinished_has(&facts.unfinished, &list, at);
	facts.seal = seal_of(&facts.seals, at);
	facts.key = seal_key_of(&facts.seals, facts.seal);
	facts.tagged = subvolume_encryption(at, facts.seal, facts.tag);
	facts.is_2016 = facts.seal->claim == DOMAIN_NONE && at->root.flags & ROOT_ENCRYPT_2016;
	if (facts.path && facts.name) {
		(format_is_json() ? print_json : print_text)(&facts);
		print_cautions(&facts);
	} else {
		error_memory(err);
	}
	const bool ok = facts.path && facts.name && subvolume_seal_warn(at, facts.seal, err);
	const struct lost_place *lost = NULL;

	while ((lost = lost_places_in(&facts.seals.places.lost, at->id, lost)))
		print_lost(lost);

	seals_free(&facts.seals);
	unfinished_free(&facts.unfinished);
	free(facts.path);
	free(facts.name);
	return ok;
}

const struct command cmd_show = {
	.name = "show",
	.operands = "IMAGE [SUBVOL]",
	.summary = "show everything about one subvolume",
	.options = options,
	.run = run,
};
