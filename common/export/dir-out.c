/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes exported files to a directory. Everything is created relative to an open directory, no symbolic link on the way is followed, and
 * no existing file is opened, so names from an image cannot lead outside.
 */
#include "common/export/out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/export/out-file.h"
#include "common/util/escape.h"

struct dir_out {
	struct out out;		/* must be first */
	int root;
	char *parent;		/* path of the directory open as parent_fd; NULL: none */
	int parent_fd;
	int file;		/* being written */
	struct out_entry entry;	/* its entry */
};

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Does the error concern this file alone? Any other error ends the export. */
static bool concerns_one(int error)
{
	switch (error) {
	case ENOSPC: case EDQUOT: case EIO: case EROFS: case EMFILE: case ENFILE: case ENOMEM:
		return false;
	default:
		return true;
	}
}

/* Puts errno into refused (true) or err (false). */
static bool cannot(const char *what, struct error *refused, struct error *err)
{
	if (!concerns_one(errno))
		return error_system(err, "%s", what);
	error_system(refused, "%s", what);
	return true;
}

/* --- from paths to open directories ------------------------------------------------------------------------------- */

static bool is_plain_name(const char *name, size_t len)
{
	return len > 0 && len <= NAME_MAX_BYTES && !(len == 1 && name[0] == '.') && !(len == 2 && name[0] == '.' && name[1] == '.');
}

/* Opens the next component. Closes fd unless it is the root. Directories above an operand may not exist yet. */
static int step_into(struct dir_out *d, int fd, const char *name, size_t len)
{
	char component[NAME_MAX_BYTES + 1];
	int next = -1, error = EINVAL;

	if (is_plain_name(name, len)) {
		memcpy(component, name, len);
		component[len] = '\0';
		next = openat(fd, component, DIRECTORY_FLAGS);
		if (next < 0 && errno == ENOENT && mkdirat(fd, component, 0700) == 0)
			next = openat(fd, component, DIRECTORY_FLAGS);
		error = errno;
	}
	if (fd != d->root)
		close(fd);
	errno = error;
	return next;
}

/* Opens the directory at the first len bytes of path; d->root itself for none. */
static int open_directory(struct dir_out *d, const char *path, size_t len)
{
	int fd = d->root;

	for (size_t at = 0; at < len && fd >= 0; ) {
		const char *const slash = memchr(path + at, '/', len - at);
		const size_t n = slash ? (size_t)(slash - path) - at : len - at;

		fd = step_into(d, fd, path + at, n);
		at += n + 1;
	}
	return fd;
}

static void forget_parent(struct dir_out *d)
{
	if (d->parent && d->parent_fd != d->root)
		close(d->parent_fd);
	free(d->parent);
	d->parent = NULL;
}

/* Opens the directory that contains path, and keeps it open for the next call. *name: the last component. -1: see errno. */
static int parent_of(struct dir_out *d, const char *path, const char **name)
{
	const char *const slash = strrchr(path, '/');
	const size_t len = slash ? (size_t)(slash - path) : 0;

	*name = slash ? slash + 1 : path;
	if (!is_plain_name(*name, strlen(*name))) {
		errno = strlen(*name) > NAME_MAX_BYTES ? ENAMETOOLONG : EINVAL;
		return -1;
	}
	if (d->parent && strlen(d->parent) == len && memcmp(d->parent, path, len) == 0)
		return d->parent_fd;
	forget_parent(d);

	const int fd = open_directory(d, path, len);

	if (fd < 0)
		return -1;
	d->parent = strndup(path, len);
	if (!d->parent) {
		if (fd != d->root)
			close(fd);
		return -1;
	}
	return d->parent_fd = fd;
}

/* --- everything but the bytes -------------------------------------------------------------------------------------- */

static void times_of(const struct inode *inode, struct timespec times[2])
{
	times[0] = (struct timespec){ inode->atime.sec, inode->atime.nsec };
	times[1] = (struct timespec){ inode->mtime.sec, inode->mtime.nsec };
}

/* A kernel silently takes the nearest time that the filesystem has. */
static void check_times(struct dir_out *d, const struct stat *st, const struct timespec times[2], const char *path)
{
	if (st->st_atim.tv_sec != times[0].tv_sec || st->st_mtim.tv_sec != times[1].tv_sec)
		out_lose(&d->out, OUT_LOSS_TIME_RANGE, path);
	else if (st->st_atim.tv_nsec != times[0].tv_nsec || st->st_mtim.tv_nsec != times[1].tv_nsec)
		out_lose(&d->out, OUT_LOSS_TIMES, path);
}

