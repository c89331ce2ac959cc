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
	void *context;
};

/*
 * For one subvolume of an opened domain: finds the units of its extents (also moved ones), checks the tree digest.  ERROR_CORRUPT where
 * it differs.  *source is the reader's own.
 */
struct domain_reader;
bool domain_reader_open(struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume,
			const struct domain_reader_options *options, struct domain_reader **reader,
			struct extent_source **source, struct error *err) must_use;
void domain_reader_close(struct domain_reader *reader);

/* Everything that `verify` checks; bad is called once per finding with the escaped path and what is wrong. */
struct verify_result {
	uint64_t n_files, n_blocks, n_bad, n_units, n_unsealed;
	uint8_t seal_fingerprint[16];
};
bool domain_verify(struct domain *domain, const struct subvolume_list *list, const struct domain_reader_options *options,
		   void (*bad)(void *context, const char *path, const char *what), void *context,
		   struct verify_result *result, struct error *err) must_use;

#endif /* COMMON_FS_DOMAIN_READ_H */
