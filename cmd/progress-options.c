/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How progress is shown. */
#include "cmd/progress-options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/print.h"
#include "cmd/unpacked.h"
#include "common/util/escape.h"

#define SECONDS_MAX 86400

static struct {
	char *how, *frequency;
} opt;

struct poptOption options_progress[] = {
	{ "progress", 0, POPT_ARG_STRING, &opt.how, 0, "how to show progress on standard error", "auto|none|bar|json" },
	{ "progress-frequency", 0, POPT_ARG_STRING, &opt.frequency, 0, "seconds between two reports (default 1)", "SECONDS" },
	POPT_TABLEEND
};

static bool read_mode(enum progress_mode *mode, struct error *err)
{
	const char *how = opt.how ? opt.how : "auto";

	if (strcmp(how, "auto") == 0)
		*mode = isatty(STDERR_FILENO) && !format_is_json() ? PROGRESS_BAR : PROGRESS_NONE;
	else if (strcmp(how, "none") == 0)
		*mode = PROGRESS_NONE;
	else if (strcmp(how, "bar") == 0)
		*mode = PROGRESS_BAR;
	else if (strcmp(how, "json") == 0)
		*mode = PROGRESS_JSON;
	else
		return error_set(err, ERROR_USAGE, "--progress takes auto, none, bar or json");
	return true;
}

/* Digits, with a fraction at most. Anything else that strtod() accepts is not a number of seconds. */
static bool read_seconds(double *seconds, struct error *err)
{
	const char *text = opt.frequency;
	char given[64], *end;

	*seconds = 1;
	if (!text)
		return true;
	*seconds = strtod(text, &end);
	if (text[0] && strspn(text, "0123456789.") == strlen(text) && !*end && *seconds <= SECONDS_MAX)
		return true;
	escape_text(text, strlen(text), given, sizeof(given));
	return error_set(err, ERROR_USAGE, "--progress-frequency: \"%s\" is not a number from 0 to %d", given, SECONDS_MAX);
}

bool progress_choose(struct progress *progress, struct error *err)
{
	enum progress_mode mode = PROGRESS_NONE;
	double seconds;

	if (!read_mode(&mode, err) || !read_seconds(&seconds, err))
		return false;
	progress_init(progress, mode, stderr, seconds);
	unpacked_progress(mode, seconds);
	return true;
}
