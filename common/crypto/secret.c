/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secret bytes and their sources: random, a file, a descriptor. */
#include "common/crypto/secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/crypto.h"
#include "common/crypto/sodium.h"
#include "common/util/take.h"

struct secret {
	uint8_t *bytes;		/* locked */
	size_t len;
};

bool secret_init(struct error *err)
{
	const struct rlimit no_core = { 0, 0 };
	struct rlimit lock;

	crypto_init();
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0)
		return error_system(err, "turning core dumps off");
	/* As far as allowed. If that is not enough, the allocation that cannot be locked reports it. */
	if (getrlimit(RLIMIT_MEMLOCK, &lock) == 0 && lock.rlim_cur != lock.rlim_max) {
		lock.rlim_cur = lock.rlim_max;
		setrlimit(RLIMIT_MEMLOCK, &lock);
	}
	return locked_memory_init(err);
}

bool secret_new(size_t len, struct secret **secret, struct error *err)
{
	struct secret *new;

	assert(len > 0);
	new = calloc(1, sizeof(*new));
	if (!new)
		return error_memory(err);
	if (!locked_memory_new(len, &new->bytes, err)) {
		free(new);
		return false;
	}
	new->len = len;
	*secret = new;
	return true;
}

bool secret_random(size_t len, struct secret **secret, struct error *err)
{
	cleanup_secret struct secret *new = NULL;

	if (!secret_new(len, &new, err) || !crypto_random(new->bytes, len, err))
		return false;
	*secret = TAKE(new);
	return true;
}

uint8_t *secret_bytes(struct secret *secret)
{
	return secret->bytes;
}

const uint8_t *secret_view(const struct secret *secret)
{
	return secret->bytes;
}

size_t secret_len(const struct secret *secret)
{
	return secret->len;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	return a->len == b->len && secret_same(a->bytes, b->bytes, a->len);
}

void secret_free(struct secret *secret)
{
	if (!secret)
		return;
	locked_memory_free(secret->bytes);
	free(secret);
}

void wiped_free(void *bytes, size_t len)
{
	if (bytes)
		explicit_bzero(bytes, len);	/* faster where there is much */
	free(bytes);
}

/* --- reading ------------------------------------------------------------------------- */
struct secret_file {
	int fd;
	const char *name;	/* for messages */
};

/* Reads up to len bytes; fewer only at the end of the file. */
static bool read_some(const struct secret_file *source, uint8_t *out, size_t len, size_t *got, struct error *err)
{
	*got = 0;
	while (*got < len) {
		const ssize_t n = read(source->fd, out + *got, len - *got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_system(err, "reading %s", source->name);
		if (n == 0)
			break;
		*got += n;
	}
	return true;
}

/* Seeks if possible. Otherwise reads the bytes into locked memory, because they may be part of the key. */
static bool skip_bytes(const struct secret_file *source, uint64_t skip, struct error *err)
{
	cleanup_secret struct secret *scratch = NULL;
	struct stat st;

	if (fstat(source->fd, &st) < 0)
		return error_system(err, "%s", source->name);
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) {
		if (skip > INT64_MAX || lseek(source->fd, skip, SEEK_CUR) < 0)
			return error_set(err, ERROR_KEY, "%s cannot be read from byte %llu onwards", source->name,
					 (unsigned long long)skip);
		return true;
	}
	if (skip > 0 && !secret_new(4096, &scratch, err))
		return false;
	while (skip > 0) {
		const size_t want = skip < scratch->len ? skip : scratch->len;
		size_t got;

		if (!read_some(source, scratch->bytes, want, &got, err))
			return false;
		if (got < want)
			return error_set(err, ERROR_KEY, "%s ends before the key begins", source->name);
		skip -= got;
	}
	return true;
}

