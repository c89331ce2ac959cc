/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `convert` asks and tells while it runs. */
#include "cmd/convert-ui.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/convert-print.h"
#include "common/util/escape.h"

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
	(void)number;
	stop_asked = 1;
}

void convert_catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, before;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, NULL, &before);
	if (before.sa_handler != SIG_IGN)	/* nohup */
		sigaction(SIGHUP, &action, NULL);
	/* What cannot be written is an error as any other, and no reason to stop at an unsafe point. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static bool ui_stop(void *context)
{
	(void)context;
	return stop_asked;
}

static void ui_progress(void *context, const struct convert_progress *at)
{
	struct convert_talk *talk = context;

	convert_print_progress(&talk->progress, at);
}

static void ui_note(void *context, const char *text)
{
	struct convert_talk *talk = context;

	progress_clear(&talk->progress);
	print_note(NULL, text);
}

static void ui_bad_block(void *context, const struct convert_bad_block *block)
{
	struct convert_talk *talk = context;

	progress_clear(&talk->progress);
	convert_print_bad_block(block);
}

/* Waits with poll(), which a signal ends, so that control-C is an answer too. */
static bool ui_confirm(void *context, const char *question)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	struct convert_talk *talk = context;
	char answer[64];

	progress_clear(&talk->progress);
	fprintf(stderr, "%s  Go on? [y/N] ", question);
	fflush(stderr);
	if (poll(&input, 1, -1) != 1) {
		fputc('\n', stderr);
		return false;
	}

	const ssize_t n = read(STDIN_FILENO, answer, sizeof(answer));

	return n > 0 && (answer[0] == 'y' || answer[0] == 'Y');
}

static void ui_forget_secrets(void *context)
{
	struct convert_talk *talk = context;

	key_input_free(&talk->key);
}

bool convert_is_interactive(bool batch)
{
	return !batch && isatty(STDIN_FILENO);
}

static bool read_mode(const char *how, enum progress_mode *mode, struct error *err)
{
	if (!how || strcmp(how, "auto") == 0)
		*mode = isatty(STDERR_FILENO) && !format_is_json() ? PROGRESS_BAR : PROGRESS_NONE;
	else if (strcmp(how, "none") == 0)
		*mode = PROGRESS_NONE;
	else if (strcmp(how, "bar") == 0)
		*mode = PROGRESS_BAR;
	else if (strcmp(how, "json") == 0)
		*mode = PROGRESS_JSON;
	else
		return error_set(err, ERROR_USAGE, "--progress: auto, none, bar or json");
	return true;
}

#define SECONDS_MAX 86400

/* Digits, and a fraction at most: what else strtod() takes is no number of seconds. */
static bool read_seconds(const char *text, double *seconds, struct error *err)
{
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

bool convert_ui_init(const char *how, const char *frequency, bool batch, struct convert_talk *talk, struct convert_ui *ui,
		     struct error *err)
{
	enum progress_mode mode = PROGRESS_NONE;
	double seconds;

	if (!read_mode(how, &mode, err) || !read_seconds(frequency, &seconds, err))
		return false;
	*talk = (struct convert_talk){ 0 };
	progress_init(&talk->progress, mode, stderr, seconds);
	*ui = (struct convert_ui){
		.context = talk,
		.progress = mode == PROGRESS_NONE ? NULL : ui_progress,
		.note = ui_note,
		.bad_block = ui_bad_block,
		.stop = ui_stop,
		.forget_secrets = ui_forget_secrets,
		.confirm = convert_is_interactive(batch) ? ui_confirm : NULL,
	};
	return true;
}
