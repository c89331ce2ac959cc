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
	{ "luksFormat", "convert --encrypt", "IMAGE SUBVOL" }, { "reencrypt", "convert --rekey", "IMAGE SUBVOL" },
	{ "luksDump", "key list", "IMAGE SUBVOL" }, { "luksUUID", "key list", "IMAGE SUBVOL" }, { "luksAddKey", "key add", "IMAGE SUBVOL" },
	{ "luksChangeKey", "key change", "IMAGE SUBVOL" }, { "luksRemoveKey", "key remove", "IMAGE SUBVOL" },
	{ "luksKillSlot", "key remove --key-slot N", "IMAGE SUBVOL" }, { "luksHeaderBackup", "key backup", "IMAGE SUBVOL FILE" },
	{ "luksHeaderRestore", "key restore", "IMAGE SUBVOL FILE" },
	/* the same in other words */
	{ "rekey", "convert --rekey", "IMAGE SUBVOL" }, { "addkey", "key add", "IMAGE SUBVOL" }, { "add-key", "key add", "IMAGE SUBVOL" },
	{ "passwd", "key change", "IMAGE SUBVOL" }, { "unlock", "key in", "IMAGE SUBVOL" }, { "lock", "key out", "IMAGE SUBVOL" },
	{ "bench", "benchmark", "" }, { "dump", "dump-tree", "IMAGE" },
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* What other tools do and this one does not, and what to do instead. */
#define NO_OPENING "nothing has to be opened: cat, export and verify take the key; `key in` keeps it in a keyring"
#define NO_CLOSING "nothing is open between commands; `key out` takes a key out of a keyring"
#define NO_ERASING "key slots are removed one by one, by `key remove --key-slot N`; the last one needs --force"
static const struct {
	const char *word, *text;
} sayings[] = {
	{ "open", NO_OPENING }, { "luksOpen", NO_OPENING }, { "close", NO_CLOSING }, { "luksClose", NO_CLOSING },
	{ "erase", NO_ERASING }, { "luksErase", NO_ERASING },
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

/* Those that n given words leave out, of "IMAGE SUBVOL [PATH]": what is in brackets may be missing. */
static bool add_missing(char *text, size_t size, const char *operands, int n)
{
	for (const char *word = operands; *word && *word != '['; word += strcspn(word, " "), word += strspn(word, " ")) {
		const size_t used = strlen(text);

		if (n-- <= 0 && snprintf(text + used, size - used, " %.*s", (int)strcspn(word, " "), word) >= (int)(size - used))
			return false;
	}
	return true;
}

/*
 * The words behind word[0] follow what is to be typed instead of it, and then the operands that are still missing; if there are none, or too
 * many, all operands do.
 */
static void hint_instead(const char *instead, const char *operands, int n_words, const char *const *word, struct error *err)
{
	char text[sizeof(err->hint) - 16];
	bool fits = n_words > 1, asks_help = false;
	int n = 0;

	snprintf(text, sizeof(text), "btrfs-crypt %s", instead);
	for (int i = 1; i < n_words && fits; i++) {
		fits = add_word(text, sizeof(text), word[i]);
		n += word[i][0] != '-';
		asks_help |= strcmp(word[i], "--help") == 0;
	}
	if (!fits || (!asks_help && !add_missing(text, sizeof(text), operands, n)))
		snprintf(text, sizeof(text), "btrfs-crypt %s%s%s", instead, operands[0] ? " " : "", operands);
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

/* cryptsetup has reencrypt --encrypt and --decrypt, which are actions of convert. */
static bool says_action(int n_words, const char *const *word)
{
	for (int i = 1; i < n_words; i++) {
		if (strcmp(word[i], "--encrypt") == 0 || strcmp(word[i], "--decrypt") == 0)
			return strcasecmp(word[0], "reencrypt") == 0;
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
			hint_instead(says_action(n_words, word) ? "convert" : verbs[i].instead, verbs[i].operands, n_words, word, err);
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

void hint_action(const char *const *word, struct error *err)
{
	int n = 1;

	for (size_t i = 0; i < N_VERBS; i++) {
		if (strcasecmp(word[0], verbs[i].word) == 0 && strncmp(verbs[i].instead, "convert ", strlen("convert ")) == 0) {
			while (word[n])
				n++;
			hint_instead(verbs[i].instead, verbs[i].operands, n, word, err);
			return;
		}
	}
}

/* What other tools call a verb of key. */
static const struct {
	const char *word, *verb;
} key_verbs[] = {
	{ "luksAddKey", "add" }, { "addkey", "add" }, { "new", "add" }, { "luksDump", "list" }, { "dump", "list" }, { "show", "list" }, { "ls", "list" },
	{ "rm", "remove" }, { "del", "remove" }, { "delete", "remove" }, { "kill", "remove" }, { "luksRemoveKey", "remove" }, { "luksKillSlot", "remove" },
	{ "passwd", "change" }, { "luksChangeKey", "change" }, { "rename", "label" }, { "luksHeaderBackup", "backup" },
	{ "luksHeaderRestore", "restore" }, { "login", "in" }, { "unlock", "in" }, { "logout", "out" }, { "lock", "out" },
	{ "export", "export-volume-key" },
};

void hint_verb(const char *const *names, size_t n, const char *given, struct error *err)
{
	struct near near = NEAR(given);

	for (size_t i = 0; i < sizeof(key_verbs) / sizeof(key_verbs[0]); i++) {
		if (strcasecmp(given, key_verbs[i].word) == 0) {
			error_hint(err, "did you mean `btrfs-crypt key %s`? see btrfs-crypt key --help", key_verbs[i].verb);
			return;
		}
	}
	for (size_t i = 0; i < n; i++)
		near_offer(&near, names[i], strlen(names[i]), names[i], strlen(names[i]));
	if (near_found(&near))
		error_hint(err, "did you mean `btrfs-crypt key %s`? see btrfs-crypt key --help", near.name);
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
	{ "slot", "key-slot" }, { "password-file", "passphrase-file" }, { "new-keyfile", "new-key-file" },
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

	if (strcmp(given, "-y") == 0 && option_find(table, "batch-mode", 0))
		error_hint(err, "did you mean --batch-mode? see btrfs-crypt %s --help", command);
	if (strncmp(given, "--", 2) != 0 || strcspn(given + 2, "=") >= sizeof(word))
		return;
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(given + 2, "="), given + 2);
	if (strcmp(word, "force-password") == 0) {
		error_hint(err, "leave it out: no passphrase is refused for being weak");
		return;
	}
	if (strcmp(word, "verify-passphrase") == 0) {
		error_hint(err, "leave it out: a new passphrase is always asked for twice");
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
