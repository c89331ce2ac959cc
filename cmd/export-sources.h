/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sources of many subvolumes with one key, each opened once. */
#ifndef CMD_EXPORT_SOURCES_H
#define CMD_EXPORT_SOURCES_H

#include "cmd/key-options.h"
#include "cmd/legacy-source.h"
#include "cmd/stat-seal.h"
#include "common/convert/look.h"
#include "common/export/export.h"
#include "common/sealed/domain-reader.h"
#include "common/sealed/member-places.h"

/* Initialise with { .list = ... }. */
struct export_sources {
	const struct subvolume_list *list;
	place_tell *place;	/* called once for each subvolume that is read, with what there is to say about its place; may be NULL */
	void *context;
	struct key_source key;
	struct secret *legacy_key;	/* the same, for what is in the format of 2016; NULL: not yet, or none */
	struct export_source {
		uint64_t subvolume;
		struct extent_source *extents;	/* NULL: sealed, no key */
		struct domain_reader *reader;
		struct legacy_reader *legacy;	/* it is in the format of 2016 */
	} *at;
	size_t n, room;
	struct export_domain {
		uint16_t number;
		struct domain *domain;	/* NULL: no key opens it; error says why, or nothing where there is none */
		struct error error;
	} *domain;			/* those on which the key was tried */
	size_t n_domains, domain_room;
	bool is_key_used, is_key_gone;	/* used: for what is to be read, and not only for the way to it */
	struct domain_found *found;	/* parallel to list->at; NULL: domain_find() is called for each */
	struct member_places places;
	struct stat_seal closed;	/* of the last subvolume whose links were asked about */
	/* What is being converted, while unfinished. NULL: no key was given, or it did not open (see look_error). */
	struct convert_look *look;
	struct extent_source *look_source;
	struct error look_error;
};

/*
 * Reads the key if one was given, and opens what is being converted with it: nobody may hold blocks of the volume. Other keys come
 * from keyrings, or are asked for at the terminal, when what they open is met. subvolume: the only one that is wanted, for the prompt; or NULL.
 */
bool export_sources_init(struct export_sources *sources, const struct subvolume_list *list, const struct subvolume *subvolume,
			 struct error *err) must_use;	/* before place is set */
/* *extents NULL: sealed, and no key was given or, with OPEN_IF_KEY_FITS, the key does not open it. MUST_OPEN: another key is ERROR_KEY. */
enum export_opening { OPEN_IF_KEY_FITS, MUST_OPEN };
bool export_sources_get(struct export_sources *sources, uint64_t subvolume, enum export_opening opening, struct extent_source **extents,
			struct error *err) must_use;
/*
 * Wipes the key: domains on which it was not tried stay closed. below: first tries it on those of all subvolumes below the ones whose
 * sources are open.
 */
bool export_sources_end_key(struct export_sources *sources, bool below, struct error *err) must_use;
/* Its reader, after export_sources_get(). NULL: it is not sealed, or no key opens it. */
struct domain_reader *export_sources_reader(const struct export_sources *sources, uint64_t subvolume);
/* Without the key, according to the crypt items: is the target of the symbolic link ciphertext? If they do not tell, the answer is yes. */
bool export_sources_has_sealed_target(struct export_sources *sources, const struct walk_entry *entry, bool *sealed, struct error *err) must_use;
/* Was the key of any use? ERROR_REFUSED if one was given and nothing is sealed. */
bool export_sources_check_key(const struct export_sources *sources, struct error *err) must_use;
void export_sources_free(struct export_sources *sources);

#endif /* CMD_EXPORT_SOURCES_H */
