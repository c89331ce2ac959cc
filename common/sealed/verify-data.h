/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify: checks every block of every unit, and every stored checksum, on every mirror. */
#ifndef COMMON_SEALED_VERIFY_DATA_H
#define COMMON_SEALED_VERIFY_DATA_H

#include "common/sealed/domain-reader.h"
#include "common/sealed/domain-view.h"

struct verify {
	struct domain_view view;
	const struct domain_reader_options *options;
	verify_found *bad;
	void *context;
	struct verify_result *result;
};

/* Counts and reports a finding. */
void verify_bad(struct verify *v, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* In the file, or (inode 0) in the subvolume. range: NULL if it is not about data. */
bool verify_bad_in(struct verify *v, const struct tree *subvolume, uint64_t inode, const char *what, const struct verify_range *range,
		   struct error *err) must_use;

bool verify_data(struct verify *v, struct error *err) must_use;

#endif /* COMMON_SEALED_VERIFY_DATA_H */
