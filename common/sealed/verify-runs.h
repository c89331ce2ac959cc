/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What verify finds: adjacent bad blocks become one range of a file before they are reported. */
#ifndef COMMON_SEALED_VERIFY_RUNS_H
#define COMMON_SEALED_VERIFY_RUNS_H

#include "common/sealed/domain-reader.h"
#include "common/sealed/domain-view.h"
#include "common/sealed/extent-also.h"
#include "common/sealed/extent-part.h"

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

/* What is wrong with a block, one bit per mirror. */
struct block_marks {
	uint32_t unread, tag, csum, unsealed, carried;
};

/* Adjacent blocks of an extent with the same marks. */
struct verify_run {
	uint64_t from, to;	/* in the extent; equal: there are none */
	struct block_marks marks;
};

/* The part of a file that was found bad last. The next part may continue it. */
struct verify_finding {
	bool any;
	uint32_t member;
	uint64_t inode;
	struct extent_part part;
	struct block_marks marks;
	unsigned n_mirrors;
	uint64_t logical;	/* address where it begins */
	uint64_t extent;	/* the first extent that it is in */
};

/* Initialise with .v alone. */
struct verify_runs {
	struct verify *v;
	const struct scan_extent *extent;	/* to which the blocks belong, */
	unsigned n_mirrors;			/* and how many mirrors its chunk has */
	struct verify_run run;
	struct verify_finding finding;
	uint64_t also_of;		/* the last extent whose other owners were searched for, */
	char also[EXTENT_ALSO_SIZE];	/* and the answer */
};

/* Adds a block at offset in the extent. Offsets ascend. */
bool verify_runs_add(struct verify_runs *runs, uint64_t offset, const struct block_marks *marks, struct error *err) must_use;
bool verify_runs_end_extent(struct verify_runs *runs, struct error *err) must_use;
/* After the last extent. */
bool verify_runs_end(struct verify_runs *runs, struct error *err) must_use;

#endif /* COMMON_SEALED_VERIFY_RUNS_H */
