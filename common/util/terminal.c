/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/util/terminal.h"

#include <sys/ioctl.h>

size_t terminal_columns(FILE *out)
{
	struct winsize size;
	const int fd = fileno(out);

	return fd >= 0 && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
