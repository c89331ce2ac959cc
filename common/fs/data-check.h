/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data against the checksums that are stored of them, sector by sector and mirror by mirror. What has none is up to copies.h. */
#ifndef COMMON_FS_DATA_CHECK_H
#define COMMON_FS_DATA_CHECK_H

#include "common/fs/csum-lookup.h"

/* Like csum_lookup(), but also visits each run of sectors without checksums, with csums NULL. */
bool csum_runs(struct volume *volume, uint64_t logical, uint64_t len, csum_visit *visit, void *context, struct error *err) must_use;

struct data_check {
	struct volume *volume;
	unsigned n_mirrors;	/* that are tried for a sector that does not match; 0: none */
	uint64_t logical;
	uint8_t *bytes;
	size_t len;
	/* Called for each run before its sectors are compared; csums NULL: none are stored. Itself NULL: nobody asks. */
	csum_visit *run;
	/* A sector did not match, and was replaced by that of the first mirror that does. bad: the first that does not. NULL: nobody asks. */
	void (*other)(void *context, uint64_t logical, unsigned bad, unsigned good);
	/* No mirror that was tried matches. The sector is that of the first that can be read, or zeros; of no mirror, as it was. */
	bool (*wrong)(void *context, uint64_t logical, const uint8_t *sector, const uint8_t *csum, struct error *err);
	void *context;
};
bool data_check(const struct data_check *check, struct error *err) must_use;

#endif /* COMMON_FS_DATA_CHECK_H */
