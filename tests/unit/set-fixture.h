/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A filesystem of several devices, made by mkfs.btrfs, without files: as edit-fixture.h has one of a single device. */
#ifndef TESTS_UNIT_SET_FIXTURE_H
#define TESTS_UNIT_SET_FIXTURE_H

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/edit-fixture.h"

#define N_MAX 6u

/* Files of one filesystem, in the directory of the first. */
static struct image set[N_MAX];
static unsigned n_set;

static inline int remove_set(void **state)
{
	char path[200];

	(void)state;
	transaction_drop(tx);
	allocator_close(allocator);
	volume_close(volume);
	tx = NULL;
	allocator = NULL;
	volume = NULL;
	for (unsigned i = 0; i < n_set; i++) {
		close(set[i].fd);
		unlink(set[i].path);
	}
	snprintf(path, sizeof(path), "%s/log", set[0].dir);
	unlink(path);
	if (n_set > 0)
		assert_int_equal(rmdir(set[0].dir), 0);
	n_set = 0;
	return 0;
}

static inline void make_set(unsigned n, const uint64_t *mib, const char *options)
{
	char command[2048], magic[8] = "";
	const char *temp = getenv("TMPDIR");
	int len = snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin; mkfs.btrfs -q %s", options);

	n_set = n;
	for (unsigned i = 0; i < n; i++) {
		set[i] = (struct image){ .size = mib[i] * MIB };
		if (i == 0) {
			snprintf(set[0].dir, sizeof(set[0].dir), "%s/set-XXXXXX", temp && strlen(temp) < 100 ? temp : "/tmp");
			assert_non_null(mkdtemp(set[0].dir));
		}
		snprintf(set[i].path, sizeof(set[i].path), "%s/%u", set[0].dir, i + 1);
		set[i].fd = open(set[i].path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		assert_true(set[i].fd >= 0);
		assert_int_equal(ftruncate(set[i].fd, (off_t)set[i].size), 0);
		len += snprintf(command + len, sizeof(command) - (size_t)len, " %s", set[i].path);
	}
	snprintf(command + len, sizeof(command) - (size_t)len, " >%s/log 2>&1", set[0].dir);
	(void)!system(command);
	if (pread(set[0].fd, magic, 8, SUPER_OFFSET_0 + offsetof(struct disk_superblock, magic)) != 8 || memcmp(magic, SUPER_MAGIC, 8) != 0) {
		fflush(stdout);
		snprintf(command, sizeof(command), "cat %s/log >&2; grep -q 'cannot check mount status' %s/log", set[0].dir, set[0].dir);
		assert_int_equal(system(command), 0);
		remove_set(NULL);
		fprintf(stderr, "skipped: mkfs.btrfs works for root only while a loop device is mounted\n");
		exit(77);
	}
}

static inline void open_set(struct volume **out)
{
	struct device *others[N_MAX];
	const struct volume_options options = { .others = others, .n_others = n_set - 1 };

	for (unsigned i = 1; i < n_set; i++)
		others[i - 1] = image_file(&set[i], true);
	ok(volume_open(image_file(&set[0], true), &options, out, &err));
}

static inline void make_and_open(unsigned n, const uint64_t *mib, const char *options)
{
	make_set(n, mib, options);
	open_set(&volume);
	ok(allocator_open(volume, &allocator, &err));
}

#endif /* TESTS_UNIT_SET_FIXTURE_H */
