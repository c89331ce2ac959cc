/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /sys, /proc and /dev say of who uses a filesystem, and what counts where they say nothing. */
#include "common/device/device-in-use.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include <cmocka.h>

#include "common/device/loop-device.h"
#include "format/superblock.h"

static char root[128], command[1024];
static const uint8_t fsid[FSID_SIZE] = "one filesystem.", other[FSID_SIZE] = "another, beside";
static char fsid_text[UUID_STR_LEN], other_text[UUID_STR_LEN];

static void in_root(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void in_root(const char *format, ...)
{
	const int used = snprintf(command, sizeof(command), "cd %s && ", root);
	va_list args;

	va_start(args, format);
	vsnprintf(command + used, sizeof(command) - (size_t)used, format, args);
	va_end(args);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static int make_root(void **state)
{
	const char *temp = getenv("TMPDIR");

	(void)state;
	snprintf(root, sizeof(root), "%s/root-XXXXXX", temp && strlen(temp) < 100 ? temp : "/tmp");
	assert_non_null(mkdtemp(root));
	uuid_unparse_lower(fsid, fsid_text);
	uuid_unparse_lower(other, other_text);
	system_root = root;
	return 0;
}

static int remove_root(void **state)
{
	(void)state;
	system_root = "";
	in_root("rm -rf %s", root);
	return 0;
}

static void is_free(void)
{
	struct error err = { 0 };

	if (!filesystem_not_mounted(fsid, other, &err))
		fail_msg("%s", err.text);
}

static void is_busy(const char *text)
{
	struct error err = { 0 };

	assert_false(filesystem_not_mounted(fsid, fsid, &err));
	assert_int_equal(err.kind, ERROR_BUSY);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, err.text);
}

static void it_is_mounted_where_sys_has_its_uuid(void **state)
{
	(void)state;
	in_root("mkdir -p sys/fs");		/* a kernel without btrfs */
	is_free();
	in_root("mkdir -p sys/fs/btrfs/features");
	is_free();
	in_root("mkdir -p sys/fs/btrfs/%s/devices/vdz", fsid_text);
	is_busy("is mounted, from /dev/vdz");
	in_root("mv sys/fs/btrfs/%s sys/fs/btrfs/c0ffee00-0000-0000-0000-000000000001", fsid_text);
	is_free();
	in_root("echo c0ffee00-0000-0000-0000-000000000002 > sys/fs/btrfs/c0ffee00-0000-0000-0000-000000000001/metadata_uuid");
	is_free();
	in_root("echo %s > sys/fs/btrfs/c0ffee00-0000-0000-0000-000000000001/metadata_uuid", fsid_text);
	is_busy("is mounted, from /dev/vdz");

	/* Its own uuid was changed: the kernel tells of the one in its tree blocks. */
	struct error err = { 0 };

	in_root("echo %s > sys/fs/btrfs/c0ffee00-0000-0000-0000-000000000001/metadata_uuid", other_text);
	assert_false(filesystem_not_mounted(fsid, other, &err));
}

static void mount_one(const uint8_t of[FSID_SIZE])
{
	struct disk_superblock disk = { 0 };
	char path[256];

	memcpy(disk.fsid, of, FSID_SIZE);
	snprintf(path, sizeof(path), "%s/device", root);

	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && pwrite(fd, &disk, sizeof(disk), (off_t)superblock_offset(0)) == (ssize_t)sizeof(disk));
	close(fd);
	in_root("mkdir -p proc/self && printf '%%s\\n' '25 1 0:21 / /mnt/some\\040where rw - btrfs %s rw' > proc/self/mountinfo", path);
}

static void without_sys_it_is_looked_for_on_what_is_mounted(void **state)
{
	(void)state;
	is_busy("/proc/self/mountinfo cannot be read");
	in_root("mkdir -p proc/self && echo '25 1 0:21 / /proc rw - proc proc rw' > proc/self/mountinfo");
	is_free();
	mount_one(fsid);
	is_busy("is mounted, at /mnt/some where");
	mount_one((const uint8_t *)"it is none of it");
	is_free();
	in_root("rm device");
	is_busy("nothing tells which btrfs filesystem is mounted at /mnt/some where");
}

static void what_loop_devices_show_must_be_known(void **state)
{
	struct stat st;
	struct error err = { 0 };

	(void)state;
	in_root("echo some > file");
	snprintf(command, sizeof(command), "%s/file", root);
	assert_int_equal(stat(command, &st), 0);
	assert_false(device_not_in_use(&st, &err));
	assert_int_equal(err.kind, ERROR_BUSY);
	assert_non_null(strstr(err.text, "neither /sys nor /dev can be read"));
	in_root("mkdir dev && touch dev/loop-control dev/loop0p1");
	assert_true(device_not_in_use(&st, &err));
	in_root("touch dev/loop7");		/* which does not answer */
	assert_false(device_not_in_use(&st, &err));
	assert_int_equal(err.kind, ERROR_BUSY);
	assert_string_equal(err.text, "without /sys nothing tells what loop device /dev/loop7 shows");

	/* With /sys its path is known, where it cannot be asked. */
	in_root("mkdir -p sys/block/loop7/loop && echo /nonexistent > sys/block/loop7/loop/backing_file");
	assert_true(device_not_in_use(&st, &err));
	in_root("echo %s/file > sys/block/loop7/loop/backing_file", root);
	assert_false(device_not_in_use(&st, &err));
	assert_string_equal(err.text, "attached to loop device /dev/loop7");
	assert_string_equal(err.hint, "unmount it and run `losetup --detach /dev/loop7`");
	in_root("echo 1 > sys/block/loop7/loop/autoclear");	/* as mount -o loop makes it */
	assert_false(device_not_in_use(&st, &err));
	assert_string_equal(err.hint, "run `umount /dev/loop7`; the kernel then detaches the loop device by itself");

	/* A node whose device does not answer, one whose device shows nothing (opening a socket is the same error), and none. */
	loop_unknown_error("loop7", &err);
	assert_int_equal(err.kind, ERROR_BUSY);
	snprintf(command, sizeof(command), "%s/dev/loop8", root);
	assert_int_equal(mknod(command, S_IFSOCK | 0600, 0), 0);
	loop_unknown_error("loop8", &err);
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	assert_string_equal(err.text, "no file is attached to the loop device /dev/loop8");
	loop_unknown_error("loop9", &err);
	assert_int_equal(err.kind, ERROR_BUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_mounted_where_sys_has_its_uuid, make_root, remove_root),
		cmocka_unit_test_setup_teardown(without_sys_it_is_looked_for_on_what_is_mounted, make_root, remove_root),
		cmocka_unit_test_setup_teardown(what_loop_devices_show_must_be_known, make_root, remove_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
