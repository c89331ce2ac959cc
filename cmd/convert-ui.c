/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `convert` asks and reports while it runs. */
#include "cmd/convert-ui.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/convert-print.h"
#include "cmd/print.h"
#include "cmd/progress.h"

static volatile sig_atomic_t stop_asked;	/* the number of the signal */

static void on_signal(int number)
{
	stop_asked = number;
}

void convert_catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, before;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, NULL, &before);
	if (before.sa_handler != SIG_IGN)	/* nohup */
		sigaction(SIGHUP, &action, NULL);
	/* A failed write is an error like any other, and no reason to stop at an unsafe point. */
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

void convert_talk_forget(struct convert_talk *talk)
{
	key_source_free(&talk->key);
	for (size_t i = 0; i < talk->n_keys; i++)
		key_source_free(&talk->keys[i]);
	free(talk->keys);
	talk->keys = NULL;
	talk->n_keys = 0;
}

/* Nothing was changed yet, so a signal ends the program, as it does while a passphrase is asked for. */
static void end_by_signal(struct convert_talk *talk)
{
	convert_talk_forget(talk);
	signal(stop_asked, SIG_DFL);
	raise(stop_asked);
}

/* Waits with poll(), which a signal interrupts. */
static bool ui_confirm(void *context, const char *question)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	struct convert_talk *talk = context;
	char answer[64];

	progress_clear(&talk->progress);
	fprintf(stderr, "%s  Go on? [y/N] ", question);
	fflush(stderr);
	if (stop_asked || poll(&input, 1, -1) != 1) {
		fputc('\n', stderr);
		if (stop_asked)
			end_by_signal(talk);
		return false;
	}

	const ssize_t n = read(STDIN_FILENO, answer, sizeof(answer));

	return n > 0 && (answer[0] == 'y' || answer[0] == 'Y');
}

static void ui_forget_secrets(void *context)
{
	convert_talk_forget(context);
}

bool convert_is_interactive(bool batch)
{
	return !batch && isatty(STDIN_FILENO);
}

bool convert_ui_init(bool batch, struct convert_talk *talk, struct convert_ui *ui, struct error *err)
{
	*talk = (struct convert_talk){ 0 };
	if (!progress_choose(&talk->progress, err))
		return false;
	*ui = (struct convert_ui){
		.context = talk,
		.progress = talk->progress.mode == PROGRESS_NONE ? NULL : ui_progress,
		.note = ui_note,
		.bad_block = ui_bad_block,
		.stop = ui_stop,
		.forget_secrets = ui_forget_secrets,
		.confirm = convert_is_interactive(batch) ? ui_confirm : NULL,
	};
	return true;
}
