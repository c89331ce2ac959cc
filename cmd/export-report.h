/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an export, or cat, reports: findings and the summary on standard error, the report and the manifest in files. */
#ifndef CMD_EXPORT_REPORT_H
#define CMD_EXPORT_REPORT_H

#include <stdio.h>
#include <time.h>

#include "cmd/progress.h"
#include "common/export/export.h"
#include "common/export/out-file.h"
#include "common/sealed/domain-names.h"
#include "common/util/set64.h"

/* A file that appears when it is complete. */
struct export_text {
	FILE *stream;		/* NULL: not wanted */
	const char *name;
	struct out_file file;
};

/* Initialise with EXPORT_REPORT_NONE. */
struct export_report {
	bool is_one_file;	/* just one file, not everything below a place: a shorter summary */
	bool is_raw;		/* sealed data are given out as they are */
	const char *done;	/* "exported": what was done to files, for people */
	struct export_text report, manifest;
	bool is_saying;		/* what is printed is a finding already */
	struct export_summary *summary;
	struct progress progress;
	uint64_t progress_total;
	time_t begin;
	unsigned n_notes[REPORT_KINDS];	/* printed so far */
	bool loss_told[OUT_LOSSES];
	struct set64 mirrors;		/* hashes of the warnings about bytes from another mirror, because a sector may be read twice */
};
#define EXPORT_REPORT_NONE(what_is_done, its_summary) \
	{ .done = (what_is_done), .summary = (its_summary), .report.file.fd = -1, .manifest.file.fd = -1 }

/*
 * NULL names: not wanted. The files must not exist yet. From then on, everything that volumes opened by image_open() report is printed and is
 * in the report, as is every other warning and note that is printed; what is found to be invalid counts as damage.
 */
bool export_report_open(struct export_report *report, const char *report_name, const char *manifest_name, struct error *err) must_use;
/* A subvolume that is not where it was sealed: both paths. */
void export_report_place(struct export_report *report, const struct place_finding *finding, const char *text);
/* marks: bits of export_mark */
bool export_report_hash(struct export_report *report, const char *path, const uint8_t hash[HASH_SIZE], unsigned marks, struct error *err) must_use;
/*
 * Ends the report in any case: the images, the summary unless quiet, the complete report, and the manifest if everything was visited. ok: everything
 * was visited, and the summary decides the result for `what`; otherwise err says why not. Returns false with the reason if not every byte
 * was right, or if something could not be written.
 */
bool export_report_end(struct export_report *report, const char *image, const struct volume *volume, const char *what, bool ok, bool quiet,
		       struct error *err) must_use;
/*
 * Is there something to count for people? A usage error or a wrong key is not a finding; the report and JSON have the summary in any case.
 */
bool export_report_counts(bool ok, bool is_started, const struct error *err);
/* Removes what was not completed. */
void export_report_free(struct export_report *report);

#endif /* CMD_EXPORT_REPORT_H */
