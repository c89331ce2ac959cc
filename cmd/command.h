/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command: one row and one run function. Only main.c prints errors. */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include <popt.h>
#include <stdint.h>
#include <stdio.h>

#include "format/error.h"

#define BTRFS_CRYPT_VERSION "0.1"

struct command {
	const char *name;
	const char *operands;	/* "IMAGE SUBVOL...": words counted by main(); "[X]" optional, "..." repeats the last */
	bool (*is_verb)(const char *word, struct error *err);	/* the first operand must be; NULL: it is no verb */
	bool (*narrow)(const char *verb, struct command *row);	/* makes the row of the command that of a verb, for its help; false: no such verb */
	unsigned image_operand;	/* which of them is IMAGE */
	const char *summary;	/* one line, lower case */
	const struct poptOption *options;
	void (*more_help)(FILE *out);	/* printed behind the options; NULL: nothing */
	bool (*run)(const char *const *operand, struct error *err);	/* NULL terminated */
};

extern const struct command cmd_convert, cmd_verify_key, cmd_verify, cmd_audit, cmd_dump_tree, cmd_dump_super, cmd_list, cmd_show, cmd_ls,
	cmd_cat, cmd_export, cmd_stat, cmd_resolve, cmd_df, cmd_tree_stats, cmd_timeline, cmd_key, cmd_benchmark;

extern const char *command_name;	/* of the running row; NULL before */
extern const struct poptOption *command_options;	/* the same */
/* An exit status that is not an error: convert --status gives 7 while unfinished, verify-key 2. main() returns it if run() was true. */
extern int command_status;

/* Entries of an option table that stand for another table: without and with a heading in the help. */
#define INCLUDE(table) { NULL, 0, POPT_ARG_INCLUDE_TABLE, table, 0, NULL, NULL }
#define INCLUDE_AS(table, heading) { NULL, 0, POPT_ARG_INCLUDE_TABLE, table, 0, heading, NULL }

/* Finds the option with this name, or else with this letter (0: none), in a table and those it includes. NULL if there is none. */
const struct poptOption *option_find(const struct poptOption *table, const char *name, char letter);
const char *option_argument(const struct poptOption *option);	/* its name: FILE */
bool command_has_letter(char letter);
bool command_has_option(const char *name);	/* "with-log": a hint must not name an option that the command does not know */

/*
 * The value of a numeric option, in decimal. If text is NULL (not given), *number stays. Otherwise ERROR_USAGE with the option, what was
 * given and what is allowed. Such an option is a POPT_ARG_STRING, because popt does not say which one it rejects.
 */
bool option_number(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *number, struct error *err) must_use;

/* The same for an address, an offset or a size: also hexadecimal, and with a unit (common/util/number.h). */
bool option_bytes(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *number, struct error *err) must_use;

/*
 * A file name in a form that a shell reads back, for printing: quoted if necessary, as $'...' if it also needs escaping, because \\ and
 * \xNN mean the same there. Malloced; NULL: out of memory.
 */
char *shell_word(const char *path);

#endif /* CMD_COMMAND_H */
