/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt show: everything about one subvolume. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uuid/uuid.h>

#include "cmd/command.h"
#include "cmd/image-options.h"
#include "cmd/key-options.h"
#include "cmd/key-shown.h"
#include "cmd/mounted.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/show-quota.h"
#include "cmd/source.h"
#include "cmd/subvolume-row.h"
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
	bool tagged;
	struct unfinished unfinished;
	struct seals seals;
	struct subvolume_cipher cipher;
	bool is_converting;
	struct show_quota quota;
};

static void put_snapshots(const struct row *row, const struct facts *facts)
{
	const struct row snapshots = row_array(row, "snapshots");
	const uint8_t *uuid = facts->subvolume->root.uuid;

	row_words(row, "\n\tSnapshot(s):");
	for (size_t i = 0; !uuid_is_null(uuid) && i < facts->list->n; i++) {
		const struct subvolume *at = &facts->list->at[i];

		if (at->root.is_short || at->deleted || uuid_compare(at->root.parent_uuid, uuid) != 0)
			continue;

		const struct row one = row_element(&snapshots);

		row_u64(&one, "id", NULL, at->id);
		row_subvolume(&one, NULL, at);
		row_name(&one, NULL, "\n\t\t\t\t", at->path, at->path_len);
	}
}

static void print_facts(const struct facts *facts)
{
	const struct subvolume *at = facts->subvolume;
	const struct root *root = &at->root;
	const struct row row = row_begin(NULL);

	if (row.json)
		subvolume_put(&row, at, &facts->cipher, facts->list->default_id == at->id);
	row_text(&row, NULL, "", at->id == FS_TREE_ID ? "/" : facts->path);
	row_text(&row, NULL, "\n\tName: \t\t\t", facts->name);
	subvolume_put_lines(&row, SUBVOLUME_UUID, SUBVOLUME_CREATED, at);
	subvolume_put_lines(&row, SUBVOLUME_ID, SUBVOLUME_TOP_LEVEL, at);
	row_flag(&row, NULL, "\n\tState: \t\t\tdeleted, not cleaned up yet", at->deleted);
	row_text(&row, NULL, "\n\tFlags: \t\t\t", root->flags & ROOT_RDONLY ? "readonly" : "-");
	if (facts->cipher.legacy.legacy.layout != LEGACY_NONE && !row.json) {
		legacy_shown_put(&row, "\n\tEncryption: \t\t", &facts->cipher.legacy);
	} else if (facts->tagged && !row.json) {
		row_text(&row, NULL, "\n\tEncryption: \t\t", facts->tag);
		key_shown_put(&row, facts->cipher.key);
		row_words(&row, " (not authenticated)");
	}
	if (facts->is_converting)
		unfinished_put(&facts->unfinished, "\n\tConversion: \t\tunfinished: ", &row);
	subvolume_put_lines(&row, SUBVOLUME_SENT_IN, SUBVOLUME_RECEIVED, at);
	put_snapshots(&row, facts);
	show_quota_print(&row, &facts->quota);
	row_end(&row);
}

/* What people must know before they continue to use a sealed subvolume. */
static void print_cautions(const struct facts *facts)
{
	legacy_shown_warn(&facts->cipher.legacy);
	if (!facts->tagged || facts->cipher.legacy.legacy.layout != LEGACY_NONE)
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
	facts.tagged = subvolume_encryption(at, seal_of(&facts.seals, at), facts.tag);
	if (!facts.path || !facts.name)
		error_memory(err);

	const bool is_read = facts.path && facts.name && subvolume_cipher_read(&facts.seals, at, false, &facts.cipher, err);

	if (is_read) {
		print_facts(&facts);
		print_cautions(&facts);
	}
	const bool ok = is_read && subvolume_seal_warn(at, facts.cipher.seal, err);
	const struct lost_place *lost = NULL;

	while ((lost = lost_places_in(&facts.seals.places.lost, at->id, lost)))
		print_lost(lost);
	if (ok && !operand[1])
		seals_note_empty(&facts.seals, operand[0]);

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
