/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secrets: locked memory, and exactly the bytes that a file or descriptor holds. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/crypto/secret.h"

#define PATH_SIZE 300

/* The address sanitizer turns mlock() into nothing. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SKIP_WHERE_NOTHING_IS_LOCKED() skip()
#else
#define SKIP_WHERE_NOTHING_IS_LOCKED() ((void)0)
#endif

static int set_up(void **state)
{
	struct error err = { 0 };

	(void)state;
	return secret_init(&err) ? 0 : -1;
}

/* A file of these bytes, gone when the test ends; its name in path. */
static void file_with(const void *bytes, size_t len, char path[PATH_SIZE])
{
	const char *directory = getenv("TMPDIR");
	int fd;

	assert_true(snprintf(path, PATH_SIZE, "%s/test-secret.XXXXXX", directory ? directory : "/tmp") < PATH_SIZE);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

/* The reading end of a pipe that holds these bytes and then ends. */
static int pipe_with(const void *bytes, size_t len)
{
	int end[2];

	assert_int_equal(pipe(end), 0);
	assert_int_equal(write(end[1], bytes, len), len);
	close(end[1]);
	return end[0];
}

static void assert_holds(const struct secret *secret, const void *bytes, size_t len)
{
	assert_non_null(secret);
	assert_int_equal(secret_len(secret), len);
	assert_memory_equal(secret_view(secret), bytes, len);
}

static void starts_without_core_dumps(void **state)
{
	struct rlimit core;

	(void)state;
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
	assert_int_equal(core.rlim_max, 0);
}

static long locked_kib(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmLck: %ld kB", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

static void is_zeroed_and_locked(void **state)
{
	const long before = locked_kib();
	struct secret *secret = NULL;
	struct error err = { 0 };

	(void)state;
	SKIP_WHERE_NOTHING_IS_LOCKED();
	assert_true(secret_new(40000, &secret, &err));
	assert_int_equal(secret_len(secret), 40000);
	for (size_t i = 0; i < secret_len(secret); i++)
		assert_int_equal(secret_view(secret)[i], 0);
	assert_true(locked_kib() >= before + 40);
	secret_free(secret);
	assert_int_equal(locked_kib(), before);
	secret_free(NULL);
}

/* In a process of its own that may lock next to nothing. */
static void says_that_memory_cannot_be_locked(void **state)
{
	const struct rlimit little = { 65536, 65536 };
	int status;
	pid_t child;

	(void)state;
	SKIP_WHERE_NOTHING_IS_LOCKED();
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct secret *secret = NULL;
		struct error err = { 0 };

		if (setrlimit(RLIMIT_MEMLOCK, &little) < 0 || (geteuid() == 0 && setuid(65534) < 0))
			_exit(1);
		if (!secret_new(100, &secret, &err))
			_exit(2);
		if (secret_new(1 << 20, &secret, &err) || err.kind != ERROR_MEMORY)
			_exit(3);
		_exit(strncmp(err.text, "1048576 bytes of memory for a secret cannot be locked: ", 55) != 0 || !err.hint[0]);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void compares(void **state)
{
	cleanup_secret struct secret *a = NULL, *b = NULL, *c = NULL;
	struct error err = { 0 };
	char bytes[] = "some bytes";

	(void)state;
	assert_true(secret_random(32, &a, &err));
	assert_true(secret_random(32, &b, &err));
	assert_true(secret_new(31, &c, &err));
	assert_false(secret_equal(a, b));
	memcpy(secret_bytes(b), secret_view(a), 32);
	memcpy(secret_bytes(c), secret_view(a), 31);
	assert_true(secret_equal(a, b));
	assert_false(secret_equal(a, c));
	secret_bytes(b)[31] ^= 0x80;
	assert_false(secret_equal(a, b));
	assert_true(secret_same("abc", "abd", 2));
	assert_false(secret_same("abc", "abd", 3));
	secret_wipe(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0);
}

static void reads_exact_bytes_of_a_file(void **state)
{
	static const char content[] = "\0key\nbytes\n";	/* and a NUL at the end */
	static const struct { uint64_t skip; size_t max, at, len; } row[] = {
		{ 0, 0, 0, 12 }, { 0, 4, 0, 4 }, { 3, 0, 3, 9 }, { 3, 5, 3, 5 }, { 11, 0, 11, 1 }, { 0, 12, 0, 12 },
		{ 0, 13, 0, 12 },
	};
	char path[PATH_SIZE];

	(void)state;
	file_with(content, sizeof(content), path);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		cleanup_secret struct secret *secret = NULL, *piped = NULL;
		const int saved = dup(STDIN_FILENO), fd = pipe_with(content, sizeof(content));
		struct error err = { 0 };
		bool ok;

		if (!secret_read_file(path, row[i].skip, row[i].max, &secret, &err))
			fail_msg("row %zu: %s", i, err.text);
		assert_holds(secret, content + row[i].at, row[i].len);
		/* the same from standard input, where nothing can be skipped but by reading */
		dup2(fd, STDIN_FILENO);
		close(fd);
		ok = secret_read_file("-", row[i].skip, row[i].max, &piped, &err);
		dup2(saved, STDIN_FILENO);
		close(saved);
		if (!ok)
			fail_msg("row %zu: %s", i, err.text);
		assert_holds(piped, content + row[i].at, row[i].len);
	}
	unlink(path);
}

static void reads_large_files(void **state)
{
	const size_t len = 100001;
	cleanup_secret struct secret *secret = NULL;
	char *bytes = malloc(len), path[PATH_SIZE];
	struct error err = { 0 };

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = i * 31 + (i >> 8);
	file_with(bytes, len, path);
	assert_true(secret_read_file(path, 0, 0, &secret, &err));
	assert_holds(secret, bytes, len);
	unlink(path);
	free(bytes);
}

static void bounds_the_size_of_a_key(void **state)
{
	char path[PATH_SIZE];

	(void)state;
	if (geteuid() != 0)
		skip();		/* may not lock that much */
	file_with("", 0, path);
	for (unsigned over = 0; over < 2; over++) {
		cleanup_secret struct secret *secret = NULL;
		struct error err = { 0 };

		assert_int_equal(truncate(path, SECRET_FILE_MAX + over), 0);
		assert_int_equal(secret_read_file(path, 0, 0, &secret, &err), !over);
		if (over)
			assert_int_equal(err.kind, ERROR_KEY);
		else
			assert_int_equal(secret_len(secret), SECRET_FILE_MAX);
	}
	unlink(path);
}

static void refuses_files_without_a_key(void **state)
{
	static const char content[] = { 'a', 'b', 'c' };
	const int saved = dup(STDIN_FILENO), fd = pipe_with(content, sizeof(content));
	struct secret *secret = NULL;
	struct error err = { 0 };
	char path[PATH_SIZE], empty[PATH_SIZE], text[PATH_SIZE + 10];

	(void)state;
	file_with(content, sizeof(content), path);
	file_with("", 0, empty);
	assert_false(secret_read_file(empty, 0, 0, &secret, &err));
	assert_int_equal(err.kind, ERROR_KEY);
	snprintf(text, sizeof(text), "%s is empty", empty);
	assert_string_equal(err.text, text);
	for (uint64_t skip = 3; skip < 6; skip++) {
		assert_false(secret_read_file(path, skip, 0, &secret, &err));
		assert_int_equal(err.kind, ERROR_KEY);
	}
	assert_false(secret_read_file(path, UINT64_MAX, 0, &secret, &err));
	assert_int_equal(err.kind, ERROR_KEY);
	assert_false(secret_read_file(path, 0, SECRET_FILE_MAX + 1, &secret, &err));
	assert_int_equal(err.kind, ERROR_USAGE);
	assert_false(secret_read_file("/tmp", 0, 0, &secret, &err));
	assert_int_equal(err.kind, ERROR_IO);
	dup2(fd, STDIN_FILENO);
	close(fd);
	const bool ok = secret_read_file("-", 4, 0, &secret, &err);
	dup2(saved, STDIN_FILENO);
	close(saved);
	assert_false(ok);
	assert_string_equal(err.text, "standard input ends before the key begins");
	unlink(path);
	assert_false(secret_read_file(path, 0, 0, &secret, &err));
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	unlink(empty);
	assert_null(secret);
}

static void strips_exactly_one_newline(void **state)
{
	static const struct { const char *content, *passphrase; } row[] = {
		{ "abc\n", "abc" }, { "abc", "abc" }, { "abc\n\n", "abc\n" }, { "\nabc\n", "\nabc" },
		{ "a b\nc \n", "a b\nc " }, { "abc\r\n", "abc\r" }, { "\n\n", "\n" }, { "\xff\n", "\xff" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		cleanup_secret struct secret *of_file = NULL, *of_pipe = NULL;
		const int fd = pipe_with(row[i].content, strlen(row[i].content));
		struct error err = { 0 };
		char path[PATH_SIZE];

		file_with(row[i].content, strlen(row[i].content), path);
		assert_true(secret_read_passphrase_file(path, &of_file, &err));
		assert_holds(of_file, row[i].passphrase, strlen(row[i].passphrase));
		assert_true(secret_read_passphrase_fd(fd, &of_pipe, &err));
		assert_holds(of_pipe, row[i].passphrase, strlen(row[i].passphrase));
		close(fd);
		unlink(path);
	}
}

static void reads_what_comes_in_pieces(void **state)
{
	cleanup_secret struct secret *secret = NULL;
	struct error err = { 0 };
	int end[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(end), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (const char *at = "in pieces\n"; *at; at++) {
			if (write(end[1], at, 1) != 1)
				_exit(1);
			usleep(1000);
		}
		_exit(0);
	}
	close(end[1]);
	assert_true(secret_read_passphrase_fd(end[0], &secret, &err));
	assert_holds(secret, "in pieces", 9);
	close(end[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void refuses_what_is_no_passphrase(void **state)
{
	static char longest[SECRET_PASSPHRASE_MAX + 2];
	const struct { const char *content; size_t len; const char *text; } row[] = {
		{ "", 0, "descriptor %d is empty" },
		{ "\n", 1, "the passphrase in descriptor %d is empty" },
		{ "a\0b\n", 4, "the passphrase in descriptor %d has a NUL byte" },
		{ "\0", 1, "the passphrase in descriptor %d has a NUL byte" },
		{ longest, SECRET_PASSPHRASE_MAX + 1, "the passphrase in descriptor %d has more than 4096 bytes" },
		{ longest, SECRET_PASSPHRASE_MAX + 2, "the passphrase in descriptor %d has more than 4096 bytes" },
	};
	struct error err = { 0 };

	(void)state;
	memset(longest, 'x', sizeof(longest));
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const int fd = pipe_with(row[i].content, row[i].len);
		struct secret *secret = NULL;
		char text[128];

		assert_false(secret_read_passphrase_fd(fd, &secret, &err));
		assert_null(secret);
		assert_int_equal(err.kind, ERROR_KEY);
		sprintf(text, row[i].text, fd);
		assert_string_equal(err.text, text);
		close(fd);
	}
	longest[SECRET_PASSPHRASE_MAX] = '\n';
	for (size_t len = SECRET_PASSPHRASE_MAX; len <= SECRET_PASSPHRASE_MAX + 1; len++) {
		cleanup_secret struct secret *secret = NULL;
		const int fd = pipe_with(longest, len);

		assert_true(secret_read_passphrase_fd(fd, &secret, &err));
		assert_holds(secret, longest, SECRET_PASSPHRASE_MAX);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_without_core_dumps),
		cmocka_unit_test(is_zeroed_and_locked),
		cmocka_unit_test(says_that_memory_cannot_be_locked),
		cmocka_unit_test(compares),
		cmocka_unit_test(reads_exact_bytes_of_a_file),
		cmocka_unit_test(reads_large_files),
		cmocka_unit_test(bounds_the_size_of_a_key),
		cmocka_unit_test(refuses_files_without_a_key),
		cmocka_unit_test(strips_exactly_one_newline),
		cmocka_unit_test(reads_what_comes_in_pieces),
		cmocka_unit_test(refuses_what_is_no_passphrase),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