static enum out_loss loss_of(const char *xattr)
{
	return strncmp(xattr, "system.posix_acl_", 17) == 0 ? OUT_LOSS_ACL : OUT_LOSS_XATTR;
}

/* For an open file or directory, after its bytes: writing clears capabilities, and owners come before modes. */
static void set_all(struct dir_out *d, int fd, const struct out_entry *entry)
{
	const struct inode *inode = entry->inode;
	struct timespec times[2];
	struct stat st;

	times_of(inode, times);
	if (fchown(fd, inode->uid, inode->gid) != 0)
		out_lose(&d->out, OUT_LOSS_OWNER, entry->path);
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		if (fsetxattr(fd, entry->xattr[i].name, entry->xattr[i].value, entry->xattr[i].len, 0) != 0)
			out_lose(&d->out, loss_of(entry->xattr[i].name), entry->path);
	}
	if (fchmod(fd, inode->mode & 07777) != 0)
		out_lose(&d->out, OUT_LOSS_MODE, entry->path);
	if (futimens(fd, times) != 0)
		out_lose(&d->out, OUT_LOSS_TIMES, entry->path);
	else if (fstat(fd, &st) == 0)
		check_times(d, &st, times, entry->path);
}

/* For what is not opened: links and special files. */
static void set_at(struct dir_out *d, int parent, const char *name, const struct out_entry *entry)
{
	const struct inode *inode = entry->inode;
	struct timespec times[2];
	struct stat st;
	char path[64 + NAME_MAX_BYTES];

	times_of(inode, times);
	if (fchownat(parent, name, inode->uid, inode->gid, AT_SYMLINK_NOFOLLOW) != 0)
		out_lose(&d->out, OUT_LOSS_OWNER, entry->path);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", parent, name);
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		if (lsetxattr(path, entry->xattr[i].name, entry->xattr[i].value, entry->xattr[i].len, 0) != 0)
			out_lose(&d->out, loss_of(entry->xattr[i].name), entry->path);
	}
	if (!S_ISLNK(inode->mode) && fchmodat(parent, name, inode->mode & 07777, 0) != 0)
		out_lose(&d->out, OUT_LOSS_MODE, entry->path);
	if (utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) != 0)
		out_lose(&d->out, OUT_LOSS_TIMES, entry->path);
	else if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		check_times(d, &st, times, entry->path);
}

/* --- making --------------------------------------------------------------------------------------------------------- */

static bool make_directory(int parent, const char *name, bool *taken, struct error *refused, struct error *err)
{
	if (mkdirat(parent, name, 0700) != 0) {
		/* It exists for an operand inside it, or for two entries with one name. Never follow a link. */
		const int fd = errno == EEXIST ? openat(parent, name, DIRECTORY_FLAGS) : -1;

		if (fd < 0)
			return cannot("mkdir", refused, err);
		close(fd);
	}
	*taken = true;
	return true;
}

static bool make_link(struct dir_out *d, const struct out_entry *entry, int parent, const char *name, bool *taken, struct error *refused,
		      struct error *err)
{
	const char *const slash = strrchr(entry->link_to, '/');
	const size_t len = slash ? (size_t)(slash - entry->link_to) : 0;
	const int from = open_directory(d, entry->link_to, len);

	if (from < 0)
		return cannot("link", refused, err);
	*taken = linkat(from, slash ? slash + 1 : entry->link_to, parent, name, 0) == 0;

	const int error = errno;

	if (from != d->root)
		close(from);
	errno = error;
	return *taken || cannot("link", refused, err);
}

static bool make_special(struct dir_out *d, const struct out_entry *entry, int parent, const char *name, bool *taken,
			 struct error *refused, struct error *err)
{
	const uint32_t mode = entry->inode->mode;
	const uint64_t rdev = entry->inode->rdev;
	const dev_t device = S_ISCHR(mode) || S_ISBLK(mode) ? makedev(rdev >> 20 & 0xfff, rdev & 0xfffff) : 0;

	if (mknodat(parent, name, (mode & S_IFMT) | 0600, device) != 0) {
		if (errno != EPERM)
			return cannot("mknod", refused, err);
		out_lose(&d->out, S_ISSOCK(mode) ? OUT_LOSS_SOCKET : S_ISFIFO(mode) ? OUT_LOSS_FIFO : OUT_LOSS_DEVICE, entry->path);
		return true;
	}
	set_at(d, parent, name, entry);
	*taken = true;
	return true;
}

static bool make_symlink(struct dir_out *d, const struct out_entry *entry, int parent, const char *name, bool *taken,
			 struct error *refused, struct error *err)
{
	if (symlinkat(entry->target, parent, name) != 0)
		return cannot("symlink", refused, err);
	set_at(d, parent, name, entry);
	*taken = true;
	return true;
}

