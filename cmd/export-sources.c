/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens the domains that an export meets; the key is read once and the slots are tried once for each. */
#include "cmd/export-sources.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/source.h"

bool export_sources_init(struct export_sources *sources, const struct subvolume_list *list, struct error *err)
{
	*sources = (struct export_sources){ .list = list };
	return !key_input_given() || key_input_read(false, false, "Passphrase: ", &sources->key, err);
}

static struct domain *opened(const struct export_sources *sources, uint16_t number)
{
	for (size_t i = 0; i < sources->n_domains; i++) {
		if (sources->domain[i]->number == number)
			return sources->domain[i];
	}
	return NULL;
}

/* Takes the domain where it opens it. */
static bool open_domain(struct export_sources *sources, struct domain **domain, struct error *err)
{
	struct domain **more;

	if (!domain_open(*domain, sources->key.secret, sources->key.volume_key, sources->key.slot, err))
		return false;
	more = realloc(sources->domain, (sources->n_domains + 1) * sizeof(*more));
	if (!more)
		return error_memory(err);
	sources->domain = more;
	sources->domain[sources->n_domains++] = *domain;
	*domain = NULL;
	return true;
}

static bool open_source(struct export_sources *sources, const struct subvolume *subvolume, bool must_open,
			struct export_source *source, struct error *err)
{
	cleanup_domain struct domain *found = NULL;
	struct domain_reader_options options;
	struct domain *domain;

	source->extents = &plain_source;
	if (subvolume->root.flags & ROOT_ENCRYPT_2016)
		return error_set(err, ERROR_REFUSED, "subvolume %" PRIu64 " is encrypted in the format of 2016, which is not supported",
				 subvolume->id);
	if (!domain_find(sources->list->volume, sources->list, subvolume, &found, err))
		return false;
	if (!found)
		return true;
	source->extents = NULL;
	if (!key_input_given())
		return true;
	domain = opened(sources, found->number);
	if (!domain) {
		domain = found;
		if (!open_domain(sources, &found, err)) {
			if (err->kind != ERROR_KEY || must_open)
				return false;
			*err = (struct error){ 0 };
			return true;
		}
	}
	source_reader_options(&options);
	return domain_reader_open(domain, sources->list, subvolume, &options, &source->reader, &source->extents, err);
}

bool export_sources_get(struct export_sources *sources, uint64_t id, bool must_open, struct extent_source **extents, struct error *err)
{
	const struct subvolume *subvolume;
	struct export_source source = { .subvolume = id }, *more;

	for (size_t i = 0; i < sources->n; i++) {
		if (sources->at[i].subvolume == id) {
			*extents = sources->at[i].extents;
			return true;
		}
	}
	subvolume = subvolume_by_id(sources->list, id);
	if (!subvolume)
		return error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 " has no root item", id);
	if (!open_source(sources, subvolume, must_open, &source, err))
		return err->kind == ERROR_KEY ? false : error_prefix(err, "subvolume %" PRIu64, id);	/* it is said of the key, not of this one */
	more = realloc(sources->at, (sources->n + 1) * sizeof(*more));
	if (!more) {
		domain_reader_close(source.reader);
		return error_memory(err);
	}
	sources->at = more;
	sources->at[sources->n++] = source;
	*extents = source.extents;
	return true;
}

bool export_sources_check_key(const struct export_sources *sources, struct error *err)
{
	if (!key_input_given() || sources->n_domains > 0)
		return true;
	return error_set(err, ERROR_REFUSED, "a key was given, but no subvolume to be exported is sealed");
}

void export_sources_free(struct export_sources *sources)
{
	for (size_t i = 0; i < sources->n; i++)
		domain_reader_close(sources->at[i].reader);
	for (size_t i = 0; i < sources->n_domains; i++)
		domain_free(sources->domain[i]);
	key_input_free(&sources->key);
	free(sources->at);
	free(sources->domain);
	*sources = (struct export_sources){ 0 };
}
