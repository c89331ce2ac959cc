/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of commands, their dispatch, their help, and the only printer of errors. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/did-you-mean.h"
#include "cmd/help-fit.h"
#include "cmd/hints.h"
#include "cmd/key-options.h"
#include "cmd/print.h"
#include "common/crypto/secret.h"
#include "common/util/escape.h"
#include "common/util/near.h"

static const struct command *const commands[] = {
	&cmd_convert, &cmd_key, &cmd_verify_key, &cmd_verify, &cmd_audit, &cmd_list, &cmd_show, &cmd_ls, &cmd_cat, &cmd_export, &cmd_stat, &cmd_timeline, &cmd_resolve,
	&cmd_df, &cmd_tree_stats, &cmd_dump_super, &cmd_dump_tree, &cmd_benchmark,
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

static bool has_failed;

/* Prints and returns the exit status. */
static int fail(struct error *err)
{
	has_failed = true;
	if (pipe_is_gone())
		return err->kind;
	hint_help(err);
	fflush(stdout);
	error_show(err, stderr);
	return err->kind;
}

/* "IMAGE [SUBVOL...]": each word is one operand, optional if in brackets, repeatable if it ends with dots. */
static void count_operands(const char *operands, int *least, int *most)
{
	const size_t len = strlen(operands);

	*least = *most = 0;
	for (const char *word = operands; *word; word += strcspn(word, " "), word += strspn(word, " ")) {
		*least += *word != '[';
		*most += 1;
	}
	if (len >= 4 && (strcmp(operands + len - 3, "...") == 0 || strcmp(operands + len - 4, "...]") == 0))
		*most = -1;
}

/* What is missing of "IMAGE SUBVOL [PATH]" after the first n words: "SUBVOL". What may be left out is not missing. */
static void missing_operands(const char *operands, int n, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (const char *word = operands; *word; word += strcspn(word, " "), word += strspn(word, " ")) {
		if (n-- > 0 || *word == '[')
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s%.*s", used ? " " : "", (int)strcspn(word, " "), word);
	}
}

static bool check_operands(const struct command *command, const char *const *operand, const char *const *word, struct error *err)
{
	int least, most, n = 0;
	char missing[128];

	while (operand[n])
		n++;
	if (n > 0 && command->is_verb && !command->is_verb(operand[0], err))
		return false;
	count_operands(command->operands, &least, &most);
	if (n < least) {
		missing_operands(command->operands, n, missing, sizeof(missing));
		error_set(err, ERROR_USAGE, "operand missing: %s", missing);
		if (strncmp(missing, "SUBVOL", strlen("SUBVOL")) == 0)
			error_hint(err, "SUBVOL is / for the top level, or what btrfs-crypt list shows; see btrfs-crypt %s --help", command->name);
		hint_swallowed(command->options, word, err);
		return false;
	}
	if (most >= 0 && n > most)
		return error_set(err, ERROR_USAGE, "too many operands: %s", most > 0 ? command->operands : "it takes none");
	return true;
}

/* table[0] is that of the command; verb NULL: none was given. */
static void print_help(struct command command, const char *verb, poptContext context, struct poptOption *table)
{
	const bool is_verb = verb && command.narrow && command.narrow(verb, &command);
	const char *const space = is_verb ? " " : "", *const name = is_verb ? verb : "";
	char operands[128];
	struct help help;

	table[0].arg = (void *)command.options;
	snprintf(operands, sizeof(operands), "%s%s[OPTION...]%s%s", name, space, command.operands[0] ? " " : "", command.operands);
	poptSetOtherOptionHelp(context, operands);
	help_begin(&help);
	fprintf(help.out, "btrfs-crypt %s%s%s: %s\n", command.name, space, name, command.summary);
	poptPrintHelp(context, help.out, 0);
	if (command.more_help)
		command.more_help(help.out);
	fprintf(help.out, "\nManual: man btrfs-crypt-%s\n", command.name);
	help_end(&help);
}

static void print_version(void)
{
	printf("btrfs-crypt %s\n", BTRFS_CRYPT_VERSION);
}

/* popt would take the next word as its argument, but the argument can only follow an =. */
static bool close_optional(const struct command *command, int argc, const char **argv, struct error *err)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const struct poptOption *option = strncmp(argv[i], "--", 2) == 0 ? option_find(command->options, argv[i] + 2, 0) : NULL;
		char *closed;

		if (!option || !(option->argInfo & POPT_ARGFLAG_OPTIONAL))
			continue;
		if (asprintf(&closed, "%s=", argv[i]) < 0)
			return error_memory(err);
		argv[i] = closed;	/* as long as argv exists */
	}
	return true;
}

