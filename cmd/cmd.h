/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command: one row, one run function.  Only main.c prints errors. */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <popt.h>

#include "format/error.h"

struct command {
	const char *name;
	const char *operands;	/* "IMAGE SUBVOL...": words counted by main(); "[X]" optional, "..." repeats the last */
	const char *summary;	/* one line, lower case */
	const struct poptOption *options;
	bool (*run)(const char *const *operand, struct error *err);	/* NULL terminated */
};

extern const struct command cmd_convert, cmd_verify_key, cmd_verify, cmd_dump_tree, cmd_dump_super, cmd_list, cmd_show, cmd_ls,
	cmd_cat;

/* Options that several commands share: include with POPT_ARG_INCLUDE_TABLE. */
extern struct poptOption options_key[];		/* common/cmd key sources: see cmd/key-options.h */
extern struct poptOption options_format[];	/* --format text|json */
bool format_is_json(void);

/* One exit status that is not an error: convert --status gives 7 while unfinished, verify-key 2.  main() returns it when run() was true. */
extern int command_status;

#endif /* CMD_CMD_H */
