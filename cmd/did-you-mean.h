/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hints for unknown commands and options. */
#ifndef CMD_DID_YOU_MEAN_H
#define CMD_DID_YOU_MEAN_H

#include "cmd/command.h"

/* word[0] is not a command: suggests a similar one, or the one that does what it says, with the other words as they were given. */
void hint_command(const struct command *const *commands, size_t n, int n_words, const char *const *word, struct error *err);

/* No action was given to convert, but operands word[0]...: if the first one is the name of an action, says how it is given. */
void hint_action(const char *const *word, struct error *err);

/* given is not one of the n verbs of key, by name: suggests the one that does what it says, or a similar one. */
void hint_verb(const char *const *names, size_t n, const char *given, struct error *err);

/* given, "--name" or "--name=...", is not in the option table of a command. */
void hint_option(const char *command, const struct poptOption *table, const char *given, struct error *err);

/* An operand is missing: says so if an option before it has taken a file for its argument, which is no name of a file. word: the command line. */
void hint_swallowed(const struct poptOption *table, const char *const *word, struct error *err);

#endif /* CMD_DID_YOU_MEAN_H */
