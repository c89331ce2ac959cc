/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes flock() locks, open file description locks and leases. */
#include "common/device/device-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "common/device/process-of-file.h"

#define POLL_MS 50
#define ASKING_MS 200	/* a process that only tests for a lock may hold it this long */

#ifndef CEPH_SUPER_MAGIC
#define CEPH_SUPER_MAGIC 0x00c36400
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42
#endif
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42
#endif

unsigned device_lock_patience = 5000;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void pause_briefly(void)
{
	const struct timespec piece = { .tv_nsec = POLL_MS * 1000000 };

	nanosleep(&piece, NULL);
}

/* Waits briefly. Returns false once it is later than end. */
static bool wait_until(uint64_t end)
{
	if (now_ms() >= end)
		return false;
	pause_briefly();
	return true;
}

/* Sets the error "text (process 12, name)". */
static bool busy(const char *text, const struct stat *st, enum open_how how, int own_fd, struct error *err)
{
	struct process process;

	if (!process_of_file(st, how, own_fd, &process))
		return error_set(err, ERROR_BUSY, "%s", text);
	return error_set(err, ERROR_BUSY, "%s (process %ld, %s)", text, (long)process.id, process.name);
}

/* --- locks --------------------------------------------------------------------------------------------------- */

/* Other tools for block devices take flock(); virtual machines take the OFD lock on their images. */
static bool lock_one(int fd, const struct stat *st, struct error *err)
{
	const uint64_t end = now_ms() + ASKING_MS;
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	const bool writable = (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
	int rc;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return error_system(err, "cannot lock");
		if (!wait_until(end))
			return busy("another process holds a lock on it", st, OPEN_FLOCKED, fd, err);
	}
	/* A read-only descriptor cannot take this lock, but can ask who has it. */
	rc = fcntl(fd, writable ? F_OFD_SETLK : F_OFD_GETLK, &whole);
	if (rc < 0 ? errno == EAGAIN || errno == EACCES : !writable && whole.l_type != F_UNLCK)
		return busy("another process holds a lock on a part of it (a virtual machine?)", st, OPEN_LOCKED, fd, err);
	return true;
}

/* Opens what a loop device shows, by its path. The path must lead to the file that the kernel names. */
static bool open_below(const char *loop, const struct backing *backing, bool writable, int *fd, struct stat *st, struct error *err)
{
	const int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	*fd = -1;
	if (backing->path[0] && writable)
		*fd = device_open_leased(backing->path, O_RDWR | flags, true, err);
	if (backing->path[0] && *fd < 0 && err->kind == ERROR_NONE)
		*fd = device_open_leased(backing->path, O_RDONLY | flags, true, err);
	if (*fd < 0 && err->kind != ERROR_NONE)
		return error_prefix(err, "what loop device /dev/%s shows", loop);
	if (*fd >= 0 && fstat(*fd, st) == 0 &&
	    (backing->is_device ? S_ISBLK(st->st_mode) && st->st_rdev == backing->rdev :
				  S_ISREG(st->st_mode) && st->st_dev == backing->dev && st->st_ino == backing->inode))
		return true;
	if (*fd >= 0)
		close(*fd);
	error_set(err, ERROR_BUSY, "what loop device /dev/%s shows cannot be locked: it is not at %s", loop,
		  backing->path[0] ? backing->path : "any known path");
	return error_hint(err, "attach it again from a file that this process can see, or give that file itself");
}

/* Visits each layer below st, from the top. A layer is opened for writing if possible; then it stays open and belongs to visit. */
static bool below_visit(const struct stat *st, bool writable, bool (*visit)(void *context, int fd, const struct stat *st, struct error *err),
			void *context, struct error *err)
{
	struct stat layer = *st;

	for (unsigned depth = 0; depth < LOOP_DEPTH_MAX && S_ISBLK(layer.st_mode); depth++) {
		struct backing backing;
		char loop[NAME_MAX];
		bool is_loop;
		int fd;

		if (!loop_name(layer.st_rdev, loop, &is_loop, err))
			return false;
		if (!is_loop)
			return true;
		if (!loop_backing(loop, &backing))
			return loop_unknown_error(loop, err);
		*err = (struct error){ 0 };
		if (!open_below(loop, &backing, writable, &fd, &layer, err))
			return false;

		const bool goes_on = visit(context, fd, &layer, err);

		if (!writable)
			close(fd);
		if (!goes_on)
			return error_prefix(err, "what loop device /dev/%s shows", loop);
	}
	return true;
}

static bool lock_below(void *context, int fd, const struct stat *st, struct error *err)
{
	struct device_lock *lock = context;

	lock->below[lock->n_below++] = fd;
	return lock_one(fd, st, err);
}

bool device_lock_take(struct device_lock *lock, int fd, const struct stat *st, struct error *err)
{
	return lock_one(fd, st, err) && below_visit(st, true, lock_below, lock, err);
}

void device_lock_close(struct device_lock *lock)
{
	while (lock->n_below > 0)
		close(lock->below[--lock->n_below]);
}

static bool ask_one(int fd, const struct stat *st, struct error *err)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	bool is_free;

	if (fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK) {
		/* A lock on everything is that of a conversion, which takes both. */
		return whole.l_start == 0 && whole.l_len == 0 && whole.l_type == F_WRLCK ?
			busy("another process holds a lock on it", st, OPEN_LOCKED, fd, err) :
			busy("another process holds a lock on a part of it (a virtual machine?)", st, OPEN_LOCKED, fd, err);
	}
	is_free = flock(fd, LOCK_SH | LOCK_NB) == 0;
	if (!is_free && errno == EWOULDBLOCK)
		return busy("another process holds a lock on it", st, OPEN_FLOCKED, fd, err);
	if (is_free)
		flock(fd, LOCK_UN);
	return true;
}