static int run_command(const struct command *command, int argc, const char **argv)
{
	static const char *none[] = { NULL };
	int help = 0, version = 0;
	char called[64];
	struct poptOption table[] = {
		{ NULL, 0, POPT_ARG_INCLUDE_TABLE, (void *)command->options, 0, NULL, NULL },
		/* If -h is not help, people mean readable sizes by it. */
		{ "help", command_has_letter('h') ? 0 : 'h', POPT_ARG_NONE, &help, 0, "show this help", NULL },
		{ NULL, '?', POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, &help, 0, NULL, NULL },
		{ "version", 'V', POPT_ARG_NONE, &version, 0, "show the version", NULL },
		POPT_TABLEEND
	};
	struct error err = { 0 };
	int status, rc;

	snprintf(called, sizeof(called), "btrfs-crypt %s", command->name);
	argv[0] = called;
	if (!close_optional(command, argc, argv, &err))
		return fail(&err);

	poptContext context = poptGetContext(NULL, argc, argv, table, 0);

	if (!context) {
		error_memory(&err);
		return fail(&err);
	}
	do
		rc = poptGetNextOpt(context);
	while (rc > 0);

	const char **operand = poptGetArgs(context);

	if (!operand)
		operand = none;
	if (rc < -1) {
		error_set(&err, ERROR_USAGE, "%s: %s", poptBadOption(context, 0), poptStrerror(rc));
		if (rc == POPT_ERROR_BADOPT)
			hint_option(command->name, command->options, poptBadOption(context, 0), &err);
		status = fail(&err);
	} else if (help) {
		print_help(*command, operand[0], context, table);
		status = 0;
	} else if (version) {
		print_version();
		status = 0;
	} else if (!format_check(&err) || !key_options_check(&err) || !check_operands(command, operand, argv + 1, &err)) {
		status = fail(&err);
	} else if (!command->run(operand, &err)) {
		if (operand[command->image_operand])
			hints_complete(operand[command->image_operand], &err);
		status = fail(&err);
	} else {
		status = command_status;
	}
	poptFreeContext(context);
	return status;
}

/* One line each: command, letter, name, name of its argument, explanation. A - stands for what is missing. */
static void print_options(const char *command, const struct poptOption *table)
{
	for (; table->longName || table->shortName || table->arg; table++) {
		const char letter[3] = { '-', table->shortName };
		const unsigned kind = table->argInfo & POPT_ARG_MASK;

		if (kind == POPT_ARG_INCLUDE_TABLE)
			print_options(command, table->arg);
		else if (kind != POPT_ARG_CALLBACK && !(table->argInfo & POPT_ARGFLAG_DOC_HIDDEN))
			printf("%s\t%s\t%s%s\t%s%s\t%s\n", command, letter, table->longName ? "--" : "-", table->longName ? table->longName : "",
			       table->argInfo & POPT_ARGFLAG_OPTIONAL ? "=" : "", table->argDescrip ? option_argument(table) : "-", table->descrip);
	}
}

static void print_all_options(void)
{
	const char *none = "-";

	for (size_t i = 0; i < N_COMMANDS; i++) {
		const char *help = option_find(commands[i]->options, NULL, 'h') ? none : "-h";

		print_options(commands[i]->name, commands[i]->options);
		printf("%s\t%s\t--help\t-\tshow this help\n%s\t-V\t--version\t-\tshow the version\n", commands[i]->name, help, commands[i]->name);
	}
}

