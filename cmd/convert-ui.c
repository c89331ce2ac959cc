/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `convert` asks and reports while it runs. */
#include "cmd/convert-ui.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/convert-print.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "common/device/device.h"

/* --- signals ------------------------------------------------------------------------------------------------------ */

#define AGAIN_NANOSECONDS 100000000

static const int caught[] = { SIGINT, SIGTERM, SIGHUP };
#define N_CAUGHT (sizeof(caught) / sizeof(caught[0]))

static volatile sig_atomic_t has_written, stop_asked;	/* stop_asked: the number of the signal */
static volatile sig_atomic_t asking;			/* a question is on the current line */
static struct timespec stop_time;
static const struct progress *shown;

/* What the handler prints, which may not make it itself. */
struct message {
	char *bytes;
	size_t len;
};
static struct message at_once, after_batch;

static void put_message(const struct message *message)
{
	static const char clear[] = "\r\033[K";

	if (shown && shown->on_line)
		(void)!write(STDERR_FILENO, clear, strlen(clear));
	if (asking)
		(void)!write(STDERR_FILENO, "\n", 1);
	if (message->bytes)
		(void)!write(STDERR_FILENO, message->bytes, message->len);
}

/* timeout(1) sends its signal to the process and to its group, and a shell that ends does likewise: that is one signal. */
static bool is_same_signal(int number)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return number == stop_asked &&
	       (now.tv_sec - stop_time.tv_sec) * 1000000000LL + now.tv_nsec - stop_time.tv_nsec < AGAIN_NANOSECONDS;
}

/* Only what a handler may call. The others of these signals are blocked meanwhile. */
static void on_signal(int number)
{
	const int saved = errno;

	if (!has_written) {
		put_message(&at_once);
		_exit(ERROR_STOPPED);
	}
	if (!stop_asked) {
		stop_asked = number;
		clock_gettime(CLOCK_MONOTONIC, &stop_time);
		put_message(&after_batch);
	} else if (!is_same_signal(number)) {
		signal(number, SIG_DFL);
		raise(number);	/* once this function has returned */
	}
	errno = saved;
}

static void on_first_write(void)
{
	has_written = 1;
}

static void make_messages(bool is_unfinished)
{
	struct error stopped = { 0 };
	FILE *out;

	error_set(&stopped, ERROR_STOPPED, is_unfinished ? "stopped; nothing was changed, and the conversion is as unfinished as before" :
							   "stopped; nothing was changed");
	stopped.resumable = is_unfinished;
	out = open_memstream(&at_once.bytes, &at_once.len);
	if (out) {
		error_show(&stopped, out);
		fclose(out);
	}
	out = open_memstream(&after_batch.bytes, &after_batch.len);
	if (out) {
		print_note_to(out, "stopping after this batch...");
		fclose(out);
	}
}

static void mask_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < N_CAUGHT; i++)
		sigaddset(&set, caught[i]);
	sigprocmask(how, &set, NULL);
}

void convert_catch_signals(bool is_unfinished)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, before;

	mask_signals(SIG_BLOCK);
	free(at_once.bytes);
	free(after_batch.bytes);
	at_once = after_batch = (struct message){ 0 };
	make_messages(is_unfinished);
	for (size_t i = 0; i < N_CAUGHT; i++)
		sigaddset(&action.sa_mask, caught[i]);
	for (size_t i = 0; i < N_CAUGHT; i++) {
		sigaction(caught[i], NULL, &before);
		if (caught[i] != SIGHUP || before.sa_handler != SIG_IGN)	/* nohup */
			sigaction(caught[i], &action, NULL);
	}
	/* A failed write is an error like any other, and no reason to stop at an unsafe point. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	device_before_first_write(on_first_write);
	mask_signals(SIG_UNBLOCK);
}

/* --- what convert tells ------------------------------------------------------------------------------------------- */

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

static bool ui_confirm(void *context, const char *question)
{
	struct convert_talk *talk = context;
	char answer[64];

	progress_clear(&talk->progress);
	fprintf(stderr, "%s  Go on? [y/N] ", question);
	fflush(stderr);
	asking = 1;

	const ssize_t n = read(STDIN_FILENO, answer, sizeof(answer));

	asking = 0;
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
	shown = &talk->progress;
	*ui = (struct convert_ui){
		.context = talk,
		.progress = talk->progress.mode == PROGRESS_NONE ? NULL : ui_progress,
		.note = ui_note,
		.bad_block = ui_bad_block,
		.stop = ui_stop,
		.forget_secrets = ui_forget_secrets,
		.confirm = convert_is_interactive(batch) ? ui_confirm : NULL,
		.nobody_to_ask = !batch && !convert_is_interactive(batch),
	};
	return true;
}
