/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the readers of the domains that were opened. */
#include "cmd/export-proof.h"

#include <sys/stat.h>

#include "cmd/source-proof.h"
#include "cmd/source.h"
#include "common/fs/walk.h"

struct passing {
	struct export_sources *sources;
	uint64_t start, end;
	const char *path;
	uint64_t last;		/* the subvolume that was asked last */
	bool *differs;
};

static bool ask_passed(struct passing *passing, uint64_t subvolume, struct error *err)
{
	struct extent_source *source;
	bool differs = false;

	if (passing->last == subvolume)
		return true;
	passing->last = subvolume;
	if (!export_sources_get(passing->sources, subvolume, OPEN_IF_KEY_FITS, &source, err)) {
		/* That was said of the end, or is when its turn comes. */
		if (err->kind != ERROR_UNFINISHED || subvolume != passing->end)
			return false;
		*err = (struct error){ 0 };
		return true;
	}
	if (!reader_prove_path(export_sources_reader(passing->sources, subvolume), passing->start, passing->path, &differs, err))
		return false;
	*passing->differs |= differs;
	return true;
}

static bool pass_step(void *context, const struct path_step *step, struct error *err)
{
	return ask_passed(context, step->directory.subvolume, err);
}

bool export_sources_prove_path(struct export_sources *sources, uint64_t subvolume, const char *path, uint64_t end, bool *differs,
			       struct error *err)
{
	struct passing passing = { .sources = sources, .start = subvolume, .end = end, .path = path, .differs = differs };
	struct file_id found;

	*differs = false;
	return !key_options_given() || (path_follow(sources->list->volume, subvolume, path, pass_step, &passing, &found, err) &&
					ask_passed(&passing, end, err));
}

/* Asks the reader. What cannot be read because of damage is not proven. */
static bool take_proof(bool asked, bool holds, enum export_proof what, struct export_proven *proven, struct error *err)
{
	if (!asked && !error_is_damage(err))
		return false;
	if (!asked) {
		proven->unread = *err;
		*err = (struct error){ 0 };
	}
	if (!asked || !holds)
		proven->differs |= what;
	return true;
}

static bool prove_name(struct domain_reader *reader, const struct walk_entry *entry, struct export_proven *proven, struct error *err)
{
	const struct name_to_prove name = { entry->number, S_ISDIR(entry->inode.mode), entry->directory, entry->name, entry->name_len };
	bool named = false;
	const bool asked = domain_reader_proves_name(reader, entry->tree, name, &named, err);

	return take_proof(asked, named, EXPORT_NAME_DIFFERS, proven, err);
}

static bool prove_inode(struct domain_reader *reader, const struct walk_entry *entry, enum inode_entry_kind kind, enum export_proof what,
			struct export_proven *proven, struct error *err)
{
	bool holds = false;
	const bool asked = domain_reader_proves(reader, entry->tree, entry->number, kind, &holds, err);

	return take_proof(asked, holds, what, proven, err);
}

/* A step into another subvolume is proven by where the two were sealed. The name of an empty place is in the list of its directory. */
static bool prove_nested(struct export_sources *sources, const struct walk_entry *entry, struct export_proven *proven, struct error *err)
{
	struct domain_reader *reader = export_sources_reader(sources, entry->holder);
	const struct path_step step = {
		.directory = { entry->holder, entry->directory }, .found = { entry->tree->id, entry->number },
		.name = (const char *)entry->name, .len = entry->name_len,
	};
	bool holds = false, asked;

	if (!reader)
		return true;
	asked = entry->is_stub ? domain_reader_proves(reader, entry->tree, entry->directory, INODE_ENTRY_LISTING, &holds, err) :
				 domain_reader_proves_nested(reader, &step, &holds, err);
	return take_proof(asked, holds, EXPORT_NAME_DIFFERS, proven, err);
}

/* Is it the place of a sealed subvolume that should be there and is gone, or is it that subvolume? */
static void find_lost(const struct export_sources *sources, const struct walk_entry *entry, struct export_proven *proven)
{
	const struct lost_place *lost = entry->number == FIRST_FREE_ID ? lost_places_of(&sources->places.lost, entry->tree->id) : NULL;

	if (entry->is_stub)
		proven->lost = lost_places_empty_wrong(&sources->places.lost, entry->holder, entry->stub_of);
	else if (lost)
		proven->lost = lost->text;
}

static bool prove_directory(struct domain_reader *reader, const struct walk_entry *entry, struct export_proven *proven, struct error *err)
{
	return (!entry->directory || entry->is_subvolume || prove_name(reader, entry, proven, err)) &&
	       prove_inode(reader, entry, INODE_ENTRY_DIRECTORY, EXPORT_INODE_DIFFERS, proven, err) &&
	       prove_inode(reader, entry, INODE_ENTRY_LISTING, EXPORT_LISTING_DIFFERS, proven, err);
}

static bool prove_other(struct domain_reader *reader, const struct walk_entry *entry, struct export_proven *proven, struct error *err)
{
	return prove_inode(reader, entry, INODE_ENTRY_FILE, EXPORT_INODE_DIFFERS, proven, err) &&
	       (proven->differs & EXPORT_INODE_DIFFERS || !entry->directory || prove_name(reader, entry, proven, err));
}

bool export_sources_prove(struct export_sources *sources, const struct walk_entry *entry, struct export_proven *proven, struct error *err)
{
	struct domain_reader *reader;
	struct extent_source *extents;
	struct error why = { 0 };
	bool unread = false;

	find_lost(sources, entry, proven);
	if ((entry->is_stub || entry->is_subvolume) && entry->directory && !prove_nested(sources, entry, proven, err))
		return false;
	if (entry->is_stub)
		return true;
	if (!export_sources_get(sources, entry->tree->id, OPEN_IF_KEY_FITS, &extents, err))
		return false;
	if (sources->look && extents == sources->look_source && !convert_look_vouches(sources->look))
		proven->differs |= EXPORT_NOT_VOUCHED;
	reader = export_sources_reader(sources, entry->tree->id);
	if (!reader)
		return true;
	if (entry->number == FIRST_FREE_ID && !domain_reader_check_whole(reader, &why, &unread, err))
		return false;
	if (unread)
		proven->tree_unread = why;
	else if (why.kind != ERROR_NONE)
		proven->differs |= EXPORT_TREE_DIFFERS;
	return (S_ISDIR(entry->inode.mode) ? prove_directory : prove_other)(reader, entry, proven, err);
}
