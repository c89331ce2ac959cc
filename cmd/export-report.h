/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an export tells: findings and the summary on standard error, the report and the manifest in files. */
#ifndef CMD_EXPORT_REPORT_H
#define CMD_EXPORT_REPORT_H

#include <stdio.h>

#include "common/export/export.h"
#include "common/util/progress.h"
#include "common/util/set64.h"

struct export_report {
	FILE *report, *manifest;	/* NULL: not wanted */
	const char *report_name, *manifest_name;
	struct progress progress;
	uint64_t progress_total;
	unsigned n_notes[EXPORT_LOSS + 1];	/* printed so far */
	bool loss_told[OUT_LOSSES];
	struct set64 repairs;		/* hashes of their texts: one sector may be read twice */
};

/* NULL names: not wanted.  The files must not be there yet. */
bool export_report_open(struct export_report *report, const char *report_name, const char *manifest_name, struct error *err) must_use;
void export_report_finding(struct export_report *report, const struct export_finding *finding);
/* A warning of the volume: bytes taken from another mirror, among others. */
void export_report_warning(struct export_report *report, const char *text);
bool export_report_hash(struct export_report *report, const char *path, const uint8_t hash[HASH_SIZE], struct error *err) must_use;
/* The images that were read, whole; in the manifest. */
bool export_report_device(struct export_report *report, struct device *device, struct error *err) must_use;
void export_report_summary(struct export_report *report, const struct export_summary *summary);
/* Writes what is left. */
bool export_report_close(struct export_report *report, struct error *err) must_use;

/* The status of the whole: false and why where not every byte was right. */
bool export_report_verdict(const struct export_summary *summary, struct error *err) must_use;

#endif /* CMD_EXPORT_REPORT_H */
