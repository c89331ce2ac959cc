/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Progress of a long run: a bar for people, lines of JSON for machines, at a bounded rate. */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include <popt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "format/error.h"

enum progress_mode { PROGRESS_NONE, PROGRESS_BAR, PROGRESS_JSON };

struct progress {
	enum progress_mode mode;
	FILE *out;
	double every;		/* seconds between two reports */
	const char *what;	/* the current part of the run; NULL before the first */
	double began, reported;	/* seconds: when this part began, and its last report */
	uint64_t first;		/* value of done when this part began, so that a resumed run shows its own speed */
	bool on_line;		/* a bar is on the current line */
};

void progress_init(struct progress *progress, enum progress_mode mode, FILE *out, double every);

/* what: one of a few constant words. done and total are bytes if they are a MiB or more. May be called as often as you like. */
void progress_update(struct progress *progress, const char *what, uint64_t done, uint64_t total);

/* Removes the bar so that something else can be printed. */
void progress_clear(struct progress *progress);

extern struct poptOption options_progress[];

/* On standard error, as the options say; also for unpacking a packed image. */
bool progress_choose(struct progress *progress, struct error *err) must_use;

#endif /* CMD_PROGRESS_H */
