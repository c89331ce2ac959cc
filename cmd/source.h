/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which file to read, and where its bytes come from: the disk as it is, or the domain that a key opens. */
#ifndef CMD_SOURCE_H
#define CMD_SOURCE_H

#include <popt.h>

#include "cmd/legacy-source.h"
#include "common/fs/path.h"
#include "common/sealed/domain-reader.h"
#include "common/sealed/member-places.h"

/* --accept-changes, --accept-unsealed and the key options. */
extern struct poptOption options_source[];
extern struct poptOption options_source_long[];	/* without the letters of the key options */

/* Opens a reader for an opened domain, with the options above. */
bool source_open_reader(struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume, struct domain_reader **reader,
			struct extent_source **extents, struct error *err) must_use;

bool source_accepts_unsealed(void);	/* --accept-unsealed */
bool source_accepts_changes(void);	/* --accept-changes */

struct walk_entry;

/* Initialise with { 0 }. Call source_close() also after a failure. */
struct source {
	struct extent_source *extents;
	bool is_sealed;		/* or there are crypt items that cannot be read */
	struct domain *domain;
	struct domain_reader *reader;
	struct legacy_reader *legacy;	/* it is in the format of 2016 */
};

/* ERROR_REFUSED: a key was given for a subvolume that is not sealed. Always false. */
bool source_refuse_key(const struct subvolume_list *list, uint64_t subvolume, struct error *err);
/* It is sealed and was not opened, so nothing in it is authenticated. */
static inline bool source_is_closed(const struct source *source)
{
	return source->is_sealed && !source->reader;
}
void source_note_closed(const struct subvolume *subvolume);	/* prints a note about it */
/* The same for commands that take no key: prints the note if the subvolume is sealed, and says so in *closed. */
bool source_note_sealed(const struct subvolume_list *list, const struct subvolume *subvolume, bool *closed, struct error *err) must_use;
void print_lost(const struct lost_place *lost);	/* as a warning */
/* The empty place of a nested subvolume should not be empty, and nothing was said of that subvolume: prints a warning, and returns true. */
bool print_empty_wrong(const struct lost_places *places, const struct walk_entry *entry, const char *top);
/* Warns if a subvolume is not where it was sealed, or is where another one was, and about those that are lost in it. */
bool source_warn_place(const struct member_places *places, const struct subvolume *subvolume, struct error *err) must_use;
void source_close(struct source *source);
#define cleanup_source __attribute__((cleanup(source_close)))

/*
 * For commands that also list sealed subvolumes. Sealed: opened with the given key, or one in a keyring; nothing is asked, and without a key
 * source->extents stays NULL: while a conversion is unfinished for all, because nobody can say which links are sealed. Not sealed, but a key
 * was given: ERROR_REFUSED, never a silent plain read. In the format of 2016, what is plain can be read without a key.
 */
bool link_source_choose(const struct subvolume_list *list, uint64_t id, struct source *source, struct error *err) must_use;

/* Reads the target of a symbolic link into *target, malloced. */
bool link_target_read(struct extent_source *extents, const struct tree *tree, uint64_t inode, uint8_t **target, size_t *len,
		      struct error *err) must_use;

#endif /* CMD_SOURCE_H */
