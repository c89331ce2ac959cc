/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Content by what describes it: names, symlinks, times, owners, modes, xattrs, ACLs, hard links, special files, inode flags, directories. */
#include "tests/image/filler/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

static void make_symlinks(uint64_t size)
{
	static const unsigned length[] = { 1, 8, 16, 60, 255, 1000, 2000, 3000, 4000 };
	char target[4096], name[32];

	(void)size;
	for (size_t i = 0; i < sizeof(length) / sizeof(*length); i++) {
		put_text(target, length[i]);
		snprintf(name, sizeof(name), "%u", length[i]);
		if (symlink(target, name) && errno != ENAMETOOLONG)	/* small nodes hold less */
			die("symlink of %u bytes", length[i]);
	}
}

static void make_names(uint64_t size)
{
	static const char *const odd[] = { " ", "new\nline", "tab\there", "\xff\xfe not utf-8", "back\\slash", "\"quoted\"", "-rf", "*", "\x1b[31m",
		"gr\xc3\xbc\xc3\x9f", ".hidden", "a b  c ",
		/* pairs whose directory items have the same key */
		"5a142a5546", "5f9e54009d", "27c20a93c8", "e37a232b5c" };
	char name[256];

	(void)size;
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		make_file(odd[i], 200 + i * 300, READABLE);
	for (unsigned i = 0; i < 255; i++)
		name[i] = 'a' + i % 26;
	name[255] = 0;
	make_file(name, 10000, SCRAMBLED);
	for (unsigned i = 0; i < 255; i++)
		name[i] = (char)(0x80 + i % 100);
	enter(name);
	make_file(name, 50, READABLE);
	leave();
}

static void set_time(const char *name, long long seconds, long nanoseconds)
{
	const struct timespec when[2] = { { seconds, nanoseconds }, { seconds, nanoseconds } };

	if (utimensat(AT_FDCWD, name, when, AT_SYMLINK_NOFOLLOW))
		die("%s: time", name);
}

static void make_times(uint64_t size)
{
	static const struct { const char *name; long long seconds; long nanoseconds; } at[] = {
		{ "before-1970", -1234567890, 987654321 }, { "1901", -2147483649, 1 }, { "2038", 2147483648, 999999999 },
		{ "far", 253402300800, 5 }, { "zero", 0, 0 },
	};

	(void)size;
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		make_file(at[i].name, 1 + i * 3000, READABLE);
		set_time(at[i].name, at[i].seconds, at[i].nanoseconds);
	}
}

static void make_modes(uint64_t size)
{
	static const struct { mode_t mode; uid_t uid; gid_t gid; } of[] = {
		{ 0, 0, 0 }, { 07777, 1, 2 }, { 04755, 65534, 65534 }, { 0444, 4294967294u, 4294967294u }, { 01600, 1000, 0 },
	};
	char name[32];

	(void)size;
	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
		snprintf(name, sizeof(name), "%04o", of[i].mode);
		make_file(name, 500 + i * 2000, i % 2 ? SCRAMBLED : READABLE);
		if (chown(name, of[i].uid, of[i].gid) || chmod(name, of[i].mode))
			die("%s", name);
	}
	enter("sticky");
	leave();
	if (chown("sticky", 7, 8) || chmod("sticky", 03711))
		die("sticky");
}

static void set_xattr(const char *path, const char *name, const void *value, size_t length)
{
	if (lsetxattr(path, name, value, length, 0))
		die("%s: %s", path, name);
}

