/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How wide the terminal is that people read on. */
#ifndef COMMON_UTIL_TERMINAL_H
#define COMMON_UTIL_TERMINAL_H

#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>

/*
 * Columns of the terminal that out goes to; 0 if out is no terminal, or one that does not know. Ask again before each line: people resize
 * windows.
 */
static inline size_t terminal_columns(FILE *out)
{
	struct winsize size;
	const int fd = fileno(out);

	return fd >= 0 && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

#endif /* COMMON_UTIL_TERMINAL_H */
