/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The running command, the values of its options, and its words in a shell. */
#include "cmd/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/escape.h"
#include "common/util/number.h"

const char *command_name;
const struct poptOption *command_options;
int command_status;

const struct poptOption *option_find(const struct poptOption *table, const char *name, char letter)
{
	for (; table && (table->longName || table->shortName || table->arg); table++) {
		const bool is_table = (table->argInfo & POPT_ARG_MASK) == POPT_ARG_INCLUDE_TABLE;
		const struct poptOption *found = is_table ? option_find(table->arg, name, letter) : table;

		if (found && (is_table || (name && found->longName && strcmp(found->longName, name) == 0) ||
			      (letter && found->shortName == letter)))
			return found;
	}
	return NULL;
}

const char *option_argument(const struct poptOption *option)
{
	return option->argDescrip + (option->argDescrip[0] == '=');
}

bool command_has_option(const char *name)
{
	return option_find(command_options, name, 0);
}

bool command_has_letter(char letter)
{
	return option_find(command_options, NULL, letter);
}

bool option_number(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *number, struct error *err)
{
	unsigned long long value;
	char given[64];

	if (!text)
		return true;
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (text[0] && strspn(text, "0123456789") == strlen(text) && errno == 0 && value >= least && value <= most) {
		*number = value;
		return true;
	}
	escape_text(text, strlen(text), given, sizeof(given));
	return error_set(err, ERROR_USAGE, "%s: \"%s\" is not a number from %" PRIu64 " to %" PRIu64, option, given, least, most);
}

bool option_bytes(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *number, struct error *err)
{
	uint64_t value;
	char given[64];

	if (!text)
		return true;

	const bool is_number = bytes_parse(text, &value);

	if (is_number && value >= least && value <= most) {
		*number = value;
		return true;
	}
	escape_text(text, strlen(text), given, sizeof(given));
	error_set(err, ERROR_USAGE, "%s: \"%s\" is not a number from %" PRIu64 " to %" PRIu64, option, given, least, most);
	return !is_number && error_hint(err, "4096, 0x1000, 4K and 4KiB are the same; M, G, T, P and E are understood as well");
}

char *shell_word(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:@_";
	char *shown = escape_new(path, strlen(path));
	const bool escaped = shown && strcmp(shown, path) != 0;
	const char *quote = escaped ? "\\'" : "'\\''";
	char *word = NULL;
	size_t len;
	FILE *out = shown ? open_memstream(&word, &len) : NULL;

	if (!out) {
		free(shown);
		return NULL;
	}
	if (path[0] == '-')	/* not an option */
		fputs("./", out);
	if (path[0] && path[strspn(path, plain)] == '\0') {
		fputs(path, out);
	} else {
		fputs(escaped ? "$'" : "'", out);
		for (const char *at = shown; *at; at++) {
			if (*at == '\'')
				fputs(quote, out);
			else
				fputc(*at, out);
		}
		fputc('\'', out);
	}
	free(shown);
	if (fclose(out) == 0)
		return word;
	free(word);
	return NULL;
}