static bool make_file(struct dir_out *d, const struct out_entry *entry, int parent, const char *name, bool *taken, struct error *refused,
		      struct error *err)
{
	d->file = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->file < 0)
		return cannot("open", refused, err);
	/* Not every filesystem can have files of every size. */
	if (ftruncate(d->file, (off_t)entry->inode->size) != 0) {
		const int error = errno;

		close(d->file);
		d->file = -1;
		unlinkat(parent, name, 0);
		errno = error;
		return cannot("set the size", refused, err);
	}
	d->entry = *entry;
	*taken = true;
	return true;
}

static bool dir_begin(struct out *out, const struct out_entry *entry, bool *taken, struct error *refused, struct error *err)
{
	struct dir_out *d = (struct dir_out *)out;
	const uint32_t mode = entry->inode->mode;
	const char *name;
	int parent;

	*taken = entry->path[0] == '\0';	/* the directory itself exists */
	if (*taken)
		return true;
	parent = parent_of(d, entry->path, &name);
	if (parent < 0)
		return cannot("open the directory above", refused, err);
	if (entry->link_to)
		return make_link(d, entry, parent, name, taken, refused, err);
	if (S_ISDIR(mode))
		return make_directory(parent, name, taken, refused, err);
	if (S_ISLNK(mode))
		return make_symlink(d, entry, parent, name, taken, refused, err);
	if (S_ISREG(mode))
		return make_file(d, entry, parent, name, taken, refused, err);
	return make_special(d, entry, parent, name, taken, refused, err);
}

/* errno says why the file's bytes could not be written. */
static bool no_room(const struct out_entry *entry, struct error *err)
{
	const int error = errno;
	char name[300];

	escape_text(entry->path, strlen(entry->path), name, sizeof(name));
	errno = error;
	return error_system(err, "%s: could not be written completely", name);
}

static bool dir_data(struct out *out, uint64_t offset, const void *bytes, size_t len, struct error *err)
{
	struct dir_out *d = (struct dir_out *)out;
	const uint8_t *at = bytes;

	while (len > 0) {
		const ssize_t n = pwrite(d->file, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return no_room(&d->entry, err);
		at += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return true;
}

static bool dir_end(struct out *out, struct error *err)
{
	struct dir_out *d = (struct dir_out *)out;
	const int fd = d->file;

	set_all(d, fd, &d->entry);
	d->file = -1;
	return close(fd) == 0 || no_room(&d->entry, err);
}

static bool dir_leave(struct out *out, const struct out_entry *entry, struct error *err)
{
	struct dir_out *d = (struct dir_out *)out;
	const int fd = open_directory(d, entry->path, strlen(entry->path));

	if (fd < 0)
		return error_system(err, "a directory in the output directory");
	set_all(d, fd, entry);
	if (fd != d->root)
		close(fd);
	return true;
}

static bool dir_finish(struct out *out, struct error *err)
{
	(void)out, (void)err;
	return true;
}

static void dir_close(struct out *out)
{
	struct dir_out *d = (struct dir_out *)out;

	forget_parent(d);
	if (d->file >= 0)
		close(d->file);
	if (d->root >= 0)
		close(d->root);
	free(d);
}

static const struct out_ops dir_ops = { dir_begin, dir_data, dir_end, dir_leave, dir_finish, dir_close };

/* --- opening ---------------------------------------------------------------------------------------------------------- */

static bool check_empty(const char *path, struct error *err)
{
	DIR *const directory = opendir(path);
	bool empty = true;

	if (!directory)
		return error_system(err, "%s", path);
	for (const struct dirent *entry; empty && (entry = readdir(directory)); )
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(directory);
	if (empty)
		return true;
	error_set(err, ERROR_REFUSED, "%s is not empty", path);
	return error_hint(err, "give the name of a directory that does not exist yet after -o");
}

bool dir_out_open(const char *path, struct out **out, struct error *err)
{
	struct dir_out *d;

	if (mkdir(path, 0777) != 0 && errno != EEXIST)
		return out_file_not_made(path, err);
	if (!check_empty(path, err))
		return false;
	d = calloc(1, sizeof(*d));
	if (!d)
		return error_memory(err);
	d->out = (struct out){ .ops = &dir_ops, .holes_max = UINT64_MAX, .is_directory = true, .keeps_attributes = true };
	d->file = d->parent_fd = -1;
	d->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->root < 0) {
		error_system(err, "%s", path);
		dir_close(&d->out);
		return false;
	}
	*out = &d->out;
	return true;
}
