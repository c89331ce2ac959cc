/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens the domains that an export meets; the key is read once and the slots are tried once for each. */
#include "cmd/export-sources.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/key-options.h"
#include "cmd/key/domain-key.h"
#include "cmd/source.h"
#include "common/fs/walk.h"
#include "common/sealed/domain-ending.h"
#include "common/sealed/inline-map.h"
#include "common/util/array.h"
#include "common/util/take.h"

/* That of what is being converted, if its header can be read. */
static bool key_from_keyring(struct volume *volume, struct key_source *key, struct error *err)
{
	static const struct domain_key_ask ask = { .need = DOMAIN_KEY_IF_GIVEN };
	cleanup_domain struct domain *domain = NULL;
	struct error ignored = { 0 };

	*key = (struct key_source){ .slot = KEY_SLOT_ANY };
	return !domain_read_unfinished(volume, &domain, &ignored) || domain_key_read(domain, &ask, key, err);
}

bool export_sources_init(struct export_sources *sources, const struct subvolume_list *list, const struct subvolume *subvolume, struct error *err)
{
	cleanup_key_source struct key_source from_keyring = { 0 };
	struct volume *volume = list->volume;
	char prompt[400], what[DOMAIN_KEY_WHAT_SIZE];

	/* While the format of 2016 is being decrypted, keys are for what is outside. */
	const bool looks = volume_is_unfinished(volume) && !legacy_is_unfinished(volume, NULL);

	*sources = (struct export_sources){ .list = list };
	if (!member_places_read(list, &sources->places, err))
		return false;
	snprintf(prompt, sizeof(prompt), "Passphrase for %s%s%.200s: ", subvolume ? domain_key_what(subvolume, what) : "", subvolume ? " of " : "",
		 volume->device->name);
	if (!key_options_read(KEY_IF_GIVEN | (looks ? 0 : KEY_ANY_SIZE), prompt, &sources->key, err) ||
	    (looks && key_source_is_empty(&sources->key) && !key_from_keyring(volume, &from_keyring, err)))
		return false;

	const struct key_source *const key = key_source_is_empty(&sources->key) ? &from_keyring : &sources->key;

	/* Another key may belong to something else. */
	return !looks || key_source_is_empty(key) ||
	       convert_look_open(volume, key, source_accepts_unsealed(), &sources->look, &sources->look_source, &sources->look_error) ||
	       sources->look_error.kind != ERROR_MEMORY || error_memory(err);
}

/* A subvolume that is being converted. */
static bool take_look(const struct export_sources *sources, struct export_source *source, struct error *err)
{
	source->extents = sources->look_source;
	if (sources->look)
		return true;
	if (sources->look_error.kind != ERROR_NONE) {
		*err = sources->look_error;
		return domain_key_hint_unfinished(sources->list->volume, &sources->key, err);
	}
	error_set(err, ERROR_UNFINISHED, "it is being converted");
	return error_hint(err, "with its key it can be read; `convert --status` says what finishes the conversion");
}

static struct export_domain *tried(const struct export_sources *sources, uint16_t number)
{
	for (size_t i = 0; i < sources->n_domains; i++) {
		if (sources->domain[i].number == number)
			return &sources->domain[i];
	}
	return NULL;
}

/* With the key that was given; otherwise with one in a keyring or, with MUST_OPEN, with one that is asked for. */
static bool open_domain(const struct export_sources *sources, const struct subvolume *subvolume, enum export_opening opening,
			struct domain *domain, bool *opened, struct error *err)
{
	char what[DOMAIN_KEY_WHAT_SIZE];
	const struct domain_key_ask ask = {
		.need = opening == MUST_OPEN ? DOMAIN_KEY_IF_PERSON : DOMAIN_KEY_IF_GIVEN,
		.image = sources->list->volume->device->name, .what = domain_key_what(subvolume, what),
	};

	if (sources->legacy_key || (sources->key.volume_key && secret_len(sources->key.volume_key) != KEY_SOURCE_VOLUME_KEY_SIZE))
		return *opened = false, error_set(err, ERROR_KEY, "the volume key file does not have exactly %u bytes", KEY_SOURCE_VOLUME_KEY_SIZE);
	if (key_source_is_empty(&sources->key))
		return domain_key_open(domain, &ask, opened, NULL, err);
	*opened = domain_open(domain, &sources->key, err);
	if (*opened)
		return true;
	domain_hint_ending(domain, &sources->key, err);
	key_hint_rejected(err);
	return false;
}

