/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Quotes a file name for a shell. */
#include "cmd/shell-word.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/escape.h"

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
