/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program under watch.  WATCH_FREED=TEXT: memory that is given back, by free() or a realloc() that moves, must not hold TEXT; where it
 * does, who gave it back is told on stderr and the process is aborted.  WATCH_GROWTH=1: from its first write to a file on, the process may take no
 * memory from the system any more; how much it had then is told on stderr.
 */
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int command_main(int argc, const char **argv);
#define main command_main
#include "cmd/main.c"	/* everything else is in the archive */
#undef main

void *__libc_malloc(size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *bytes);

static const char *freed;	/* what no freed memory may hold */
static size_t freed_len;

static void look(const void *bytes)
{
	static const char text[] = "watched: freed memory holds the text\n";
	void *frame[32];

	if (!freed || !bytes || !memmem(bytes, malloc_usable_size((void *)bytes), freed, freed_len))
		return;
	freed = NULL;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) > 0)
		backtrace_symbols_fd(frame, backtrace(frame, 32), STDERR_FILENO);
	abort();
}

void free(void *bytes)
{
	look(bytes);
	__libc_free(bytes);
}

/* Whether it would move is not known before: it always does. */
void *realloc(void *old, size_t size)
{
	const size_t had = old ? malloc_usable_size(old) : 0;
	void *new;

	if (!old || !freed)
		return __libc_realloc(old, size);
	new = __libc_malloc(size);
	if (new) {
		memcpy(new, old, had < size ? had : size);
		free(old);
	}
	return new;
}

void *reallocarray(void *old, size_t n, size_t size)
{
	return size > 0 && n > SIZE_MAX / size ? NULL : realloc(old, n * size);
}

static bool may_grow = true;

/* "VmSize:	  123 kB" of /proc/self/status, in bytes.  Without stdio: that takes memory. */
static rlim_t size_now(const char *name)
{
	char text[4096];
	const int fd = open("/proc/self/status", O_RDONLY);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n < 0 ? 0 : n] = '\0';

	const char *at = strstr(text, name);

	if (!at)
		abort();
	return strtoull(at + strlen(name), NULL, 10) * 1024;
}

static void stop_growth(void)
{
	const rlim_t size = size_now("VmSize:"), data = size_now("VmData:");
	const struct rlimit limit_size = { size, size }, limit_data = { data, data };
	char text[80];

	may_grow = true;
	if (setrlimit(RLIMIT_AS, &limit_size) != 0 || setrlimit(RLIMIT_DATA, &limit_data) != 0)
		abort();
	snprintf(text, sizeof(text), "watched: %llu MiB at the first write\n", (unsigned long long)size >> 20);
	(void)!write(STDERR_FILENO, text, strlen(text));
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	if (!may_grow)
		stop_growth();
	return syscall(SYS_pwrite64, fd, bytes, len, at);
}

int main(int argc, const char **argv)
{
	may_grow = !getenv("WATCH_GROWTH");
	freed = getenv("WATCH_FREED");
	freed_len = freed ? strlen(freed) : 0;
	return command_main(argc, argv);
}
