/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loop devices: which there are, and what they show. */
#ifndef COMMON_VOLUME_LOOP_DEVICE_H
#define COMMON_VOLUME_LOOP_DEVICE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "format/error.h"

/* Loop devices on loop devices are followed that far down. */
#define LOOP_DEPTH_MAX 16

/* Where /sys, /proc and /dev are: "", but for tests. */
extern const char *system_root;

/* What a loop device shows: a file, or another device, and of it the bytes from begin to end. */
struct backing {
	bool is_device;
	dev_t dev, rdev;
	ino_t inode;
	uint64_t begin, end;
	char path[PATH_MAX];	/* empty: not known here */
};

/* False where it shows nothing, or nothing that can be told. */
bool loop_backing(const char *loop, struct backing *backing) must_use;

/* The name of the loop device that rdev is, or is a partition of; false where it is none.  ERROR_BUSY where that cannot be told. */
bool loop_name(dev_t rdev, char name[static NAME_MAX], bool *is_loop, struct error *err) must_use;

/* Attached for reading only and used by nobody: it cannot disturb, nor be disturbed in what it has promised. */
bool loop_is_idle(const char *loop) must_use;

/* Each loop device that shows something, until visit is false.  ERROR_BUSY where it cannot be told which there are. */
bool loop_visit(bool (*visit)(void *context, const char *loop, const struct backing *backing, struct error *err), void *context,
		struct error *err) must_use;

/* "attached to loop device", behind what; always false. */
bool loop_in_use_error(const char *loop, const char *what, struct error *err);

/* A path of the system's own, below system_root. */
void system_path(char path[static PATH_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* COMMON_VOLUME_LOOP_DEVICE_H */
