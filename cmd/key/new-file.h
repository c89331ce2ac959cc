/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that a command makes and nobody else shall read. */
#ifndef CMD_KEY_NEW_FILE_H
#define CMD_KEY_NEW_FILE_H

#include <stddef.h>

#include "format/error.h"

/* Before anybody is asked: false if there is something of that name already. */
bool new_file_is_new(const char *path, struct error *err) must_use;
/* A new file with mode 0600, durable with its name. One that exists is never overwritten; on failure none is left. */
bool new_file_write(const char *path, const void *bytes, size_t len, struct error *err) must_use;

#endif /* CMD_KEY_NEW_FILE_H */
