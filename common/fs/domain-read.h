/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading sealed files: an extent source that decrypts, and checking that nothing was changed before the first byte comes out. */
#ifndef COMMON_FS_DOMAIN_READ_H
#define COMMON_FS_DOMAIN_READ_H

#include "common/fs/domain.h"
#include "common/fs/file-data.h"

struct domain_reader_options {
	bool accept_changes;	/* go on although the digest of the tree differs */
	bool accept_unsealed;	/* hand out data that no unit covers */
	void (*note)(void *context, const char *text);	/* differences accepted; may be NULL */
	/* verify: how many bytes of data were looked at; may be NULL */
	void (*progress)(void *context, uint64_t done, uint64_t total);
	void *context;
};

/*
 * For one subvolume of an opened domain: finds the units of its extents (also moved ones), checks the seal and the tree digest.  ERROR_CORRUPT where
 * they differ.  *source is the reader's own and is for the files and symbolic links of this subvolume; each block is authenticated before it is
 * handed out.  What no unit covers is ERROR_CORRUPT when it is read, unless accepted; a mark without a unit always.
 */
struct domain_reader;
bool domain_reader_open(struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume,
			const struct domain_reader_options *options, struct domain_reader **reader,
			struct extent_source **source, struct error *err) must_use;
void domain_reader_close(struct domain_reader *reader);	/* NULL is fine */

/*
 * Everything that `verify` checks: the seal, the tree of every member and snapshot, every unit and checksum on every mirror, every tree block.
 * bad is called once per finding with the escaped path and what is wrong; false only where something kept it from looking on.
 */
struct verify_result {
	uint64_t n_files, n_blocks, n_bad, n_units, n_unsealed;
	bool changed;	/* a tree is not as it was sealed, accepted or not */
	uint8_t seal_fingerprint[16];
};
bool domain_verify(struct domain *domain, const struct subvolume_list *list, const struct domain_reader_options *options,
		   void (*bad)(void *context, const char *path, const char *what), void *context,
		   struct verify_result *result, struct error *err) must_use;

#endif /* COMMON_FS_DOMAIN_READ_H */