static bool ask_below(void *context, int fd, const struct stat *st, struct error *err)
{
	(void)context;
	return ask_one(fd, st, err);
}

bool device_lock_ask(int fd, const struct stat *st, struct error *err)
{
	return ask_one(fd, st, err) && below_visit(st, false, ask_below, NULL, err);
}

struct holder {
	pid_t *process;
	bool found;
};

static bool find_holder(void *context, int fd, const struct stat *st, struct error *err)
{
	struct holder *holder = context;
	struct process process;

	if (ask_one(fd, st, err))
		return true;
	holder->found = true;
	*holder->process = process_of_file(st, OPEN_LOCKED, -1, &process) ? process.id : 0;
	return false;
}

bool device_lock_holder(int fd, const struct stat *st, pid_t *process)
{
	struct holder holder = { .process = process };
	struct error ignored;

	*process = 0;
	if (find_holder(&holder, fd, st, &ignored))
		(void)!below_visit(st, false, find_holder, &holder, &ignored);
	return holder.found;
}

/* --- leases -------------------------------------------------------------------------------------------------- */

/* On a network, a refused lease says nothing about other users. */
static bool is_on_network(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	switch ((unsigned long)fs.f_type & 0xffffffff) {
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case CEPH_SUPER_MAGIC:
	case AFS_SUPER_MAGIC:
	case AFS_FS_MAGIC:
	case CODA_SUPER_MAGIC:
	case V9FS_MAGIC:
		return true;
	default:
		return false;
	}
}

static bool is_whole(int fd)
{
	return fcntl(fd, F_GETLEASE) == F_WRLCK;
}

/* The caller asks whether the lease is intact, so the signal is not needed. Without a handler it would end the process. */
static int set_lease(int fd, int type)
{
	signal(SIGIO, SIG_IGN);
	return fcntl(fd, F_SETLEASE, type);
}

/* Sets *taken if the lease was taken. False: somebody had the file open for the whole time of patience. */
static bool try_lease(int fd, unsigned patience, bool *taken, struct error *err)
{
	const uint64_t end = now_ms() + patience;

	do {
		*taken = set_lease(fd, F_WRLCK) == 0;
		if (*taken && is_whole(fd))
			return true;
		if (*taken)	/* let in whoever waits: they are gone soon, or they stay */
			set_lease(fd, F_UNLCK);
		else if (errno == EINVAL || errno == EOPNOTSUPP || errno == EACCES)
			return true;
		else if (errno != EAGAIN)
			return error_system(err, "cannot take a lease");
		*taken = false;
	} while (wait_until(end));
	return error_set(err, ERROR_BUSY, "open elsewhere");
}

static bool shows_another(void *context, const char *loop, const struct backing *backing, struct error *err)
{
	const struct stat *st = context;

	return backing->is_device || backing->dev != st->st_dev || backing->inode != st->st_ino || loop_in_use_error(loop, "", err);
}

/* The user may be a loop device, which has its file open although no process does. */
static bool who_has_it(int fd, const struct stat *st, struct error *err)
{
	struct stat wanted = *st;
	struct process process;

	if (!loop_visit(shows_another, &wanted, err))
		return false;
	if (process_of_file(st, OPEN_ANYHOW, fd, &process))
		return error_set(err, ERROR_BUSY, "process %ld (%s) has it open", (long)process.id, process.name);
	error_set(err, ERROR_BUSY, "it is open elsewhere");
	return error_hint(err, "by no process that can be seen: another mount of it, or an overlay or FUSE file system above it, may be in use");
}

bool device_lease_hold(struct device_lock *lock, int fd, const struct stat *st, struct error *err)
{
	const bool again = lock->is_leased;

	if (!S_ISREG(st->st_mode) || is_on_network(fd) || (again && is_whole(fd)))
		return true;
	if (again) {
		device_lease_end(lock, fd);
		pause_briefly();	/* whoever waits gets in now, and is found now rather than later */
	}
	return try_lease(fd, device_lock_patience, &lock->is_leased, err) || (err->kind == ERROR_BUSY && who_has_it(fd, st, err));
}

void device_lease_end(struct device_lock *lock, int fd)
{
	if (lock->is_leased)
		set_lease(fd, F_UNLCK);
	lock->is_leased = false;
}

bool device_lease_ask(int fd, const struct stat *st, struct error *err)
{
	struct device_lock lock = { 0 };
	const bool ok = !S_ISREG(st->st_mode) || is_on_network(fd) || try_lease(fd, 0, &lock.is_leased, err) ||
		(err->kind == ERROR_BUSY && who_has_it(fd, st, err));

	device_lease_end(&lock, fd);
	return ok;
}

int device_open_leased(const char *path, int flags, bool exclusive, struct error *err)
{
	const uint64_t end = now_ms() + device_lock_patience;
	struct process process;
	struct stat st;
	int fd;

	err->kind = ERROR_NONE;
	while ((fd = open(path, flags | O_NONBLOCK)) < 0 && errno == EWOULDBLOCK) {
		if (stat(path, &st) != 0)
			return -1;
		if (exclusive && process_of_file(&st, OPEN_FLOCKED, -1, &process)) {
			busy("another process holds a lock on it", &st, OPEN_FLOCKED, -1, err);
			return -1;
		}
		if (!wait_until(end)) {
			busy("another process keeps it from being opened, and may be about to write to it", &st, OPEN_LOCKED, -1, err);
			return -1;
		}
	}
	return fd;
}
