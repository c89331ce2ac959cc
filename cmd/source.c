/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plain or decrypted: chosen in one place for every command that reads files. */
#include "cmd/source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/header-option.h"
#include "cmd/key-options.h"
#include "cmd/key/domain-key.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "common/crypto/secret.h"
#include "common/fs/subvolume-label.h"
#include "common/fs/symlink.h"
#include "common/fs/walk.h"
#include "common/util/escape.h"
#include "common/volume/tolerance.h"

static struct {
	int accept_changes, accept_unsealed;
} opt;

static struct poptOption options_accept[] = {
	{ "accept-changes", 0, POPT_ARG_NONE, &opt.accept_changes, 0,
	  "also read what has changed since it was sealed, and name it", NULL },
	{ "accept-unsealed", 0, POPT_ARG_NONE, &opt.accept_unsealed, 0, "also read data that was written after sealing, and name "
		"it; without a key, data that is marked as written after sealing", NULL },
	POPT_TABLEEND
};

struct poptOption options_source[] = { INCLUDE(options_accept), INCLUDE(options_key), INCLUDE(options_kdf), INCLUDE(options_header), POPT_TABLEEND };
struct poptOption options_source_long[] = { INCLUDE(options_accept), INCLUDE(options_key_long), INCLUDE(options_kdf), INCLUDE(options_header), POPT_TABLEEND };

bool source_accepts_unsealed(void)
{
	return opt.accept_unsealed;
}

bool source_accepts_changes(void)
{
	return opt.accept_changes;
}

bool source_open_reader(struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume, struct domain_reader **reader,
			struct extent_source **extents, struct error *err)
{
	const struct domain_reader_options options = {
		.accept_changes = opt.accept_changes,
		.accept_unsealed = opt.accept_unsealed,
		.note = print_note,
	};

	return domain_reader_open(domain, list, subvolume, &options, reader, extents, err);
}

/* Without a key it stays closed. */
static bool open_sealed(const struct subvolume_list *list, const struct subvolume *subvolume, struct source *source,
			struct error *err)
{
	char what[DOMAIN_KEY_WHAT_SIZE];
	const struct domain_key_ask ask = {
		.need = DOMAIN_KEY_IF_GIVEN, .image = list->volume->device->name, .what = domain_key_what(subvolume, what),
	};
	bool opened;

	if (!domain_key_open(source->domain, &ask, &opened, NULL, err))
		return false;
	if (!opened)
		return true;
	if (domain_is_being_converted(source->domain))
		return !key_options_given() || error_set(err, ERROR_UNFINISHED, "names cannot be proven while a conversion is unfinished; leave out "
							"the key, or finish the conversion first");
	return source_open_reader(source->domain, list, subvolume, &source->reader, &source->extents, err);
}

/* Some crypt items cannot be read. Whatever they may concern stays closed. */
static bool survive_without_key(struct error *err)
{
	if (key_options_given() || error_is_machine(err))
		return false;
	print_warning(NULL, err->text);
	*err = (struct error){ 0 };
	return true;
}

bool source_refuse_key(const struct subvolume_list *list, uint64_t subvolume, struct error *err)
{
	char name[160];

	error_set(err, ERROR_REFUSED, "a key was given, but subvolume %s is not sealed", subvolume_name(list, subvolume, name));
	return error_hint(err, "leave out the key: the subvolume is read without one");
}

/* What is not sealed is plain, or in the format of 2016, or in a layout of which only names can be listed. */
static bool open_unsealed(const struct subvolume_list *list, const struct subvolume *subvolume, struct source *source, struct error *err)
{
	struct legacy legacy;
	const struct legacy_named named = { list->volume, subvolume, &legacy };
	static const struct legacy_ask ask = { .is_needed = false };
	cleanup_secret struct secret *key = NULL;
	struct error refused = { 0 };

	if (!legacy_find(list->volume, subvolume, &legacy, err))
		return false;
	if (legacy.layout == LEGACY_NONE) {
		source->extents = &plain_source;
		return !key_options_given() || source_refuse_key(list, subvolume->id, err);
	}
	if (!legacy_check_readable(&legacy, subvolume->id, &refused)) {
		*err = key_options_given() ? refused : *err;
		return !key_options_given();
	}
	return legacy_key_get(&named, &ask, &key, err) && legacy_source_open(&named, key, &source->legacy, &source->extents, err);
}

