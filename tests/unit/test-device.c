/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices: bounds, locks, holes, and what is refused because someone else uses it. */
#include "common/device/device-lock.h"
#include "common/device/device.h"
#include "tests/unit/fault-device.h"
#include "tests/unit/memory-device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE (1u << 20)

static char path[256];

/* Nobody who is in the way here goes away by itself. */
static int be_impatient(void **state)
{
	(void)state;
	device_lock_patience = 100;
	return 0;
}

static int make_file(void **state)
{
	const char *temp = getenv("TMPDIR");

	(void)state;
	snprintf(path, sizeof(path), "%s/test-device-XXXXXX", temp ? temp : "/tmp");

	const int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(pwrite(fd, "there", 5, 700000), 5);
	close(fd);
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static struct device *open_it(bool writable)
{
	struct device *device;
	struct error err;

	if (!device_open(path, writable ? DEVICE_WRITABLE : DEVICE_READ_ONLY, &device, &err))
		fail_msg("%s", err.text);
	return device;
}

static void expect_refusal(bool writable, enum error_kind kind, const char *text)
{
	struct device *device;
	struct error err = { 0 };

	assert_false(device_open(path, writable ? DEVICE_WRITABLE : DEVICE_READ_ONLY, &device, &err));
	assert_int_equal(err.kind, kind);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, err.text);
	assert_memory_equal(err.text, path, strlen(path));
	if (kind == ERROR_BUSY) {	/* known without opening it for writing as well */
		struct device *reader = open_it(false);
		struct error busy = { 0 };

		assert_false(device_check_free(reader, &busy));
		assert_int_equal(busy.kind, ERROR_BUSY);
		assert_string_equal(busy.text, err.text);
		device_close(reader);
	}
}

static void reads_and_writes_inside_its_bounds_only(void **state)
{
	struct device *device = open_it(true);
	struct error err = { 0 };
	char bytes[8];

	(void)state;
	assert_true(device->size == SIZE);
	assert_true(device_read(device, bytes, 5, 700000, &err));
	assert_memory_equal(bytes, "there", 5);
	assert_true(device_write(device, "end", 3, SIZE - 3, &err));
	assert_true(device_read(device, bytes, 4, SIZE - 4, &err));
	assert_memory_equal(bytes, "\0end", 4);
	assert_true(device_read(device, bytes, 0, SIZE, &err));
	assert_true(device_flush(device, &err));

	static const struct { size_t len; uint64_t at; } outside[] = {
		{ 1, SIZE }, { 4, SIZE - 3 }, { 1, UINT64_MAX }, { SIZE_MAX, 1 }, { 0, SIZE + 1 },
	};
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		err.kind = ERROR_NONE;
		assert_false(device_read(device, bytes, outside[i].len, outside[i].at, &err));
		assert_int_equal(err.kind, ERROR_CORRUPT);
		err.kind = ERROR_NONE;
		assert_false(device_write(device, bytes, outside[i].len, outside[i].at, &err));
		assert_int_equal(err.kind, ERROR_CORRUPT);
	}
	device_close(device);
}

/* Of the file: how many of its pages are in the page cache. */
static unsigned pages_in_cache(void)
{
	unsigned char in_core[SIZE / 4096];
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *mapped = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	unsigned n = 0;

	assert_true(fd >= 0 && mapped != MAP_FAILED);
	assert_int_equal(mincore(mapped, SIZE, in_core), 0);
	for (size_t i = 0; i < sizeof(in_core); i++)
		n += in_core[i] & 1;
	munmap(mapped, SIZE);
	close(fd);
	return n;
}

