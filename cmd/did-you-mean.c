/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hints for commands and options that do not exist. */
#include "cmd/did-you-mean.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cmd/command.h"
#include "common/util/escape.h"
#include "common/util/near.h"

/* What people call an action, and how to ask for it. */
static const struct {
	const char *word, *instead, *operands;
} verbs[] = {
	{ "encrypt", "convert --encrypt", "IMAGE SUBVOL" }, { "seal", "convert --encrypt", "IMAGE SUBVOL" },
	{ "decrypt", "convert --decrypt", "IMAGE SUBVOL" }, { "unseal", "convert --decrypt", "IMAGE SUBVOL" },
	{ "resume", "convert --resume", "IMAGE" }, { "abort", "convert --abort", "IMAGE" }, { "status", "convert --status", "IMAGE" },
	{ "dump-crypt", "dump-tree --crypt", "IMAGE" }, { "map", "resolve --logical=ADDRESS", "IMAGE" },
	{ "logical-resolve", "resolve --logical=ADDRESS", "IMAGE" }, { "inode-resolve", "resolve --inode=N", "IMAGE SUBVOL" },
	{ "restore", "export -o OUT", "IMAGE SUBVOL" }, { "extract", "export -o OUT", "IMAGE SUBVOL" },
	{ "usage", "df", "IMAGE" },
	/* cryptsetup */
	{ "luksFormat", "convert --encrypt", "IMAGE SUBVOL" }, { "reencrypt", "convert --encrypt", "IMAGE SUBVOL" },
	{ "luksDump", "dump-tree --crypt", "IMAGE" },
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* What other tools do and this one does not, and what to do instead. */
#define ONE_SLOT "a key slot cannot be changed: unseal the subvolume, and seal it again with the other passphrase or key file"
#define NO_OPENING "nothing has to be opened: cat, export and verify take the key"
static const struct {
	const char *word, *text;
} sayings[] = {
	{ "luksAddKey", ONE_SLOT }, { "luksChangeKey", ONE_SLOT }, { "luksRemoveKey", ONE_SLOT }, { "luksKillSlot", ONE_SLOT },
	{ "open", NO_OPENING }, { "luksOpen", NO_OPENING },
	{ "check", "`btrfs check` checks a filesystem; btrfs-crypt verify authenticates a sealed subvolume, with its key" },
	{ "scrub", "`btrfs scrub` checks a mounted filesystem; btrfs-crypt verify authenticates a sealed subvolume, with its key" },
};

/* As it was given, quoted if a shell needs that. False if it does not fit. */
static bool add_word(char *text, size_t size, const char *word)
{
	const size_t used = strlen(text);
	/* An option stays an option. */
	const char *const value = word[0] == '-' ? strchr(word, '=') : NULL;
	const bool is_plain = word[0] == '-' && !value;
	char *quoted = shell_word(value ? value + 1 : word);
	const int n = !quoted ? -1 : is_plain ? snprintf(text + used, size - used, " %s", quoted + 2 * (strncmp(quoted, "./", 2) == 0)) :
		      snprintf(text + used, size - used, " %.*s%s", value ? (int)(value + 1 - word) : 0, word, quoted);

	free(quoted);
	return n > 0 && (size_t)n < size - used;
}

/* The words behind word[0] follow what is to be typed instead of it; if there are none, or too many, the operands do. */
static void hint_instead(const char *instead, const char *operands, int n_words, const char *const *word, struct error *err)
{
	char text[sizeof(err->hint) - 16];
	bool fits = n_words > 1;

	snprintf(text, sizeof(text), "btrfs-crypt %s", instead);
	for (int i = 1; i < n_words && fits; i++)
		fits = add_word(text, sizeof(text), word[i]);
	if (!fits)
		snprintf(text, sizeof(text), "btrfs-crypt %s %s", instead, operands);
	error_hint(err, "it is `%s`", text);
}

/* btrfs(8) has its commands in groups: "inspect-internal dump-tree". */
static bool is_group(const char *word)
{
	static const char *const groups[] = { "inspect-internal", "inspect", "subvolume", "sub", "filesystem", "fi" };

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (strcmp(word, groups[i]) == 0)
			return true;
	}
	return false;
}

