/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Help texts as wide as the terminal. */
#ifndef CMD_HELP_FIT_H
#define CMD_HELP_FIT_H

#include <stddef.h>
#include <stdio.h>

/*
 * Prints text, a help text, in lines of at most columns: a row "  NAME  what it does" keeps its two columns, other lines are broken
 * between words. Where what it does begins is seen from the rows: two spaces or more after a name. 0 columns: prints it as it is.
 */
void help_fit(const char *text, size_t columns, FILE *out);

/* A help text on its way to standard output: as wide as the terminal; what is no terminal gets each row as it was written. */
struct help {
	FILE *out;	/* where to print the text; stays help's */
	char *text;
	size_t size;
};

void help_begin(struct help *help);
void help_end(struct help *help);

#endif