static void the_medium_is_read_past_the_page_cache(void **state)
{
	struct device *device = open_it(true);
	struct error err = { 0 };
	uint8_t *bytes = malloc(SIZE), *read = malloc(SIZE);
	struct statfs fs;
	bool again;

	(void)state;
	device_share(device);	/* pages_in_cache() opens it as well */
	assert_true(bytes && read);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 4096);
	assert_true(device_write(device, bytes, SIZE, 0, &err));
	assert_true(device_flush(device, &err));
	assert_int_equal(statfs(path, &fs), 0);
	if (fs.f_type != TMPFS_MAGIC)
		assert_int_equal(pages_in_cache(), SIZE / 4096);
	/* Whatever it is aligned to, up to the very end. */
	for (size_t at = 0; at < SIZE; at = at * 3 + 511) {
		memset(read, 0, SIZE);
		assert_true(device_read_medium(device, read, SIZE - at, at, &err));
		assert_memory_equal(read, bytes + at, SIZE - at);
	}
	if (fs.f_type != TMPFS_MAGIC)
		assert_int_equal(pages_in_cache(), 0);
	assert_true(device_read(device, read, SIZE, 0, &err));
	assert_true(device_forget(device, &err));
	if (fs.f_type != TMPFS_MAGIC)
		assert_int_equal(pages_in_cache(), 0);
	assert_true(device_read_back(device, bytes, SIZE, 0, &again, &err));
	assert_false(again);
	bytes[5000] ^= 1;
	assert_true(device_read_back(device, bytes, SIZE, 0, &again, &err));
	assert_true(again);
	assert_true(device_read_back(device, bytes, SIZE, 0, &again, &err));
	assert_false(again);
	err.kind = ERROR_NONE;
	assert_false(device_read_medium(device, read, 2, SIZE - 1, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	device_close(device);
	free(bytes);
	free(read);
}

static unsigned n_flushed;

static bool flush_once_not(struct error *err)
{
	return n_flushed++ > 0 || error_set(err, ERROR_IO, "cannot flush");
}

/* The kernel says it once, and the next flush would succeed. */
static void a_flush_that_failed_fails_ever_after(void **state)
{
	static const struct fault_hooks hooks = { .flush = flush_once_not };
	struct memory_device memory = { 0 };
	struct device *device = fault_device(&hooks, "memory", memory_device(&memory, "memory", 5, true));
	struct error err = { 0 };

	(void)state;
	assert_false(device_flush(device, &err));
	assert_string_equal(err.text, "memory: cannot flush");
	assert_false(device_flush(device, &err));
	assert_string_equal(err.text, "memory: an earlier flush failed");
	assert_int_equal(n_flushed, 1);
	device_close(device);
}

static void finds_data_and_gives_room_back(void **state)
{
	struct device *device = open_it(true);
	struct error err = { 0 };
	char byte;

	(void)state;
	assert_non_null(device->ops->next_data);
	const uint64_t data = device->ops->next_data(device->self, 0);

	assert_true(data <= 700000);
	assert_true(device->ops->next_data(device->self, 700000) == 700000);
	assert_true(device->ops->next_data(device->self, SIZE) == SIZE);
	assert_true(device->ops->next_data(device->self, UINT64_MAX) == SIZE);
	device->ops->punch(device->self, 0, SIZE);
	assert_true(device_read(device, &byte, 1, 700000, &err));
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	if (st.st_blocks == 0)	/* the filesystem of the test can punch */
		assert_true(device->ops->next_data(device->self, 0) == SIZE);
	device_close(device);
}

static void a_file_that_shrinks_is_an_io_error(void **state)
{
	struct device *device = open_it(false);
	struct error err = { 0 };
	char bytes[16];

	(void)state;
	assert_int_equal(truncate(path, 1000), 0);
	assert_false(device_read(device, bytes, 16, 992, &err));
	assert_int_equal(err.kind, ERROR_IO);
	assert_non_null(strstr(err.text, "the file ends there"));
	device_close(device);
}

static void read_only_never_writes(void **state)
{
	struct device *device = open_it(false);
	struct error err = { 0 };

	(void)state;
	assert_false(device_write(device, "x", 1, 0, &err));
	assert_int_equal(err.kind, ERROR_REFUSED);
	device_close(device);
}

static void two_writers_exclude_each_other_but_not_a_reader(void **state)
{
	struct device *writer = open_it(true), *reader;
	struct error err = { 0 };
	pid_t process;

	(void)state;
	device_share(writer);
	expect_refusal(true, ERROR_BUSY, "another process holds a lock on it (process ");
	reader = open_it(false);
	assert_true(device_locked_by(reader, &process));
	assert_int_equal(process, getpid());
	device_close(writer);

	assert_false(device_locked_by(reader, &process));
	assert_true(device_check_free(reader, &err));	/* and it keeps no lock */
	device_close(reader);
	device_close(open_it(true));
}

/* A virtual machine locks bytes of its image, not the whole. */
static void a_lock_of_another_process_on_a_part_counts(void **state)
{
	int ready[2], done[2];
	char byte = 0;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(done), 0);

	const pid_t child = fork();

	if (child == 0) {
		struct flock part = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1 };
		const int fd = open(path, O_RDONLY);
		const bool ok = fcntl(fd, F_OFD_SETLK, &part) == 0;

		close(done[1]);
		if (write(ready[1], ok ? "y" : "n", 1) != 1 || read(done[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	expect_refusal(true, ERROR_BUSY, "a virtual machine?");
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(done[i]);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	device_close(open_it(true));
}

static void what_is_no_image_is_not_found(void **state)
{
	char file[sizeof(path)];

	(void)state;
	memcpy(file, path, sizeof(file));
	snprintf(path, sizeof(path), "/nonexistent/image");
	expect_refusal(false, ERROR_NOT_FOUND, "No such file");
	snprintf(path, sizeof(path), "/tmp");
	expect_refusal(false, ERROR_NOT_FOUND, "neither a file nor a block device");
	snprintf(path, sizeof(path), "/dev/null");
	expect_refusal(true, ERROR_NOT_FOUND, "neither a file nor a block device");
	memcpy(path, file, sizeof(path));
}

/* The descriptor of a loop device with the file behind it, or -1 where this machine or user cannot. */
static int attach_loop(bool read_only, char name[32])
{
	const int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0) };
	int loop = -1;

	if (control < 0)
		return -1;
	config.fd = (uint32_t)open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	for (int tries = 0; tries < 10 && loop < 0; tries++) {
		const int number = ioctl(control, LOOP_CTL_GET_FREE);

		if (number < 0)
			break;
		snprintf(name, 32, "/dev/loop%d", number);
		loop = open(name, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &config) < 0) {	/* another was faster */
			close(loop);
			loop = -1;
		}
	}
	close((int)config.fd);
	close(control);
	return loop;
}

