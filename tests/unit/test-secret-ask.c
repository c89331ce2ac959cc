/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking on a terminal: nothing typed is shown, and the echo is back whatever ended it. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "common/crypto/secret.h"

#define PROMPT "passphrase of it: "
#define TYPED "s3cret words"

/* A terminal, the process that asks on it, and all that it showed. */
struct talk {
	int master;
	pid_t child;
	char shown[4096];
	size_t n_shown;
};

static int set_up(void **state)
{
	struct error err = { 0 };

	(void)state;
	return secret_init(&err) ? 0 : -1;
}

/* Exits with the kind of the error, or 0 where the answer is TYPED, or 99 where it is another. */
static void child_main(const char *slave_name, bool verify)
{
	struct secret *secret = NULL;
	struct error err = { 0 };
	int slave;

	setsid();
	slave = open(slave_name, O_RDWR);	/* becomes the controlling terminal */
	if (slave < 0 || dup2(slave, STDIN_FILENO) < 0)
		_exit(98);
	if (!secret_ask(PROMPT, verify, &secret, &err))
		_exit(err.kind);
	_exit(secret_len(secret) == strlen(TYPED) && memcmp(secret_view(secret), TYPED, strlen(TYPED)) == 0 ? 0 : 99);
}

static struct talk talk_start(bool verify)
{
	struct talk talk = { .master = posix_openpt(O_RDWR | O_NOCTTY) };
	char name[128];

	assert_true(talk.master >= 0);
	assert_int_equal(grantpt(talk.master), 0);
	assert_int_equal(unlockpt(talk.master), 0);
	assert_int_equal(ptsname_r(talk.master, name, sizeof(name)), 0);
	talk.child = fork();
	assert_true(talk.child >= 0);
	if (talk.child == 0) {
		close(talk.master);
		child_main(name, verify);
	}
	return talk;
}

static bool echoes(const struct talk *talk)
{
	struct termios terminal;

	assert_int_equal(tcgetattr(talk->master, &terminal), 0);
	return terminal.c_lflag & ECHO;
}

/* Until text has been shown n times. */
static void wait_for(struct talk *talk, const char *text, unsigned n)
{
	struct pollfd wait = { .fd = talk->master, .events = POLLIN };

	for (;;) {
		const char *at = talk->shown;
		unsigned found = 0;
		ssize_t got;

		while ((at = strstr(at, text)) != NULL) {
			at++;
			found++;
		}
		if (found >= n)
			return;
		if (poll(&wait, 1, 20000) != 1)
			fail_msg("\"%s\" does not appear, shown is \"%s\"", text, talk->shown);
		got = read(talk->master, talk->shown + talk->n_shown, sizeof(talk->shown) - 1 - talk->n_shown);
		if (got <= 0)
			fail_msg("the terminal ends without \"%s\", shown is \"%s\"", text, talk->shown);
		talk->n_shown += got;
	}
}

static void type(const struct talk *talk, const char *text)
{
	assert_false(echoes(talk));
	assert_int_equal(write(talk->master, text, strlen(text)), strlen(text));
}

/* The status of the child; the echo is back, and what was typed was never shown. */
static int talk_end(struct talk *talk)
{
	int status;

	assert_int_equal(waitpid(talk->child, &status, 0), talk->child);
	assert_true(echoes(talk));
	for (;;) {
		struct pollfd wait = { .fd = talk->master, .events = POLLIN };
		ssize_t got = 0;

		if (poll(&wait, 1, 0) == 1 && (wait.revents & POLLIN))
			got = read(talk->master, talk->shown + talk->n_shown, sizeof(talk->shown) - 1 - talk->n_shown);
		if (got <= 0)
			break;
		talk->n_shown += got;
	}
	assert_null(strstr(talk->shown, "s3cret"));
	close(talk->master);
	return status;
}

static void takes_one_line(void **state)
{
	struct talk talk = talk_start(false);
	int status;

	(void)state;
	wait_for(&talk, PROMPT, 1);
	type(&talk, TYPED "\n");
	status = talk_end(&talk);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void asks_twice(void **state)
{
	static const struct { const char *second; int status; } row[] = {
		{ TYPED "\n", 0 }, { "s3cret word\n", ERROR_KEY }, { "\n", ERROR_KEY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct talk talk = talk_start(true);

		wait_for(&talk, PROMPT, 1);
		type(&talk, TYPED "\n");
		wait_for(&talk, "The same again: ", 1);
		type(&talk, row[i].second);
		assert_int_equal(WEXITSTATUS(talk_end(&talk)), row[i].status);
	}
}

static void takes_no_answer_for_an_error(void **state)
{
	static const char *const answers[] = { "\n", "\x04" };	/* an empty line, the end of the file */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct talk talk = talk_start(false);

		wait_for(&talk, PROMPT, 1);
		type(&talk, answers[i]);
		assert_int_equal(WEXITSTATUS(talk_end(&talk)), ERROR_KEY);
	}
}

static void gives_the_echo_back_when_killed(void **state)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct talk talk = talk_start(false);
		int status;

		wait_for(&talk, PROMPT, 1);
		type(&talk, "s3cret");
		assert_int_equal(kill(talk.child, numbers[i]), 0);
		status = talk_end(&talk);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), numbers[i]);
	}
}

/* The group of the child has nobody to continue it, so that the stop itself is not done; asking again is. */
static void asks_again_after_a_stop(void **state)
{
	struct talk talk = talk_start(false);

	(void)state;
	wait_for(&talk, PROMPT, 1);
	type(&talk, "s3cret");
	assert_int_equal(kill(talk.child, SIGTSTP), 0);
	wait_for(&talk, PROMPT, 2);
	type(&talk, TYPED "\n");
	assert_int_equal(WEXITSTATUS(talk_end(&talk)), 0);
}

static void never_asks_without_a_terminal(void **state)
{
	const int saved = dup(STDIN_FILENO), null = open("/dev/null", O_RDONLY);
	struct secret *secret = NULL;
	struct error err = { 0 };
	bool ok;

	(void)state;
	dup2(null, STDIN_FILENO);
	close(null);
	ok = secret_ask(PROMPT, false, &secret, &err);
	dup2(saved, STDIN_FILENO);
	close(saved);
	assert_false(ok);
	assert_null(secret);
	assert_int_equal(err.kind, ERROR_KEY);
	assert_true(err.hint[0] != '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_one_line),
		cmocka_unit_test(asks_twice),
		cmocka_unit_test(takes_no_answer_for_an_error),
		cmocka_unit_test(gives_the_echo_back_when_killed),
		cmocka_unit_test(asks_again_after_a_stop),
		cmocka_unit_test(never_asks_without_a_terminal),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