/* Tries the key once. Takes the domain (reads it if *domain is NULL) if the key opens it. */
static bool try_domain(struct export_sources *sources, const struct subvolume *subvolume, uint16_t number, enum export_opening opening,
		       struct domain **domain, struct export_domain **out, struct error *err)
{
	bool opened;

	*out = tried(sources, number);
	if (*out)
		return true;
	if (!*domain && !domain_read(sources->list->volume, number, domain, err))
		return false;
	if (!ARRAY_ROOM(sources->domain, sources->n_domains, sources->domain_room, err))
		return false;
	*out = &sources->domain[sources->n_domains++];
	**out = (struct export_domain){ .number = number };
	if (sources->is_key_gone) {
		error_set(&(*out)->error, ERROR_KEY, "the key was not tried on it");
	} else if (open_domain(sources, subvolume, opening, *domain, &opened, &(*out)->error) && opened) {
		(*out)->domain = TAKE(*domain);
	}
	return true;
}

/* The same, but where no key was given a sealed subvolume stays closed, whatever is wrong with its header: *out is NULL. */
static bool try_or_leave(struct export_sources *sources, const struct subvolume *subvolume, uint16_t number, enum export_opening opening,
			 struct domain **domain, struct export_domain **out, struct error *err)
{
	struct error why = { 0 };

	if (try_domain(sources, subvolume, number, opening, domain, out, &why))
		return true;
	*out = NULL;
	if (key_options_given() || error_is_machine(&why))
		*err = why;
	return err->kind == ERROR_NONE;
}

/* *found NULL: what is known about all is enough, and nothing was read. */
static bool find_number(const struct export_sources *sources, const struct subvolume *subvolume, bool *is_sealed, uint16_t *number,
			struct domain **found, struct error *err)
{
	const struct domain_found *const known = sources->found ? &sources->found[subvolume - sources->list->at] : NULL;

	/* That it is being converted is known for one by itself. */
	if (known && !known->must_ask && !volume_is_unfinished(sources->list->volume)) {
		*is_sealed = known->claim > DOMAIN_NONE;
		*number = known->number;
		return true;
	}
	if (!domain_find(sources->list->volume, sources->list, subvolume, found, err))
		return false;
	*is_sealed = *found != NULL;
	*number = *found ? (*found)->number : 0;
	return true;
}

/* The key that was given, once; otherwise one in a keyring, which is the caller's in *found. */
static bool find_legacy_key(struct export_sources *sources, const struct legacy_named *named, enum export_opening opening, struct secret **found,
			    const struct secret **key, struct error *err)
{
	static const struct legacy_ask ask = { .is_needed = false };

	if (!key_source_is_empty(&sources->key) && !sources->legacy_key) {
		struct error why = { 0 };

		if (!legacy_key_take(&sources->key, key_options_scrypt_2017(), &sources->legacy_key, &why) &&
		    (opening == MUST_OPEN || error_is_machine(&why)))
			return *err = why, false;
	} else if (!key_options_given() && !legacy_key_get(named, &ask, found, err)) {
		return false;
	}
	*key = sources->legacy_key ? sources->legacy_key : *found;
	return true;
}

/* Plain, or in the format of 2016. */
static bool open_unsealed(struct export_sources *sources, const struct subvolume *subvolume, enum export_opening opening,
			  struct export_source *source, struct error *err)
{
	struct legacy legacy;
	const struct legacy_named named = { sources->list->volume, subvolume, &legacy };
	cleanup_secret struct secret *found = NULL;
	const struct secret *key = NULL;
	struct error why = { 0 };

	if (!legacy_find(sources->list->volume, subvolume, &legacy, err))
		return false;
	if (legacy.layout == LEGACY_NONE) {
		source->extents = &plain_source;
		return true;
	}
	if (!legacy_check_readable(&legacy, subvolume->id, err) || !find_legacy_key(sources, &named, opening, &found, &key, err))
		return false;
	if (legacy_source_open(&named, key, &source->legacy, &source->extents, &why))
		return true;
	/* The key may be that of another one. */
	if (why.kind != ERROR_KEY || opening == MUST_OPEN)
		return *err = why, false;
	return legacy_source_open(&named, NULL, &source->legacy, &source->extents, err);
}

