/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How an export, or cat, ended: as text, as JSON, and as the verdict that is its exit status. */
#ifndef CMD_EXPORT_SUMMARY_H
#define CMD_EXPORT_SUMMARY_H

#include <stdio.h>

#include "common/export/export.h"

struct export_told {
	const char *done;	/* "exported": what was done to files, for people */
	bool is_one_file;	/* just one file, not everything below a place: a shorter summary */
	bool is_cut;		/* it ended early */
	bool is_raw;		/* sealed data were given out as they are */
	uint64_t n_mirror;	/* warnings about bytes that came from another mirror */
};

extern const struct export_loss { const char *name, *text; } export_losses[OUT_LOSSES];

/* False with the reason if not everything was right. */
bool export_verdict(const struct export_told *told, const struct export_summary *summary, struct error *err) must_use;
/* One line, with the exit status. err is NULL if nothing went wrong. */
void export_summary_json(const struct export_told *told, const struct export_summary *summary, const struct error *err, FILE *out);
void export_summary_print(const struct export_told *told, const struct export_summary *summary);	/* on stderr */

#endif /* CMD_EXPORT_SUMMARY_H */