static void make_xattrs(uint64_t size)
{
	/* version 2; user 1000 rw, group 5 r beside the usual three and a mask */
	static const uint8_t acl[] = { 2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 6, 0, 232, 3, 0, 0, 4, 0, 5, 0, 255, 255, 255, 255,
		8, 0, 4, 0, 5, 0, 0, 0, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 1, 0, 255, 255, 255, 255 };
	/* cap_net_raw+ep */
	static const uint8_t capability[] = { 1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	char value[3000];

	(void)size;
	memset(value, 'v', sizeof(value));
	make_file("file", 3000, READABLE);
	set_xattr("file", "user.short", "1", 1);
	set_xattr("file", "user.empty", "", 0);
	set_xattr("file", "user.long", value, sizeof(value));
	set_xattr("file", "trusted.zero", "a\0b", 3);
	/* their items have the same key */
	set_xattr("file", "user.5a142a5546", "one", 3);
	set_xattr("file", "user.5f9e54009d", "the other", 9);
	set_xattr("file", "security.capability", capability, sizeof(capability));
	set_xattr("file", "system.posix_acl_access", acl, sizeof(acl));
	enter("directory");
	make_file("inherits", 10, READABLE);
	leave();
	set_xattr("directory", "user.of-directory", "x", 1);
	set_xattr("directory", "system.posix_acl_default", acl, sizeof(acl));
	if (symlink("file", "link"))
		die("link");
	set_xattr("link", "trusted.of-link", "y", 1);
}

/*
 * size names in one directory: CROWD_LINKS of them, and long, are those of one inode, whose references overflow into INODE_EXTREF items at every
 * node size; the others are files of 0 to 4096 bytes.
 */
static void make_crowd(uint64_t size)
{
	enum { CROWD_LINKS = 404 };
	char name[256];

	make_file("0", 1234, READABLE);
	for (unsigned i = 1; i < size; i++) {
		snprintf(name, sizeof(name), "%u", i);
		if (i >= CROWD_LINKS) {
			make_file(name, i * 37 % 4097, i % 3 ? READABLE : SCRAMBLED);
			continue;
		}
		memset(name, 'n', 250);
		snprintf(name + 240, 16, "-%u", i);
		if (link("0", name))
			die("link %u", i);
	}
}

/* Enough names in one directory that the references overflow into INODE_EXTREF items at every node size. */
static void make_links(uint64_t size)
{
	char name[256];

	(void)size;
	make_file("first", 20000, SCRAMBLED);
	make_file("inline", 77, READABLE);
	enter("far");
	if (link("../first", "second") || link("../inline", "inline-too"))
		die("link");
	leave();
	for (unsigned i = 0; i < 300; i++) {
		memset(name, 'n', 250);
		snprintf(name + 240, 16, "-%u", i);
		if (link("inline", name)) {
			if (errno == EMLINK)	/* a filesystem without extended references */
				break;
			die("link %u", i);
		}
	}
}

static void make_special(uint64_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "socket" };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)size;
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die("socket");
	close(fd);
	if (mkfifo("fifo", 0640) || mknod("null", S_IFCHR | 0666, makedev(1, 3)) || mknod("block", S_IFBLK | 0600, makedev(259, 300)) ||
	    mknod("large", S_IFCHR | 0600, makedev(4095, 1048575)))
		die("mknod");
}

static void set_flags(const char *name, int add)
{
	const int fd = open(name, O_RDONLY | O_CLOEXEC);
	int flags;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) || (flags |= add, ioctl(fd, FS_IOC_SETFLAGS, &flags)))
		die("%s: flags", name);
	close(fd);
}

static void make_flags(uint64_t size)
{
	(void)size;
	make_file("immutable", 9000, SCRAMBLED);
	make_file("immutable-inline", 90, READABLE);
	make_file("append-only", 9000, READABLE);
	make_file("noatime-sync-nodump", 5000, READABLE);
	set_flags("immutable", FS_IMMUTABLE_FL);
	set_flags("immutable-inline", FS_IMMUTABLE_FL);
	set_flags("append-only", FS_APPEND_FL);
	set_flags("noatime-sync-nodump", FS_NOATIME_FL | FS_SYNC_FL | FS_NODUMP_FL);
}

static void make_directories(uint64_t size)
{
	char name[32];

	(void)size;
	enter("empty");
	leave();
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "deep-%u", i);
		enter(name);
	}
	make_file("bottom", 5000, READABLE);
	for (unsigned i = 0; i < 40; i++)
		leave();
	enter("wide");
	for (unsigned i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "%u", i);
		make_file(name, i % 50, READABLE);
	}
	leave();
}

const struct kind name_kinds[] = {
	{ "symlinks", make_symlinks }, { "names", make_names }, { "times", make_times }, { "modes", make_modes }, { "xattrs", make_xattrs },
	{ "links", make_links }, { "special", make_special }, { "flags", make_flags }, { "directories", make_directories }, { "crowd", make_crowd },
	{ NULL, NULL },
};
