/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks for a passphrase on the terminal. The terminal gets its echo back in any case. */
#include "common/crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "common/util/take.h"

static const int caught[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP };
#define N_CAUGHT (sizeof(caught) / sizeof(caught[0]))

static volatile sig_atomic_t last_signal;

static void remember_signal(int number)
{
	last_signal = number;
}

/* What asking changes and must restore. */
struct asking {
	int tty;
	struct termios terminal;
	sigset_t mask;
	struct sigaction action[N_CAUGHT];
};

static void asking_stop(struct asking *asking)
{
	while (tcsetattr(asking->tty, TCSAFLUSH, &asking->terminal) < 0 && errno == EINTR)
		;
	for (size_t i = 0; i < N_CAUGHT; i++)
		sigaction(caught[i], &asking->action[i], NULL);
	sigprocmask(SIG_SETMASK, &asking->mask, NULL);
}

/* Signals stay blocked except while waiting for the line, so that none can arrive between checking and waiting. */
static bool asking_start(struct asking *asking, struct error *err)
{
	const struct sigaction remember = { .sa_handler = remember_signal };
	struct termios silent;
	sigset_t block;

	if (tcgetattr(asking->tty, &asking->terminal) < 0)
		return error_system(err, "terminal");
	sigemptyset(&block);
	for (size_t i = 0; i < N_CAUGHT; i++)
		sigaddset(&block, caught[i]);
	sigprocmask(SIG_BLOCK, &block, &asking->mask);
	last_signal = 0;
	for (size_t i = 0; i < N_CAUGHT; i++)
		sigaction(caught[i], &remember, &asking->action[i]);
	silent = asking->terminal;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	silent.c_lflag |= ICANON;
	while (tcsetattr(asking->tty, TCSAFLUSH, &silent) < 0) {
		if (errno != EINTR) {
			error_system(err, "turning the terminal's echo off");
			asking_stop(asking);
			return false;
		}
	}
	return true;
}

static bool put(int fd, const char *text, struct error *err)
{
	size_t left = strlen(text);

	while (left > 0) {
		const ssize_t n = write(fd, text, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_system(err, "writing to the terminal");
		text += n;
		left -= n;
	}
	return true;
}

/* Reads one line without its newline. *len stays 0 if a signal came first. */
static bool read_line(const struct asking *asking, struct secret *line, size_t *len, struct error *err)
{
	struct pollfd wait = { .fd = asking->tty, .events = POLLIN };
	uint8_t *bytes = secret_bytes(line);
	size_t used = 0;

	*len = 0;
	while (used == 0 || bytes[used - 1] != '\n') {
		ssize_t n;

		if (used == secret_len(line))
			return error_set(err, ERROR_KEY, "the passphrase has more than %u bytes", SECRET_PASSPHRASE_MAX);
		if (ppoll(&wait, 1, NULL, &asking->mask) < 0) {
			if (errno != EINTR)
				return error_system(err, "waiting for the terminal");
			if (last_signal != 0)
				return true;
			continue;
		}
		n = read(asking->tty, bytes + used, secret_len(line) - used);
		if (n < 0 && errno != EINTR)
			return error_system(err, "reading the terminal");
		if (n == 0)
			return error_set(err, ERROR_KEY, "no passphrase was given");
		if (n > 0)
			used += n;
	}
	if (used == 1)
		return error_set(err, ERROR_KEY, SECRET_IS_EMPTY);
	if (memchr(bytes, '\0', used))
		return error_set(err, ERROR_KEY, "the passphrase has a NUL byte");
	*len = used - 1;
	return true;
}

/* Asks once, and again after a stop and a continue. */
static bool ask_once(int tty, const char *prompt, struct secret **secret, struct error *err)
{
	cleanup_secret struct secret *line = NULL;
	struct asking asking = { .tty = tty };
	struct error ignored;
	size_t len = 0;

	if (!secret_new(SECRET_PASSPHRASE_MAX + 1, &line, err))
		return false;
	do {
		bool ok;

		if (!asking_start(&asking, err))
			return false;
		ok = put(tty, prompt, err) && read_line(&asking, line, &len, err);
		ok = put(tty, "\n", ok ? err : &ignored) && ok;
		asking_stop(&asking);
		if (!ok)
			return false;
		if (last_signal != 0)
			raise(last_signal);	/* with the old handler: usually ends the process */
	} while (last_signal == SIGTSTP);
	if (len == 0)
		return error_set(err, ERROR_KEY, "no passphrase was given: interrupted");
	if (!secret_new(len, secret, err))
		return false;
	memcpy(secret_bytes(*secret), secret_view(line), len);
	return true;
}

static bool ask_on(int tty, const char *prompt, bool verify, struct secret **secret, struct error *err)
{
	cleanup_secret struct secret *first = NULL, *second = NULL;

	if (!ask_once(tty, prompt, &first, err))
		return false;
	if (verify) {
		if (!ask_once(tty, "The same again: ", &second, err))
			return false;
		if (!secret_equal(first, second))
			return error_set(err, ERROR_KEY, SECRETS_DIFFER);
	}
	*secret = TAKE(first);
	return true;
}

bool secret_ask(const char *prompt, bool verify, struct secret **secret, struct error *err)
{
	int tty;
	bool ok;

	if (!isatty(STDIN_FILENO)) {
		error_set(err, ERROR_KEY, "a key is needed, but standard input is not a terminal to ask on");
		return error_hint(err, "give --key-file, --passphrase-file or --passphrase-fd");
	}
	tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty < 0)
		return error_system(err, "/dev/tty");
	ok = ask_on(tty, prompt, verify, secret, err);
	close(tty);
	return ok;
}