static void print_overview(void)
{
	struct help help;

	help_begin(&help);
	fprintf(help.out, "btrfs-crypt: seals subvolumes of unmounted btrfs images, in place\n"
		"Usage: btrfs-crypt COMMAND [OPTION...] IMAGE [...]\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(help.out, "  %-12s%s\n", commands[i]->name, commands[i]->summary);
	fprintf(help.out, "\n  -h, --help       show this help; btrfs-crypt help COMMAND, or COMMAND --help, shows that of a command\n"
		"  -V, --version    show the version\n"
		"  --list-commands  the commands, their operands and what they do, separated by tabs\n"
		"  --list-options   the options of each command: letter, name, argument, what it does, separated by tabs\n"
		"\nManual: man btrfs-crypt\n");
	help_end(&help);
}

/* Is word one of the two? */
static bool is_word(const char *word, const char *one, const char *two)
{
	return strcmp(word, one) == 0 || strcmp(word, two) == 0;
}

/* --format means the same before the command as after it. */
static bool take_format(int *argc, const char ***argv, struct error *err)
{
	while (*argc > 1 && strncmp((*argv)[1], "--format", 8) == 0 && ((*argv)[1][8] == '\0' || (*argv)[1][8] == '=')) {
		const bool is_alone = (*argv)[1][8] == '\0';
		const char *const how = is_alone ? (*argv)[2] : (*argv)[1] + 9;

		if (!how)
			return error_set(err, ERROR_USAGE, "--format: missing argument");
		format_before_command(how);
		(*argv)[1 + is_alone] = (*argv)[0];
		*argv += 1 + is_alone;
		*argc -= 1 + is_alone;
	}
	return true;
}

static int dispatch(int argc, const char **argv)
{
	struct error err = { 0 };

	if (!take_format(&argc, &argv, &err))
		return fail(&err);

	const char *first = argc > 1 ? argv[1] : "";
	const char *help[] = { argv[0], argc > 2 ? argv[2] : NULL, "--help", NULL };

	/* "help COMMAND" is "COMMAND --help". */
	if (strcmp(first, "help") == 0 && argc > 2) {
		first = argv[2];
		argv = help;
		argc = 3;
	}
	if (is_word(first, "--help", "-h") || is_word(first, "help", "-?")) {
		print_overview();
		return 0;
	}
	if (is_word(first, "--version", "-V")) {
		print_version();
		return 0;
	}
	if (strcmp(first, "--list-commands") == 0) {
		for (size_t i = 0; i < N_COMMANDS; i++)
			printf("%s\t%s\t%s\n", commands[i]->name, commands[i]->operands[0] ? commands[i]->operands : "-", commands[i]->summary);
		return 0;
	}

	if (strcmp(first, "--list-options") == 0) {
		print_all_options();
		return 0;
	}

	const struct command *command = find_command(first);

	if (command) {
		command_name = command->name;
		command_options = command->options;
		if (command->is_verb && argc > 2 && strcmp(argv[2], "help") == 0)
			argv[2] = "--help";
		return run_command(command, argc - 1, argv + 1);
	}
	if (argc < 2) {
		error_set(&err, ERROR_USAGE, "command missing");
		return fail(&err);
	}

	char name[ESCAPED_SIZE(NEAR_WORD_MAX)];

	/* How to print errors may stand behind it. */
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--format=json") == 0 || (strcmp(argv[i], "json") == 0 && strcmp(argv[i - 1], "--format") == 0))
			format_before_command("json");
	}
	escape_text(first, strlen(first), name, sizeof(name));
	error_set(&err, ERROR_USAGE, "%s: unknown %s", name, first[0] == '-' ? "option" : "command");
	if (first[0] != '-')
		hint_command(commands, N_COMMANDS, argc - 1, argv + 1, &err);
	return fail(&err);
}

/*
 * An image must never be opened as descriptor 2, where error texts go. The substitute for a closed stdout cannot be written to: nobody gets the
 * output, and that must be an error.
 */
static bool open_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) != fd)
			return false;
	}
	return true;
}

/* As the signal would have ended it. */
static void end_without_reader(void)
{
	signal(SIGPIPE, SIG_DFL);
	raise(SIGPIPE);
}

int main(int argc, const char **argv)
{
	struct error err = { 0 };

	if (!open_standard_files())
		return ERROR_IO;
	if (!secret_init(&err))
		return fail(&err);

	const int status = dispatch(argc, argv);

	/* The output went to stdout, so a full disk there is a failure, although the status may also say what was found. */
	if (!has_failed && !stdout_flush(&err)) {
		fail(&err);
		return status != 0 ? status : ERROR_IO;
	}
	if (pipe_is_gone())
		end_without_reader();
	return status;
}
