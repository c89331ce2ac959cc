/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/help-fit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/terminal.h"

#define LEAST_COLUMNS 20

struct line {
	const char *text;
	size_t len;
};

static struct line line_at(const char *text)
{
	return (struct line){ text, strcspn(text, "\n") };
}

static const char *behind(struct line line)
{
	return line.text + line.len + (line.text[line.len] == '\n');
}

static size_t n_spaces(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] == ' ')
		n++;
	return n;
}

/* Where the second column of a row begins; 0 if the line is no row, or only the first column of one. */
static size_t second_column(struct line line)
{
	const size_t indent = n_spaces(line.text, line.len);

	/* "  -h, --help" has one space inside, and "      --help" begins further right. */
	for (size_t i = indent; indent > 0 && i + 2 < line.len; i++) {
		if (line.text[i] == ' ' && line.text[i + 1] == ' ')
			return i + n_spaces(line.text + i, line.len - i);
	}
	return 0;
}

/* The second column begins at the same place in all rows that have one. */
static size_t find_column(const char *text)
{
	size_t column = 0;

	for (struct line line = line_at(text); *line.text; line = line_at(behind(line))) {
		const size_t here = second_column(line);

		column = here > column ? here : column;
	}
	return column;
}

struct fit {
	FILE *out;
	size_t columns, indent;
	size_t at;	/* the column in which the next character is printed */
};

static void pad(struct fit *fit, size_t column)
{
	for (; fit->at < column; fit->at++)
		putc(' ', fit->out);
}

static void end_line(struct fit *fit)
{
	putc('\n', fit->out);
	fit->at = 0;
}

/* Prints words from the current column on, and continues at the indent of the next line if they do not fit. */
static void print_words(struct fit *fit, const char *text, size_t len)
{
	for (size_t i = n_spaces(text, len); i < len; i += n_spaces(text + i, len - i)) {
		size_t word = 0;

		while (i + word < len && text[i + word] != ' ')
			word++;
		if (fit->at > fit->indent && fit->at + 1 + word > fit->columns)
			end_line(fit);
		pad(fit, fit->at > fit->indent ? fit->at + 1 : fit->indent);
		fwrite(text + i, 1, word, fit->out);
		fit->at += word;
		i += word;
	}
}

/* Does the line continue the second column of the row before? */
static bool continues(struct line line, size_t column)
{
	return line.len > column && n_spaces(line.text, line.len) == column;
}

/* Prints a row, and returns what follows it. */
static const char *print_row(struct fit *fit, struct line line, size_t column)
{
	const size_t second = second_column(line);
	size_t name = second ? second : line.len;

	while (name > 0 && line.text[name - 1] == ' ')
		name--;
	fwrite(line.text, 1, name, fit->out);
	fit->at = name;
	fit->indent = column < fit->columns / 2 ? column : fit->columns / 2;
	if (second && name + 2 > fit->indent)
		end_line(fit);
	pad(fit, fit->indent);
	if (second)
		print_words(fit, line.text + second, line.len - second);
	for (line = line_at(behind(line)); continues(line, column); line = line_at(behind(line))) {
		if (fit->at > fit->indent && !second)
			end_line(fit);
		print_words(fit, line.text, line.len);
	}
	end_line(fit);
	return line.text;
}

void help_fit(const char *text, size_t columns, FILE *out)
{
	const size_t column = find_column(text);
	struct fit fit = { out, columns > LEAST_COLUMNS ? columns - 1 : LEAST_COLUMNS, 0, 0 };

	if (columns == 0) {
		fputs(text, out);
		return;
	}
	while (*text) {
		const struct line line = line_at(text);

		if (line.text[0] == ' ') {
			text = print_row(&fit, line, column);
			continue;
		}
		fit.indent = 0;
		fit.at = 0;
		print_words(&fit, line.text, line.len);
		end_line(&fit);
		text = behind(line);
	}
}

void help_begin(struct help *help)
{
	*help = (struct help){ 0 };
	if (terminal_columns(stdout) > 0)
		help->out = open_memstream(&help->text, &help->size);
	if (!help->out)
		help->out = stdout;
}

void help_end(struct help *help)
{
	if (help->out == stdout)
		return;
	if (fclose(help->out) == 0)
		help_fit(help->text, terminal_columns(stdout), stdout);
	free(help->text);
}
