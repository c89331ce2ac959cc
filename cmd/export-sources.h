/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sources of many subvolumes under one key, each opened once. */
#ifndef CMD_EXPORT_SOURCES_H
#define CMD_EXPORT_SOURCES_H

#include "cmd/key-options.h"
#include "cmd/stat-seal.h"
#include "common/convert/look.h"
#include "common/export/export.h"
#include "common/fs/domain-read.h"
#include "common/fs/member-places.h"

/* Initialise with { .list = ... }. */
struct export_sources {
	const struct subvolume_list *list;
	place_tell *place;	/* told once of each subvolume that is read, what is to be said of where it is; NULL: nobody */
	void *context;
	struct key_input key;
	struct export_source {
		uint64_t subvolume;
		struct extent_source *extents;	/* NULL: sealed, no key */
		struct domain_reader *reader;
	} *at;
	size_t n;
	struct export_domain {
		uint16_t number;
		struct domain *domain;	/* NULL: the key does not open it, and why is in error */
		struct error error;
	} *domain;			/* those that the key was tried on */
	size_t n_domains;
	bool is_key_gone;
	struct domain_found *found;	/* as list->at; NULL: domain_find() is asked for each */
	struct member_places places;
	struct stat_seal closed;	/* of the subvolume whose links were asked about last */
	/* What is being converted while it is unfinished; NULL: no key was given, or, as look_error says, it did not open. */
	struct convert_look *look;
	struct extent_source *look_source;
	struct error look_error;
};

/*
 * Reads the key where one was given, and opens what is being converted with it: nobody may hold blocks of the volume.  Asks for a passphrase only where that is
 * what was given.
 */
bool export_sources_init(struct export_sources *sources, const struct subvolume_list *list, struct error *err) must_use;	/* before place is set */
/*
 * *extents NULL: sealed, and no key was given; or, where must_open is false, not this one.  must_open: another key is ERROR_KEY.
 */
bool export_sources_get(struct export_sources *sources, uint64_t subvolume, bool must_open, struct extent_source **extents,
			struct error *err) must_use;
/*
 * The key is wiped: domains that it was not tried on by now stay closed.  below: first it is tried on those of all subvolumes that lie below those
 * whose sources are open.
 */
bool export_sources_end_key(struct export_sources *sources, bool below, struct error *err) must_use;
/* Its reader, once it was got; NULL: it is not sealed, or no key opens it. */
struct domain_reader *export_sources_reader(const struct export_sources *sources, uint64_t subvolume);
/* For export_options.proof: of a subvolume that begins at the entry, the whole is checked. */
bool export_sources_prove(struct export_sources *sources, const struct walk_entry *entry, struct export_proven *proven,
			  struct error *err) must_use;
/* Without the key, by what the crypt items say: is the target of the symbolic link ciphertext?  What cannot be told from it is. */
bool export_sources_has_sealed_target(struct export_sources *sources, const struct walk_entry *entry, bool *sealed, struct error *err) must_use;
/* Was the key of use to anyone?  ERROR_REFUSED where one was given and nothing is sealed. */
bool export_sources_check_key(const struct export_sources *sources, struct error *err) must_use;
void export_sources_free(struct export_sources *sources);
#define cleanup_export_sources __attribute__((cleanup(export_sources_free)))

#endif /* CMD_EXPORT_SOURCES_H */
