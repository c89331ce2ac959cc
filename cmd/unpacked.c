/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compressed images and members of archives, each unpacked once and kept until the program ends. */
#include "cmd/unpacked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/print.h"
#include "common/device/partition.h"
#include "common/device/unpack.h"

struct unpacked {
	char *path;		/* of the packed one */
	char *asked;		/* the member that was asked for; "": the only one */
	char *member;		/* its name; NULL: path is not an archive */
	char at[32];		/* the path of the unpacked image, which has no name */
	struct unpacked *next;
};

static struct unpacked *done;

static struct {
	bool is_chosen;
	enum progress_mode mode;
	double every;
} show;

void unpacked_progress(enum progress_mode mode, double every)
{
	show.is_chosen = true;
	show.mode = mode;
	show.every = every;
}

bool is_packed(struct device *device, struct error *err)
{
	const char *what = partition_is_btrfs(device, 0, device->size) ? NULL : packed_as(device);

	if (!what)
		return false;
	error_set(err, ERROR_REFUSED, "%s: is packed with %s, and packed images are only read", device->name, what);
	error_hint(err, "unpack it first");
	return true;
}

struct unpacking {
	struct progress progress;
	uint64_t total;
};

static void tell(void *context, uint64_t n)
{
	struct unpacking *at = context;

	progress_update(&at->progress, "unpack", n < at->total ? n : at->total, at->total);
}

static bool unpack(const char *path, const char *member, uint64_t size, struct unpacked **made, struct error *err)
{
	const bool shows = isatty(STDERR_FILENO) && !format_is_json();
	const enum progress_mode mode = show.is_chosen ? show.mode : shows ? PROGRESS_BAR : PROGRESS_NONE;
	struct unpacking at = { .total = size };
	struct unpacked *u = calloc(1, sizeof(*u));
	char *name = NULL;
	int fd = -1;

	progress_init(&at.progress, mode, stderr, show.is_chosen ? show.every : 1);

	bool ok = u || error_memory(err);

	ok = ok && unpack_image(path, member, tell, &at, &fd, &name, err);
	if (ok)
		tell(&at, size);
	progress_clear(&at.progress);
	if (ok) {
		u->path = strdup(path);
		u->asked = strdup(member ? member : "");
		u->member = name;
		snprintf(u->at, sizeof(u->at), "/proc/self/fd/%d", fd);
		u->next = done;
		done = *made = u;
		return (u->path && u->asked) || error_memory(err);
	}
	free(u);
	return false;
}

static struct unpacked *find(const char *path, const char *member)
{
	for (struct unpacked *u = done; u; u = u->next)
		if (strcmp(u->path, path) == 0 && strcmp(u->asked, member ? member : "") == 0)
			return u;
	return NULL;
}

const char *unpacked_member(const char *at)
{
	for (const struct unpacked *u = done; u; u = u->next)
		if (strcmp(u->at, at) == 0)
			return u->member;
	return NULL;
}

bool unpacked_open(const char **path, const char *member, struct device *packed, struct device **device, struct error *err)
{
	struct unpacked *u = find(*path, member);
	char *name;
	bool ok = true;

	if (!u && !member && (packed->fd < 0 || partition_is_btrfs(packed, 0, packed->size) || !packed_as(packed))) {
		*device = packed;
		return true;
	}
	if (!u)
		ok = unpack(*path, member, packed->size, &u, err);
	device_close(packed);
	if (!ok || !device_open(u->at, DEVICE_READ_ONLY, device, err))
		return false;
	name = strdup(*path);
	if (!name) {
		device_close(*device);
		return error_memory(err);
	}
	free((*device)->name);
	(*device)->name = name;
	*path = u->at;
	return true;
}