static bool open_source(struct export_sources *sources, const struct subvolume *subvolume, enum export_opening opening,
			struct export_source *source, struct error *err)
{
	cleanup_domain struct domain *found = NULL;
	struct export_domain *domain;
	bool is_sealed;
	uint16_t number;

	if (!find_number(sources, subvolume, &is_sealed, &number, &found, err) ||
	    (!is_sealed && !open_unsealed(sources, subvolume, opening, source, err)))
		return false;
	if (sources->place && !member_places_tell(&sources->places, subvolume, sources->place, sources->context, err))
		return false;
	if (!is_sealed)
		return true;
	if (found && domain_is_being_converted(found))
		return take_look(sources, source, err);
	if (!try_or_leave(sources, subvolume, number, opening, &found, &domain, err))
		return false;
	if (!domain || !domain->domain) {
		if (!domain || domain->error.kind == ERROR_NONE || (domain->error.kind == ERROR_KEY && opening != MUST_OPEN))
			return true;
		*err = domain->error;
		return false;
	}
	return source_open_reader(domain->domain, sources->list, subvolume, &source->reader, &source->extents, err);
}

bool export_sources_get(struct export_sources *sources, uint64_t id, enum export_opening opening, struct extent_source **extents, struct error *err)
{
	const struct subvolume *subvolume;
	struct export_source source = { .subvolume = id };
	char name[160];

	for (size_t i = 0; i < sources->n; i++) {
		if (sources->at[i].subvolume == id) {
			sources->is_key_used |= opening == MUST_OPEN && (sources->at[i].reader || legacy_reader_has_key(sources->at[i].legacy));
			*extents = sources->at[i].extents;
			return true;
		}
	}
	subvolume = subvolume_by_id(sources->list, id);
	if (!subvolume)
		return error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 " has no root item", id);
	if (!open_source(sources, subvolume, opening, &source, err))
		/* An error of the key is not about this one. */
		return err->kind == ERROR_KEY ? false : error_prefix(err, "subvolume %s", subvolume_name(sources->list, id, name));
	if (!ARRAY_ROOM(sources->at, sources->n, sources->room, err)) {
		domain_reader_close(source.reader);
		legacy_reader_close(source.legacy);
		return false;
	}
	sources->at[sources->n++] = source;
	sources->is_key_used |= opening == MUST_OPEN && (source.reader || legacy_reader_has_key(source.legacy));
	*extents = source.extents;
	return true;
}

static bool has_source(const struct export_sources *sources, uint64_t id)
{
	for (size_t i = 0; i < sources->n; i++) {
		if (sources->at[i].subvolume == id)
			return true;
	}
	return false;
}

enum below { BELOW_UNKNOWN, BELOW_ASKED, BELOW_NO, BELOW_YES };

/* Is the subvolume below one whose source is open? Visits each one on the way up once, so a circular chain ends, too. */
static enum below ask_below(const struct export_sources *sources, enum below *below, size_t *way, size_t i)
{
	const struct subvolume *subvolume = &sources->list->at[i];
	enum below answer = BELOW_NO;
	size_t n = 0;

	while (subvolume) {
		const size_t at = (size_t)(subvolume - sources->list->at);

		if (below[at] != BELOW_UNKNOWN) {
			answer = below[at] == BELOW_YES ? BELOW_YES : BELOW_NO;
			break;
		}
		below[at] = BELOW_ASKED;
		way[n++] = at;
		if (has_source(sources, subvolume->parent_id)) {
			answer = BELOW_YES;
			break;
		}
		subvolume = subvolume_by_id(sources->list, subvolume->parent_id);
	}
	while (n > 0)
		below[way[--n]] = answer;
	return answer;
}

