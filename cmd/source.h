/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which file, and where its bytes come from: the disk as it is, or the domain that a key opens. */
#ifndef CMD_SOURCE_H
#define CMD_SOURCE_H

#include <popt.h>

#include "common/fs/domain-read.h"
#include "common/fs/member-places.h"
#include "common/fs/path.h"

/* --accept-changes, --accept-unsealed and the key options, for POPT_ARG_INCLUDE_TABLE. */
extern struct poptOption options_source[];
extern struct poptOption options_source_long[];	/* of the key options, no letters */

/*
 * Where the bytes of a subvolume come from, decided here for every command: the disk as it is, or, *extents NULL, its domain, which is_sealed says that it
 * has.  ERROR_REFUSED: nowhere, for it is in the format of 2016.
 */
bool source_decide(const struct subvolume *subvolume, bool is_sealed, struct extent_source **extents, struct error *err) must_use;
/* What an opened domain gives, with the options above. */
bool source_open_reader(struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume, struct domain_reader **reader,
			struct extent_source **extents, struct error *err) must_use;

bool source_accepts_unsealed(void);	/* --accept-unsealed */
bool source_accepts_changes(void);	/* --accept-changes */

/* Initialise with { 0 }, source_close() it also after a failure. */
struct source {
	struct extent_source *extents;
	bool is_sealed;		/* or there are crypt items that cannot be read */
	struct domain *domain;
	struct domain_reader *reader;
};

/*
 * For commands that list whatever is sealed.  Sealed: opened with the key that was given, nothing is asked; without a key source->extents stays
 * NULL.  Not sealed, but a key was given: ERROR_REFUSED, never a silent plain read.
 */
bool source_choose(const struct subvolume_list *list, const struct subvolume *subvolume, struct source *source,
		   struct error *err) must_use;
/* It is sealed, and was not opened: nothing of it is authenticated. */
static inline bool source_is_closed(const struct source *source)
{
	return source->is_sealed && !source->reader;
}
void source_note_closed(const struct subvolume *subvolume);	/* says so */
void print_lost(const struct lost_member *lost);	/* as a warning */
/* Warns of a subvolume that is not where it was sealed, or where another one was, and of those that are lost in it. */
bool source_warn_place(const struct member_places *places, const struct subvolume *subvolume, struct error *err) must_use;
void source_close(struct source *source);
#define cleanup_source __attribute__((cleanup(source_close)))

/*
 * Is the inode as it was sealed, or each step of the path?  ERROR_CORRUPT where not; with --accept-changes that is told instead, by name, and *differs.
 * Nobody is asked where no key was given, or nothing is sealed.  name: what is told of, as it is in the image.
 */
bool source_prove(const struct source *source, const struct tree *tree, uint64_t inode, enum inode_entry_kind kind, const void *name,
		  size_t len, bool *differs, struct error *err) must_use;
bool source_prove_path(const struct source *source, uint64_t subvolume, const char *path, bool *differs, struct error *err) must_use;
/* At the end: ERROR_CORRUPT where anything was accepted, for then not all of it is authentic. */
bool source_accepted_nothing(struct error *err) must_use;
/* The same for those who tell it as a finding.  reader NULL: nobody is asked. */
bool reader_prove_path(struct domain_reader *reader, uint64_t subvolume, const char *path, bool *differs, struct error *err) must_use;

/*
 * What a PATH operand names: the file of that path or, where there is none, the one whose path is printed like that.  *path, malloced, is
 * the path as it is in the image.  ERROR_CORRUPT where it leads into a sealed subvolume that cannot be reached (member-places.h).
 */
bool path_operand(const struct subvolume_list *list, uint64_t subvolume, const char *operand, char **path, struct file_id *found,
		  struct error *err) must_use;

#endif /* CMD_SOURCE_H */
