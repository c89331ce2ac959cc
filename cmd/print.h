/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How commands print: as text or JSON (json.h), warnings and notes beside it, and whether all of it could be written. */
#ifndef CMD_PRINT_H
#define CMD_PRINT_H

#include <popt.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/util/report.h"
#include "format/error.h"

extern struct poptOption options_format[];	/* --format text|json: for an option table */
bool format_is_json(void);
void format_before_command(const char *how);	/* --format given before the command; one given after it wins */
bool format_check(struct error *err) must_use;	/* main() calls it after the options are parsed */

/* Print one line on stderr (JSON with --format json): for the warn and note members of the rooms below. */
void print_warning(void *context, const char *text);
void print_note(void *context, const char *text);
/* The same for words in a format. */
void printf_warning(const char *words, ...) __attribute__((format(printf, 1, 2)));
void printf_note(const char *words, ...) __attribute__((format(printf, 1, 2)));
/* The same for what a volume reports. What was used or left out with --tolerant makes the status 6. */
void print_report(void *context, const struct report *report);
/* Each of these lines goes to reporter as well, with its kind and text; NULL: to none. */
void print_hear(const struct reporter *reporter);
/* A warning about what a walk could not read. top: printed if its path is empty. */
void print_damage(const struct report *report, const char *top);
/* "invalid": before such a line, and in JSON. */
const char *report_name(enum report_kind kind);

/* An error with its hint, as the program ends with it. */
void error_show(const struct error *err, FILE *out);
/* As print_note(), but for nobody else to hear. */
void print_note_to(FILE *out, const char *text);

/* False, as a system error, if something could not be written, now or before. */
bool stdout_flush(struct error *err) must_use;

/*
 * The reader of a pipe may go away, as head does. The program then ends silently like any other; but for callers of pipe_watch(), only
 * after they have finished what they must. If the caller of the program ignores SIGPIPE, it is an error like any other.
 */
void pipe_watch(void);
bool pipe_is_gone(void);

#endif /* CMD_PRINT_H */
