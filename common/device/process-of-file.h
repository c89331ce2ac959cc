/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which process has a file open, according to /proc. Only for messages: a user without full permissions finds less. */
#ifndef COMMON_DEVICE_PROCESS_OF_FILE_H
#define COMMON_DEVICE_PROCESS_OF_FILE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "format/error.h"

enum open_how {
	OPEN_ANYHOW,
	OPEN_LOCKED,	/* with a lock or a lease that keeps others from writing */
	OPEN_FLOCKED,	/* with one from flock() */
};

#define PROCESS_NAME_SIZE 64

struct process {
	pid_t id;
	char name[PROCESS_NAME_SIZE];	/* escaped */
};

/* The first such process; others come before this process, in which own_fd does not count. */
bool process_of_file(const struct stat *st, enum open_how how, int own_fd, struct process *process) must_use;

#endif /* COMMON_DEVICE_PROCESS_OF_FILE_H */
