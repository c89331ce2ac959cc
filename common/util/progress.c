/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Progress of a long run. */
#include "common/util/progress.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define BAR_WIDTH 30
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

static void print_bar(struct progress *progress, uint64_t done, uint64_t total, double speed, double left)
{
	static const char full[] = "##############################";
	static_assert(sizeof(full) == BAR_WIDTH + 1, "the bar");
	const int width = total ? (int)((double)done / total * BAR_WIDTH) : BAR_WIDTH;
	const unsigned seconds = left > 0 && left < 1e8 ? left : 0;

	char size[64] = "", rate[64] = "";

	/* Short parts count something else, and at first the speed is unknown. */
	if (total >= MIB)
		snprintf(size, sizeof(size), "  %.0f MiB of %.0f", (double)done / MIB, (double)total / MIB);
	if (total >= MIB && speed > 0)
		snprintf(rate, sizeof(rate), ", %.0f MiB/s, %u:%02u left", speed / MIB, seconds / 60, seconds % 60);
	fprintf(progress->out, "\r%-10s [%-*.*s] %3.0f%%%s%s \033[K", progress->what, BAR_WIDTH, width, full,
		total ? 100.0 * done / total : 100.0, size, rate);
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