/* A problem with one is reported when the export reaches it. What is being converted was tried already. */
static bool try_below(struct export_sources *sources, enum below *below, size_t *way, struct error *err)
{
	for (size_t i = 0; i < sources->list->n; i++) {
		const struct domain_found *at = &sources->found[i];
		cleanup_domain struct domain *domain = NULL;
		struct export_domain *ignored;
		struct extent_source *extents;

		if (at->claim == DOMAIN_NONE && sources->list->at[i].root.flags & ROOT_ENCRYPT_2016 && ask_below(sources, below, way, i) == BELOW_YES) {
			struct error why = { 0 };

			if (!export_sources_get(sources, sources->list->at[i].id, OPEN_IF_KEY_FITS, &extents, &why) && error_is_machine(&why))
				return *err = why, false;
			continue;
		}
		if (at->claim > DOMAIN_NONE && !at->must_ask && ask_below(sources, below, way, i) == BELOW_YES &&
		    !try_or_leave(sources, &sources->list->at[i], at->number, OPEN_IF_KEY_FITS, &domain, &ignored, err))
			return false;
	}
	return true;
}

bool export_sources_end_key(struct export_sources *sources, bool below, struct error *err)
{
	const size_t n = sources->list->n + 1;
	enum below *const answers = calloc(n, sizeof(*answers));
	size_t *const way = calloc(n, sizeof(*way));
	const bool ok = answers && way ? !below || (domain_find_all(sources->list, &sources->found, err) &&
						    try_below(sources, answers, way, err))
				       : error_memory(err);

	free(answers);
	free(way);
	if (!ok)
		return false;
	key_source_free(&sources->key);
	secret_free(sources->legacy_key);
	sources->legacy_key = NULL;
	sources->is_key_gone = true;
	return true;
}

struct domain_reader *export_sources_reader(const struct export_sources *sources, uint64_t id)
{
	for (size_t i = 0; i < sources->n; i++) {
		if (sources->at[i].subvolume == id)
			return sources->at[i].reader;
	}
	return NULL;
}

static bool take_closed(struct export_sources *sources, uint64_t id, struct error *err)
{
	const struct subvolume *subvolume = subvolume_by_id(sources->list, id);
	struct stat_seal *closed = &sources->closed;

	if (closed->subvolume == id)
		return true;
	stat_seal_free(closed);
	if (subvolume && !domain_find(sources->list->volume, sources->list, subvolume, &closed->crypt, err))
		return false;
	closed->subvolume = id;
	closed->domain = closed->crypt ? closed->crypt->header.domain : 0;
	return true;
}

bool export_sources_has_sealed_target(struct export_sources *sources, const struct walk_entry *entry, bool *sealed, struct error *err)
{
	const struct key key = { .objectid = entry->number, .type = KEY_EXTENT_DATA };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct inline_payload payload;
	struct error what = { 0 };

	*sealed = true;
	if (!take_closed(sources, entry->tree->id, err))
		return false;
	/* A kernel keeps every target in the tree. */
	if (!sources->closed.crypt ||
	    (tree_seek(entry->tree, &key, &iter, &what) && iter.valid && key_compare(&iter.key, &key) == 0 &&
	     inline_payload_of(&iter.key, iter.item, entry->inode.mode, &payload) &&
	     stat_seal_has_inline(&sources->closed, &iter.key, &iter.item, entry->inode.mode, sealed, &what)))
		return true;
	/* Leaves out what is damaged there. */
	*sealed = true;
	if (what.kind == ERROR_NONE || error_is_damage(&what))
		return true;
	*err = what;
	return false;
}

bool export_sources_check_key(const struct export_sources *sources, struct error *err)
{
	if (!key_options_given() || sources->look || sources->is_key_used)
		return true;
	error_set(err, ERROR_REFUSED, "a key was given, but no subvolume to be exported is sealed");
	return error_hint(err, "leave out the key: they are exported without one");
}

void export_sources_free(struct export_sources *sources)
{
	for (size_t i = 0; i < sources->n; i++) {
		domain_reader_close(sources->at[i].reader);
		legacy_reader_close(sources->at[i].legacy);
	}
	for (size_t i = 0; i < sources->n_domains; i++)
		domain_free(sources->domain[i].domain);
	convert_look_close(sources->look);
	stat_seal_free(&sources->closed);
	member_places_free(&sources->places);
	key_source_free(&sources->key);
	secret_free(sources->legacy_key);
	free(sources->at);
	free(sources->domain);
	free(sources->found);
	*sources = (struct export_sources){ 0 };
}
