/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/source-proof.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/print.h"
#include "common/util/escape.h"
#include "common/util/plural.h"

static uint64_t n_accepted;	/* each was named */

static bool differs_from_sealed(const struct error *why, struct error *err)
{
	static char told[600];
	char text[sizeof(told)];

	if (!source_accepts_changes()) {
		*err = *why;
		return error_hint(err, "it was changed, damaged, added or exchanged since; --accept-changes%s goes on anyway, and names it",
				  source_accepts_unsealed() ? "" : " (for new data with --accept-unsealed)");
	}
	snprintf(text, sizeof(text), "not authenticated: %s", why->text);
	/* The last step of a path and the file itself are one thing. */
	if (strcmp(text, told) == 0)
		return true;
	strcpy(told, text);
	print_warning(NULL, text);
	n_accepted++;
	return true;
}

bool source_accepted_nothing(struct error *err)
{
	return n_accepted == 0 || error_set(err, ERROR_CORRUPT, "%" PRIu64 " thing%s not authenticated, which was accepted", n_accepted,
					    plural_is(n_accepted));
}

bool source_prove(const struct source *source, const struct tree *tree, struct to_prove what, bool *differs, struct error *err)
{
	static const char *const texts[] = {
		[INODE_ENTRY_FILE] = "it is not the file that was sealed",
		[INODE_ENTRY_NAMES] = "it was not sealed under this name",
		[INODE_ENTRY_DIRECTORY] = "its mode, owner, times or attributes are not as they were when it was sealed",
		[INODE_ENTRY_LISTING] = "the names in it are not as they were when it was sealed",
	};
	struct error why = { 0 };
	char text[300];
	bool proven = true;

	if (source->reader && !domain_reader_proves(source->reader, tree, what.inode, what.kind, &proven, err))
		return false;
	*differs = !proven;
	if (proven)
		return true;
	escape_text(what.len ? what.name : "/", what.len ? what.len : 1, text, sizeof(text));
	error_set(&why, ERROR_CORRUPT, "%s: %s", text, texts[what.kind]);
	return differs_from_sealed(&why, err);
}

/* The name of an empty place is in the list of its directory and nowhere else. */
static bool proves_directory(struct domain_reader *reader, const struct walk_entry *entry, bool *proven, struct error *err)
{
	const struct path_step step = {
		.directory = { entry->holder, entry->directory }, .found = { entry->tree->id, entry->number },
		.name = (const char *)entry->name, .len = entry->name_len,
	};

	*proven = false;
	if (entry->is_stub)
		return true;
	if (entry->is_subvolume)
		return domain_reader_proves_nested(reader, &step, proven, err);
	return domain_reader_proves_name(reader, entry->tree, (struct name_to_prove){ entry->number, true, entry->directory, entry->name,
					 entry->name_len }, proven, err);
}

bool source_prove_directory(const struct source *source, const struct walk_entry *entry, bool *differs, struct error *err)
{
	struct error why = { 0 };
	char text[300];
	bool proven = true;

	if (source->reader && !proves_directory(source->reader, entry, &proven, err))
		return false;
	*differs = !proven;
	if (proven)
		return true;
	escape_text(entry->path, entry->path_len, text, sizeof(text));
	error_set(&why, ERROR_CORRUPT, "%s: it was not sealed under this name here", text);
	return differs_from_sealed(&why, err);
}

bool reader_prove_path(struct domain_reader *reader, uint64_t subvolume, const char *path, bool *differs, struct error *err)
{
	struct error why;

	*differs = false;
	if (!reader)
		return true;
	if (!domain_reader_proves_path(reader, subvolume, path, &why, err))
		return false;
	*differs = why.kind != ERROR_NONE;
	if (!*differs || source_accepts_changes())
		return true;
	return differs_from_sealed(&why, err);
}

bool source_prove_path(const struct source *source, uint64_t subvolume, const char *path, bool *differs, struct error *err)
{
	struct error why = { 0 };

	if (source->reader && !domain_reader_proves_path(source->reader, subvolume, path, &why, err))
		return false;
	*differs = why.kind != ERROR_NONE;
	return !*differs || differs_from_sealed(&why, err);
}