/* Somebody who looks at all loop devices may hold this one open a little longer. */
static void close_loop(int loop, const char *name)
{
	char file[80];

	close(loop);
	snprintf(file, sizeof(file), "/sys/block/%s/loop/backing_file", name + strlen("/dev/"));
	for (unsigned tries = 0; tries < 3000 && access(file, F_OK) == 0; tries++)
		usleep(10000);
}

static void a_loop_device_on_it_is_in_the_way(void **state)
{
	char name[32];
	int loop = attach_loop(false, name);

	(void)state;
	if (loop < 0) {
		print_message("skipped: no loop devices here, or not root\n");
		skip();
	}
	expect_refusal(true, ERROR_BUSY, name);
	device_close(open_it(false));
	close_loop(loop, name);

	loop = attach_loop(true, name);
	assert_true(loop >= 0);
	expect_refusal(true, ERROR_BUSY, name);	/* nobody uses it yet, but has the file open */

	const int user = open(name, O_RDONLY | O_EXCL | O_CLOEXEC);	/* as a mount does */

	assert_true(user >= 0);
	expect_refusal(true, ERROR_BUSY, name);
	close(user);
	close_loop(loop, name);
}

static void a_block_device_has_one_writer(void **state)
{
	char file[sizeof(path)], name[32];
	const int loop = attach_loop(false, name);

	(void)state;
	if (loop < 0) {
		print_message("skipped: no loop devices here, or not root\n");
		skip();
	}
	memcpy(file, path, sizeof(file));
	snprintf(path, sizeof(path), "%s", name);

	struct device *device = open_it(true);

	assert_true(device->size == SIZE);
	expect_refusal(true, ERROR_BUSY, "mounted or in use");
	device_close(open_it(false));
	device_close(device);
	memcpy(path, file, sizeof(path));
	close_loop(loop, name);
}

static void functions_of_the_caller_are_a_device(void **state)
{
	struct memory_device memory = { 0 };
	struct device *device = memory_device(&memory, "memory", 5, false);

	(void)state;
	assert_string_equal(device->name, "memory");
	device_close(device);
	assert_int_equal(memory.n_closed, 1);
	device_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_and_writes_inside_its_bounds_only, make_file, remove_file),
		cmocka_unit_test_setup_teardown(the_medium_is_read_past_the_page_cache, make_file, remove_file),
		cmocka_unit_test(a_flush_that_failed_fails_ever_after),
		cmocka_unit_test_setup_teardown(finds_data_and_gives_room_back, make_file, remove_file),
		cmocka_unit_test_setup_teardown(a_file_that_shrinks_is_an_io_error, make_file, remove_file),
		cmocka_unit_test_setup_teardown(read_only_never_writes, make_file, remove_file),
		cmocka_unit_test_setup_teardown(two_writers_exclude_each_other_but_not_a_reader, make_file, remove_file),
		cmocka_unit_test_setup_teardown(a_lock_of_another_process_on_a_part_counts, make_file, remove_file),
		cmocka_unit_test_setup_teardown(a_loop_device_on_it_is_in_the_way, make_file, remove_file),
		cmocka_unit_test_setup_teardown(a_block_device_has_one_writer, make_file, remove_file),
		cmocka_unit_test(what_is_no_image_is_not_found),
		cmocka_unit_test(functions_of_the_caller_are_a_device),
	};

	return cmocka_run_group_tests(tests, be_impatient, NULL);
}
