/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signal-when SIGNAL CONDITION COMMAND...: runs COMMAND, which gets SIGNAL (INT, TERM, HUP or KILL; INT+TERM: one after the other) as soon as CONDITION is
 * true, by what it does, not by the time that has gone by:
 *   caught        it has just said that it catches SIGNAL itself
 *   says:REGEX    it is about to write to standard error what has REGEX in it
 *   prints:REGEX  the same for standard output
 *   read:BYTES    it is about to have asked for so many bytes in all
 *   wrote:BYTES   it is about to have written so many bytes in all
 * SIGNAL DUMP:FILE: nothing is sent; all memory that it has filled goes to FILE instead.
 * Exits as COMMAND did, with 128 + signal where it was killed; 99 where the condition never came true.
 */
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/ptrace.h>

#define LINE_MAX_BYTES 4096u

static int signal_number, second_number;
static const char *dump;
static regex_t says;
static enum { CAUGHT, SAYS, PRINTS, READ, WROTE } condition;
static uint64_t bytes_wanted, bytes_moved;

static void die(const char *what)
{
	fprintf(stderr, "signal-when: %s: %s\n", what, strerror(errno));
	exit(99);
}

static int number_of(const char *name)
{
	static const struct { const char *name; int number; } row[] = {
		{ "INT", SIGINT }, { "TERM", SIGTERM }, { "HUP", SIGHUP }, { "KILL", SIGKILL },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		if (strcmp(row[i].name, name) == 0)
			return row[i].number;
	}
	fprintf(stderr, "signal-when: %s: not a signal that is known here\n", name);
	exit(99);
}

static size_t memory_of(pid_t pid, uint64_t at, void *bytes, size_t len)
{
	struct iovec here = { bytes, len }, there = { (void *)(uintptr_t)at, len };
	const ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);

	return n < 0 ? 0 : (size_t)n;
}

static int writes_it(pid_t pid, const uint64_t args[6])
{
	char text[LINE_MAX_BYTES + 1];
	const size_t n = memory_of(pid, args[1], text, args[2] < LINE_MAX_BYTES ? args[2] : LINE_MAX_BYTES);

	text[n] = '\0';
	return args[0] == (condition == SAYS ? STDERR_FILENO : STDOUT_FILENO) && regexec(&says, text, 0, NULL, 0) == 0;
}

/* The handler is the first word that the kernel gets. */
static int catches_it(pid_t pid, const uint64_t args[6])
{
	uintptr_t handler = 0;

	return args[0] == (uint64_t)signal_number && args[1] != 0 && memory_of(pid, args[1], &handler, sizeof(handler)) == sizeof(handler) &&
	       handler != (uintptr_t)SIG_DFL && handler != (uintptr_t)SIG_IGN;
}

/* At the entry of a system call: is this what the signal comes with?  A handler is there only once the call is over. */
static int is_it(pid_t pid, int *at_exit)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
		die("PTRACE_GET_SYSCALL_INFO");
	if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		const int was = *at_exit;

		*at_exit = 0;
		return was;
	}
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return 0;
	if (condition == SAYS || condition == PRINTS)
		return info.entry.nr == SYS_write && writes_it(pid, (const uint64_t *)info.entry.args);
	if (condition == READ || condition == WROTE) {
		if (condition == READ ? info.entry.nr == SYS_read || info.entry.nr == SYS_pread64 : info.entry.nr == SYS_write || info.entry.nr == SYS_pwrite64)
			bytes_moved += info.entry.args[2];
		return bytes_moved >= bytes_wanted;
	}
	*at_exit = info.entry.nr == SYS_rt_sigaction && catches_it(pid, (const uint64_t *)info.entry.args);
	return 0;
}

/* What was read from a file and is as it is there holds nothing of ours. */
static void dump_memory(pid_t pid)
{
	static uint8_t bytes[1 << 20];
	char name[64], line[512], access[5];
	unsigned long long begin, end, inode;
	FILE *maps, *out = fopen(dump, "we");

	snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	maps = fopen(name, "re");
	if (!maps || !out)
		die(dump);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx %4s %*s %*s %llu", &begin, &end, access, &inode) != 4 || access[0] != 'r' || (inode != 0 && access[1] != 'w'))
			continue;
		for (size_t n; begin < end; begin += n) {
			n = memory_of(pid, begin, bytes, end - begin < sizeof(bytes) ? (size_t)(end - begin) : sizeof(bytes));
			if (n == 0)
				break;
			/* What was reserved and never filled is all zeros. */
			if ((bytes[0] || memcmp(bytes, bytes + 1, n - 1) != 0) && fwrite(bytes, 1, n, out) != n)
				die(dump);
		}
	}
	fclose(maps);
	if (fclose(out) != 0)
		die(dump);
}

static void run(char **command)
{
	struct sigaction otherwise = { .sa_handler = SIG_DFL };

	if (signal_number)
		sigaction(signal_number, &otherwise, NULL);	/* which whoever started this may ignore */
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	execvp(command[0], command);
	die(command[0]);
}

/* Until the condition has come true, and then alone. */
static int watch(pid_t pid)
{
	int status, at_exit = 0;

	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
		die("ptrace");
	for (long pass = 0;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, pass) < 0 || waitpid(pid, &status, 0) != pid)
			die("ptrace");
		if (WIFEXITED(status) || WIFSIGNALED(status))
			return 0;
		pass = 0;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			if (is_it(pid, &at_exit))
				break;
		} else if (status >> 8 != (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
			pass = WSTOPSIG(status);
		}
	}
	if (dump)
		dump_memory(pid);
	else
		kill(pid, signal_number);
	if (second_number)
		kill(pid, second_number);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return 1;
}

static int read_condition(const char *text)
{
	static const char *const names[] = { [CAUGHT] = "caught", [SAYS] = "says:", [PRINTS] = "prints:", [READ] = "read:", [WROTE] = "wrote:" };

	for (condition = CAUGHT; condition < WROTE && strncmp(text, names[condition], strlen(names[condition])) != 0;)
		condition++;

	const size_t len = strlen(names[condition]);

	if (strncmp(text, names[condition], len) != 0)
		return 0;
	if (condition == SAYS || condition == PRINTS)
		return regcomp(&says, text + len, REG_EXTENDED | REG_NOSUB) == 0;
	bytes_wanted = strtoull(text + len, NULL, 10);
	return condition == CAUGHT ? text[len] == '\0' : bytes_wanted > 0;
}

int main(int argc, char **argv)
{
	pid_t pid;
	int status = 0;

	if (argc < 4)
		return 99;
	dump = strncmp(argv[1], "DUMP:", 5) == 0 ? argv[1] + 5 : NULL;
	char *const second = dump ? NULL : strchr(argv[1], '+');

	if (second) {
		*second = '\0';
		second_number = number_of(second + 1);
	}
	signal_number = dump ? 0 : number_of(argv[1]);
	if (!read_condition(argv[2])) {
		fprintf(stderr, "signal-when: %s is no condition\n", argv[2]);
		return 99;
	}
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		run(argv + 3);
	if (!watch(pid)) {
		fprintf(stderr, "signal-when: it ended before %s\n", argv[2]);
		return 99;
	}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
