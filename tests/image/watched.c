/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program under watch.  WATCH_FREED=TEXT: memory that is given back, by free() or a realloc() that moves, must not hold TEXT; where it
 * does, who gave it back is told on stderr and the process is aborted.
 */
#include <execinfo.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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

int main(int argc, const char **argv)
{
	freed = getenv("WATCH_FREED");
	freed_len = freed ? strlen(freed) : 0;
	return command_main(argc, argv);
}
