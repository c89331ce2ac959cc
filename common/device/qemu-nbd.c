/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/device/qemu-nbd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util/escape.h"

#define PROGRAM "qemu-nbd"
#define LISTENER 3	/* the descriptor that socket activation begins with */
#define ABOVE 10	/* descriptors of the child are put there before they get their numbers */

static bool find_program(char path[static PATH_MAX])
{
	const char *directories = getenv("PATH");

	for (directories = directories ? directories : "/usr/bin:/bin"; *directories;) {
		const size_t len = strcspn(directories, ":");

		/* Only absolute ones: what lies in the directory of an untrusted image is not run. */
		if (directories[0] == '/' && snprintf(path, PATH_MAX, "%.*s/" PROGRAM, (int)len, directories) < PATH_MAX && access(path, X_OK) == 0)
			return true;
		directories += len + (directories[len] == ':');
	}
	return false;
}

bool qemu_nbd_check(struct error *err)
{
	char path[PATH_MAX];

	if (find_program(path))
		return true;
	error_set(err, ERROR_REFUSED, "to read it takes the program " PROGRAM ", which is not installed");
	return error_hint(err, "install it: Debian has it in the package qemu-utils");
}

/* Both ends of a connection that nobody else can have: the listener has room for one, and it is ours. */
static bool connect_ourselves(int *listener, int *connected, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(address.sun_family);	/* the kernel chooses a name that is in no directory */

	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*connected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*listener < 0 || *connected < 0 || bind(*listener, (struct sockaddr *)&address, len) != 0)
		return error_system(err, "cannot make a socket");
	len = sizeof(address);
	if (getsockname(*listener, (struct sockaddr *)&address, &len) != 0 || listen(*listener, 0) != 0)
		return error_system(err, "cannot make a socket");
	if (connect(*connected, (struct sockaddr *)&address, len) == 0)
		return true;
	return errno == EAGAIN ? error_set(err, ERROR_BUSY, "another process has connected to the socket for " PROGRAM) :
				 error_system(err, "cannot connect to a socket");
}

static bool make_pipe(int end[2], struct error *err)
{
	/* Neither end ever waits: a message for which there is no room is lost. */
	return pipe2(end, O_CLOEXEC | O_NONBLOCK) == 0 || error_system(err, "cannot make a pipe");
}

static void put_at(int fd, int number)
{
	if (fd < 0 || dup2(fd, number) < 0)
		_exit(127);
}

/* The child, between fork and exec. Allocates nothing. */
static void become(const char *program, char *const argument[], int listener, int messages, pid_t parent)
{
	char process[32], path[PATH_MAX + 8], *const environment[] = { "LISTEN_FDS=1", process, "LC_ALL=C", path, NULL };
	const char *const directories = getenv("PATH");
	static const int to_default[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGCHLD };
	sigset_t none;

	sigemptyset(&none);
	for (size_t i = 0; i < sizeof(to_default) / sizeof(to_default[0]); i++)
		signal(to_default[i], SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || getppid() != parent)
		_exit(127);
	listener = fcntl(listener, F_DUPFD, ABOVE);
	messages = fcntl(messages, F_DUPFD, ABOVE);

	const int nothing = fcntl(open("/dev/null", O_RDWR), F_DUPFD, ABOVE);

	put_at(nothing, STDIN_FILENO);
	put_at(nothing, STDOUT_FILENO);
	put_at(messages, STDERR_FILENO);
	put_at(listener, LISTENER);
	if (close_range(LISTENER + 1, ~0u, 0) != 0)
		_exit(127);
	snprintf(process, sizeof(process), "LISTEN_PID=%ld", (long)getpid());
	snprintf(path, sizeof(path), "PATH=%s", directories ? directories : "/usr/bin:/bin");
	execve(program, argument, environment);
	_exit(127);
}

static void close_if(int fd)
{
	if (fd >= 0)
		close(fd);
}

bool qemu_nbd_start(const char *path, const char *format, bool writable, struct qemu_nbd *server, int *connected, struct error *err)
{
	char program[PATH_MAX], as[32];
	int listener = -1, pipe_end[2] = { -1, -1 };
	/* Given as it is: a path that begins with a slash is never taken for the name of a protocol. */
	char *const argument[] = {
		PROGRAM, as, "--discard=ignore", "--detect-zeroes=off", writable ? "--cache=writeback" : "--read-only", "--", (char *)path, NULL,
	};

	*connected = -1;
	*server = (struct qemu_nbd){ .messages = -1 };
	snprintf(as, sizeof(as), "--format=%s", format);

	bool ok = (find_program(program) || qemu_nbd_check(err)) && connect_ourselves(&listener, connected, err) && make_pipe(pipe_end, err);
	const pid_t parent = getpid();

	if (ok) {
		server->process = fork();
		if (server->process == 0)
			become(program, argument, listener, pipe_end[1], parent);
		ok = server->process > 0 || error_system(err, "cannot start " PROGRAM);
	}
	close_if(listener);
	close_if(pipe_end[1]);
	server->messages = pipe_end[0];
	if (ok)
		return true;
	close_if(*connected);
	close_if(server->messages);
	*connected = server->messages = -1;
	return false;
}

void qemu_nbd_stop(struct qemu_nbd *server)
{
	if (server->process > 0) {
		kill(server->process, SIGTERM);
		while (waitpid(server->process, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close_if(server->messages);
	*server = (struct qemu_nbd){ .messages = -1 };
}

/* Leaves out what begins with this, up to the end of that. */
static const char *after(const char *text, const char *first, const char *last)
{
	const char *end = strncmp(text, first, strlen(first)) == 0 ? strstr(text, last) : NULL;

	return end ? end + strlen(last) : text;
}

bool qemu_nbd_failed(struct qemu_nbd *server, struct error *err)
{
	char text[1024] = "", shown[400];
	const int messages = server->messages;

	server->messages = -1;
	qemu_nbd_stop(server);

	const ssize_t n = read(messages, text, sizeof(text) - 1);
	const char *begin = text;

	close_if(messages);
	text[n > 0 ? n : 0] = '\0';
	begin = after(begin, PROGRAM ": ", PROGRAM ": ");
	begin = after(begin, "Failed to blk_new_open '", "': ");
	escape_text(begin, strcspn(begin, "\n"), shown, sizeof(shown));
	if (strstr(text, "another process using the image")) {
		error_set(err, ERROR_BUSY, "it is open elsewhere: %s", shown);
		return error_hint(err, "stop the virtual machine or the program that uses it");
	}
	return error_set(err, ERROR_CORRUPT, PROGRAM " cannot open it%s%s", shown[0] ? ": " : "", shown);
}
