/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Progress of a long run, and the options for it. */
#include "cmd/progress.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/print.h"
#include "cmd/unpacked.h"
#include "common/util/escape.h"
#include "common/util/terminal.h"

#define COLUMNS 80		/* of what is no terminal */
#define BAR_WIDTH 30
#define BAR_LEAST 10
#define MIB 1048576

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

void progress_init(struct progress *progress, enum progress_mode mode, FILE *out, double every)
{
	*progress = (struct progress){ .mode = mode, .out = out, .every = every };
}

static size_t columns(FILE *out)
{
	const size_t n = terminal_columns(out);

	return n > 0 ? n : COLUMNS;
}

/* All that may stand beside the bar, of less than 100 GiB, with less than 10 GiB/s and 1000 minutes left. */
#define BESIDE_MOST strlen("  12345 MiB of 12345 MiB, 1234 MiB/s, 123:45 left")

/*
 * What does not fit is left out: the speed first, then how much there is, then the bar. The bar only depends on the terminal, so that it
 * keeps its length, and what stands beside it keeps its place.
 */
static void print_bar(struct progress *progress, uint64_t done, uint64_t total, double speed, double left)
{
	static const char full[] = "##############################";
	static_assert(sizeof(full) == BAR_WIDTH + 1, "the bar");
	const size_t room = columns(progress->out) - 1, fixed = strlen("leaves     [] 100%");
	const unsigned seconds = left > 0 && left < 1e8 ? left : 0;
	char size[64] = "", rate[40] = "", time[40] = "";
	size_t bar = room > fixed + BESIDE_MOST ? room - fixed - BESIDE_MOST : 0;

	bar = bar < BAR_LEAST ? BAR_LEAST : bar > BAR_WIDTH ? BAR_WIDTH : bar;
	/* Short parts count something else, and at first the speed is unknown. */
	if (total >= MIB) {
		const int digits = snprintf(NULL, 0, "%.0f", (double)total / MIB);

		snprintf(size, sizeof(size), "  %*.0f MiB of %.0f MiB", digits, (double)done / MIB, (double)total / MIB);
	}
	if (total >= MIB && speed > 0) {
		snprintf(rate, sizeof(rate), ", %4.0f MiB/s", speed / MIB);
		snprintf(time, sizeof(time), ", %3u:%02u left", seconds / 60, seconds % 60);
	}
	if (fixed + bar + strlen(size) + strlen(", 1234 MiB/s") + strlen(", 123:45 left") > room || fixed + bar + strlen(size) + strlen(rate) + strlen(time) > room)
		rate[0] = 0;
	if (fixed + bar + strlen(size) + strlen(", 123:45 left") > room || fixed + bar + strlen(size) + strlen(time) > room)
		size[0] = 0;

	char beside[sizeof(size) + sizeof(rate) + sizeof(time)];

	snprintf(beside, sizeof(beside), "%s%s%s", size, rate, time);

	const int percent = total ? (int)(100.0 * done / total) : 100;
	const int width = total ? (int)((double)done / total * bar) : (int)bar;

	if (fixed + bar <= room)
		fprintf(progress->out, "\r%-10s [%-*.*s] %3d%%%.*s\033[K", progress->what, (int)bar, width, full, percent,
			(int)(room - fixed - bar), beside);
	else
		fprintf(progress->out, "\r%.*s %d%%\033[K", room > 5 ? (int)room - 5 : 0, progress->what, percent);
	progress->on_line = true;
}

static void print_json(struct progress *progress, uint64_t done, uint64_t total, double speed, double left, double elapsed)
{
	fprintf(progress->out,
		"{\"progress\":\"%s\",\"done\":\"%" PRIu64 "\",\"total\":\"%" PRIu64 "\",\"speed\":\"%.0f\",\"eta_ms\":\"%.0f\","
		"\"time_ms\":\"%.0f\"}\n",
		progress->what, done, total, speed, left * 1000, elapsed * 1000);
}

void progress_update(struct progress *progress, const char *what, uint64_t done, uint64_t total)
{
	if (progress->mode == PROGRESS_NONE)
		return;

	const double time = now();

	if (done > total)
		done = total;
	if (!progress->what || strcmp(progress->what, what) != 0) {
		progress->what = what;
		progress->began = time;
		progress->first = done;
	} else if (time - progress->reported < progress->every && done != total) {
		return;
	}
	progress->reported = time;

	const double elapsed = time - progress->began;
	const double speed = elapsed > 0 && done > progress->first ? (done - progress->first) / elapsed : 0;
	const double left = speed > 0 ? (total - done) / speed : 0;

	if (progress->mode == PROGRESS_BAR)
		print_bar(progress, done, total, speed, left);
	else
		print_json(progress, done, total, speed, left, elapsed);
	fflush(progress->out);
}

void progress_clear(struct progress *progress)
{
	if (!progress->on_line)
		return;
	fputs("\r\033[K", progress->out);
	fflush(progress->out);
	progress->on_line = false;
}

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