void hint_command(const struct command *const *commands, size_t n, int n_words, const char *const *word, struct error *err)
{
	struct near near = NEAR(word[0]);

	if (is_group(word[0]) && n_words > 1) {
		for (size_t i = 0; i < n; i++) {
			if (strcmp(word[1], commands[i]->name) == 0) {
				hint_instead(word[1], commands[i]->operands, n_words - 1, word + 1, err);
				return;
			}
		}
		hint_command(commands, n, n_words - 1, word + 1, err);
		return;
	}
	for (size_t i = 0; i < N_VERBS; i++) {
		if (strcasecmp(word[0], verbs[i].word) == 0) {
			hint_instead(verbs[i].instead, verbs[i].operands, n_words, word, err);
			return;
		}
	}
	for (size_t i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++) {
		if (strcasecmp(word[0], sayings[i].word) == 0) {
			error_hint(err, "%s", sayings[i].text);
			return;
		}
	}
	for (size_t i = 0; i < n; i++)
		near_offer(&near, commands[i]->name, strlen(commands[i]->name), commands[i]->name, strlen(commands[i]->name));
	for (size_t i = 0; i < N_VERBS; i++)
		near_offer(&near, verbs[i].word, strlen(verbs[i].word), verbs[i].instead, strlen(verbs[i].instead));
	if (near_found(&near))
		error_hint(err, "did you mean `btrfs-crypt %s`? see btrfs-crypt --help", near.name);
}

/* --- options ------------------------------------------------------------------------------------------------------ */

/* What other tools call an option of ours. */
static const struct {
	const char *typed, *meant;
} others[] = {
	{ "bytenr", "super" }, { "raw", "ciphertext" }, { "raw", "bytes" }, { "offset", "image-offset" }, { "keyfile", "key-file" },
	{ "passphrase", "passphrase-file" },
	{ "password", "passphrase-file" }, { "json", "format" }, { "utc", "local-time" }, { "master-key-file", "volume-key-file" },
	{ "yes", "batch-mode" }, { "human", "human-readable" }, { "time", "local-time" },
};
#define N_OTHERS (sizeof(others) / sizeof(others[0]))

static void offer_options(struct near *near, const struct poptOption *table)
{
	for (; table->longName || table->shortName || table->arg; table++) {
		if ((table->argInfo & POPT_ARG_MASK) == POPT_ARG_INCLUDE_TABLE)
			offer_options(near, table->arg);
		else if (table->longName && !(table->argInfo & POPT_ARGFLAG_DOC_HIDDEN))
			near_offer(near, table->longName, strlen(table->longName), table->longName, strlen(table->longName));
	}
}

void hint_option(const char *command, const struct poptOption *table, const char *given, struct error *err)
{
	char word[NEAR_WORD_MAX + 1];
	struct near near;

	if (strncmp(given, "--", 2) != 0 || strcspn(given + 2, "=") >= sizeof(word))
		return;
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(given + 2, "="), given + 2);
	if (strcmp(word, "force-password") == 0) {
		error_hint(err, "leave it out: no passphrase is refused for being weak");
		return;
	}
	for (size_t i = 0; i < N_OTHERS; i++) {
		if (strcmp(word, others[i].typed) == 0 && option_find(table, others[i].meant, 0)) {
			error_hint(err, "did you mean --%s? see btrfs-crypt %s --help", others[i].meant, command);
			return;
		}
	}
	near = (struct near)NEAR(word);
	offer_options(&near, table);
	if (near_found(&near))
		error_hint(err, "did you mean --%s? see btrfs-crypt %s --help", near.name, command);
}

/* Is the word an option, without =, whose argument is the next word? */
static const struct poptOption *before_argument(const struct poptOption *table, const char *word)
{
	const bool is_long = strncmp(word, "--", 2) == 0;
	const bool is_letters = !is_long && word[0] == '-' && word[1];
	const struct poptOption *option = is_long ? option_find(table, word + 2, 0) :
					  is_letters ? option_find(table, NULL, word[strlen(word) - 1]) : NULL;

	return option && option->argDescrip && !(option->argInfo & POPT_ARGFLAG_OPTIONAL) ? option : NULL;
}

static bool names_a_file(const struct poptOption *option)
{
	static const char *const names[] = { "FILE", "PATH", "OUT" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(option_argument(option), names[i]) == 0)
			return true;
	}
	return false;
}

void hint_swallowed(const struct poptOption *table, const char *const *word, struct error *err)
{
	char value[ESCAPED_SIZE(NEAR_WORD_MAX)];

	for (; word[0] && word[1] && strcmp(word[0], "--") != 0; word++) {
		const struct poptOption *const option = before_argument(table, word[0]);

		if (!option)
			continue;
		if (!names_a_file(option) && strlen(word[1]) <= NEAR_WORD_MAX && access(word[1], F_OK) == 0) {
			escape_text(word[1], strlen(word[1]), value, sizeof(value));
			error_hint(err, "\"%s\" was taken as %s, the argument of %s", value, option_argument(option), word[0]);
			return;
		}
		word++;
	}
}