static bool choose(const struct subvolume_list *list, const struct subvolume *subvolume, struct source *source, struct error *err)
{
	source->is_sealed = true;
	if (!domain_find(list->volume, list, subvolume, &source->domain, err))
		return survive_without_key(err);
	source->is_sealed = source->domain;
	return source->domain ? open_sealed(list, subvolume, source, err) : open_unsealed(list, subvolume, source, err);
}

void source_note_closed(const struct subvolume *subvolume)
{
	char own[SUBVOLUME_LABEL_SIZE], path[256];
	size_t len;
	const uint8_t *const label = subvolume_label(subvolume, subvolume->id, own, &len);

	escape_text(len ? label : (const uint8_t *)"/", len ? len : 1, path, sizeof(path));
	/* The label of one without a path begins with the word. */
	printf_note("%s%s is sealed, and was not opened: names, sizes, times and modes in it are not authenticated",
		    label == (const uint8_t *)own ? "" : "subvolume ", path);
}

bool source_note_sealed(const struct subvolume_list *list, const struct subvolume *subvolume, bool *closed, struct error *err)
{
	cleanup_source struct source source = { 0 };

	if (!choose(list, subvolume, &source, err))
		return false;
	*closed = source_is_closed(&source);
	if (*closed)
		source_note_closed(subvolume);
	return true;
}

static bool warn_place(void *context, const struct place_finding *finding, const char *text, struct error *err)
{
	(void)context;
	(void)finding;
	(void)err;
	print_warning(NULL, text);
	return true;
}

void print_lost(const struct lost_place *lost)
{
	printf_warning("%.300s: %s", lost->path, lost->text);
}

bool print_empty_wrong(const struct lost_places *places, const struct walk_entry *entry, const char *top)
{
	const char *const wrong = lost_places_of(places, entry->stub_of) ? NULL : lost_places_empty_wrong(places, entry->holder, entry->stub_of);
	const struct report report = { .kind = REPORT_DAMAGED, .path = entry->path, .path_len = entry->path_len, .text = wrong };

	if (wrong)
		print_damage(&report, top);
	return wrong;
}

bool source_warn_place(const struct member_places *places, const struct subvolume *subvolume, struct error *err)
{
	const struct lost_place *lost = NULL;

	if (!subvolume)
		return true;
	while ((lost = lost_places_in(&places->lost, subvolume->id, lost)))
		print_lost(lost);
	return member_places_tell(places, subvolume, warn_place, NULL, err);
}

void source_close(struct source *source)
{
	domain_reader_close(source->reader);
	legacy_reader_close(source->legacy);
	domain_free(source->domain);
	*source = (struct source){ 0 };
}

bool link_target_read(struct extent_source *extents, const struct tree *tree, uint64_t inode, uint8_t **bytes, size_t *len,
		      struct error *err)
{
	struct file_reader *reader = NULL;
	char *target = malloc(SYMLINK_TARGET_MAX + 1);
	struct inode item = { 0 };
	bool ok;

	/* btrfs-image removes the contents of files from the trees. */
	if (tree->volume->super.flags & SUPER_FLAG_METADUMP_V2) {
		free(target);
		return true;
	}
	ok = (target || error_memory(err)) && inode_get(tree, inode, &item, err) && file_reader_new(&reader, err) &&
	     symlink_read(reader, extents, tree, inode, item.size, target, err);
	file_reader_free(reader);
	if (!ok) {
		wiped_free(target, SYMLINK_TARGET_MAX + 1);
		return false;
	}
	*bytes = (uint8_t *)target;
	*len = item.size;
	return true;
}

bool link_source_choose(const struct subvolume_list *list, uint64_t id, struct source *source, struct error *err)
{
	const struct subvolume *subvolume = subvolume_by_id(list, id);

	if (!subvolume)
		return error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 " has no root item", id);
	if (volume_is_unfinished(list->volume) && !key_options_given())
		return true;
	return choose(list, subvolume, source, err);
}
