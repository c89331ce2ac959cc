/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loop devices: which exist, and what they show. */
#ifndef COMMON_DEVICE_LOOP_DEVICE_H
#define COMMON_DEVICE_LOOP_DEVICE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "format/error.h"

/* How far stacked loop devices are followed. */
#define LOOP_DEPTH_MAX 16

/* Where /sys, /proc and /dev are: "" except in tests. */
extern const char *system_root;

/* What a loop device shows: the bytes from begin to end of a file or another device. */
struct backing {
	bool is_device;
	dev_t dev, rdev;
	ino_t inode;
	uint64_t begin, end;
	char path[PATH_MAX];	/* empty: unknown */
};

/* False if it shows nothing, or if that cannot be determined. */
bool loop_backing(const char *loop, struct backing *backing) must_use;

/* The name of the loop device that rdev is, or is a partition of. *is_loop false: neither. ERROR_BUSY if that cannot be determined. */
bool loop_name(dev_t rdev, char name[static NAME_MAX], bool *is_loop, struct error *err) must_use;

/* Is it attached read-only and unused? Then it cannot disturb anyone, and changes do not disturb it. */
bool loop_is_idle(const char *loop) must_use;

/* Visits each loop device that shows something, until visit returns false. ERROR_BUSY if the devices cannot be listed. */
bool loop_visit(bool (*visit)(void *context, const char *loop, const struct backing *backing, struct error *err), void *context,
		struct error *err) must_use;

/* "attached to loop device", with what before it. Always false. */
bool loop_in_use_error(const char *loop, const char *what, struct error *err);

/* A loop device whose contents are unknown: ERROR_NOT_FOUND if it shows nothing, ERROR_BUSY if that is unknown too. Always false. */
bool loop_unknown_error(const char *loop, struct error *err);

/* A path of the system, below system_root. */
void system_path(char path[static PATH_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* COMMON_DEVICE_LOOP_DEVICE_H */