/* Reads to the end of the file, but at most `most` bytes. */
static bool read_up_to(const struct secret_file *source, size_t most, struct secret **secret, struct error *err)
{
	cleanup_secret struct secret *have = NULL;
	size_t room = 4096, used = 0;

	if (!secret_new(room, &have, err))
		return false;
	for (;;) {
		const size_t want = (room < most ? room : most) - used;
		size_t got;
		struct secret *bigger;

		if (!read_some(source, have->bytes + used, want, &got, err))
			return false;
		used += got;
		if (got < want || used == most)
			break;
		room *= 2;
		if (!secret_new(room, &bigger, err))
			return false;
		memcpy(bigger->bytes, have->bytes, used);
		secret_free(have);
		have = bigger;
	}
	if (used == 0)
		return error_set(err, ERROR_KEY, "%s is empty", source->name);
	have->len = used;
	*secret = TAKE(have);
	return true;
}

static bool source_open(const char *path, struct secret_file *source, struct error *err)
{
	if (strcmp(path, "-") == 0) {
		*source = (struct secret_file){ STDIN_FILENO, "standard input" };
		return true;
	}
	*source = (struct secret_file){ open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), path };
	if (source->fd < 0) {
		const bool missing = errno == ENOENT;

		error_system(err, "%s", path);
		if (missing)
			err->kind = ERROR_NOT_FOUND;
		return false;
	}
	return true;
}

static void source_close(const struct secret_file *source)
{
	if (source->fd > STDERR_FILENO)
		close(source->fd);
}

static bool read_key_bytes(const struct secret_file *source, uint64_t skip, size_t max, struct secret **secret,
			   struct error *err)
{
	cleanup_secret struct secret *new = NULL;

	if (!skip_bytes(source, skip, err))
		return false;
	if (!read_up_to(source, max ? max : SECRET_FILE_MAX + 1, &new, err))
		return err->kind != ERROR_KEY || skip == 0 ? false :
		       error_set(err, ERROR_KEY, "%s has no byte at the offset %" PRIu64 " of the key: it ends there or earlier",
		       	source->name, skip);
	if (new->len > SECRET_FILE_MAX) {
		error_set(err, ERROR_KEY, "%s has more than the %u bytes that a key may have", source->name,
			  SECRET_FILE_MAX);
		return error_hint(err, "--keyfile-size says how many bytes are the key");
	}
	*secret = TAKE(new);
	return true;
}

bool secret_read_file(const char *path, uint64_t skip, size_t max, struct secret **secret, struct error *err)
{
	struct secret_file source;
	bool ok;

	if (max > SECRET_FILE_MAX)
		return error_set(err, ERROR_USAGE, "a key of %zu bytes is too long; at most %u are allowed", max, SECRET_FILE_MAX);
	if (!source_open(path, &source, err))
		return false;
	ok = read_key_bytes(&source, skip, max, secret, err);
	source_close(&source);
	return ok;
}

static bool read_passphrase(const struct secret_file *source, struct secret **secret, struct error *err)
{
	cleanup_secret struct secret *new = NULL;

	/* Room for the newline, and for one more byte to notice that it is too long. */
	if (!read_up_to(source, SECRET_PASSPHRASE_MAX + 2, &new, err))
		return false;
	if (new->bytes[new->len - 1] == '\n')
		new->len--;
	if (new->len == 0)
		return error_set(err, ERROR_KEY, "the passphrase in %s is empty", source->name);
	if (new->len > SECRET_PASSPHRASE_MAX)
		return error_set(err, ERROR_KEY, "the passphrase in %s has more than %u bytes", source->name,
				 SECRET_PASSPHRASE_MAX);
	if (memchr(new->bytes, '\0', new->len)) {
		error_set(err, ERROR_KEY, "the passphrase in %s has a NUL byte", source->name);
		return error_hint(err, "--key-file takes exact bytes");
	}
	*secret = TAKE(new);
	return true;
}

bool secret_read_passphrase_file(const char *path, struct secret **secret, struct error *err)
{
	struct secret_file source;
	bool ok;

	if (!source_open(path, &source, err))
		return false;
	ok = read_passphrase(&source, secret, err);
	source_close(&source);
	return ok;
}

bool secret_read_passphrase_fd(int fd, struct secret **secret, struct error *err)
{
	char name[32];
	const struct secret_file source = { fd, name };

	snprintf(name, sizeof(name), "descriptor %d", fd);
	return read_passphrase(&source, secret, err);
}
