/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/device/nbd-device.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libnbd.h>

#include "common/crypto/secret.h"
#include "common/util/escape.h"
#include "common/util/library.h"

#define FILE_NAME "libnbd.so.0"		/* the only one since libnbd 1.0, of 2019 */
#define PIECE (1u << 20)		/* bytes per request: every server takes that many */
#define BLOCK_MAX (64u << 10)		/* the largest block that a server may insist on, by the protocol */
#define EXTENTS 128			/* kept of one reply */
#define EXTENT_QUERY (1u << 31)		/* bytes that one query is about */
#define EXTENTS_WORTH 4096u		/* a reply about fewer bytes is not worth another query */

/* The functions that we call. */
#define FUNCTIONS(X) \
	X(nbd_create) X(nbd_close) X(nbd_get_error) X(nbd_get_errno) X(nbd_set_uri_allow_transports) X(nbd_set_uri_allow_tls) X(nbd_connect_uri) \
	X(nbd_connect_socket) X(nbd_add_meta_context) X(nbd_get_size) X(nbd_is_read_only) X(nbd_can_flush) X(nbd_can_meta_context) \
	X(nbd_get_block_size) X(nbd_pread) X(nbd_pwrite) X(nbd_flush) X(nbd_block_status) X(nbd_shutdown) X(nbd_aio_is_dead) X(nbd_aio_is_closed)

static struct {
#define MEMBER(name) __typeof__(name) *name;
	FUNCTIONS(MEMBER)
#undef MEMBER
} lib;

struct extent {
	uint64_t end;
	bool is_zero;
};

struct nbd {
	struct nbd_handle *handle;
	struct qemu_nbd server;		/* process 0: it is not ours */
	char *image;			/* the file that it serves; NULL: not ours */
	uint64_t size;
	size_t block;			/* requests are made of these, 1 or more bytes */
	uint8_t *one;			/* of them, if they are longer than 1 */
	bool has_extents;
	/* What the server said last about holes: from `known` to the end of the last. */
	uint64_t known;
	struct extent extent[EXTENTS];
	size_t n_extents;
};

static bool load(struct error *err)
{
	static const struct library_function wanted[] = {
#define ROW(name) { #name, (void **)&lib.name },
		FUNCTIONS(ROW)
#undef ROW
	};

	return library_load(FILE_NAME, "NBD", wanted, sizeof(wanted) / sizeof(wanted[0]), err) ||
	       error_hint(err, "install it: Debian has it in the package libnbd0");
}

/* --- requests ---------------------------------------------------------------------------------------------- */

static bool is_lost(const struct nbd *nbd)
{
	return lib.nbd_aio_is_dead(nbd->handle) > 0 || lib.nbd_aio_is_closed(nbd->handle) > 0;
}

/* What a request that failed says. Whether the server or the connection failed, it is the device that did. */
static bool failed(const struct nbd *nbd, struct error *err, const char *what)
{
	const int error = lib.nbd_get_errno();
	const bool gone = is_lost(nbd);

	error_set(err, ERROR_IO, "%s: %s", what, gone ? "the connection to the server is lost" : error ? strerror(error) : "refused by the server");
	return !gone && error == ENOSPC && error_hint(err, "make room where the server keeps the image");
}

static bool request_failed(const struct nbd *nbd, const char *verb, size_t len, uint64_t at, struct error *err)
{
	char what[80];

	snprintf(what, sizeof(what), "cannot %s %zu bytes at %#" PRIx64, verb, len, at);
	return failed(nbd, err, what);
}

static bool read_blocks(const struct nbd *nbd, void *bytes, size_t len, uint64_t at, struct error *err)
{
	return lib.nbd_pread(nbd->handle, bytes, len, at, 0) == 0 || request_failed(nbd, "read", len, at, err);
}

static bool write_blocks(const struct nbd *nbd, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	return lib.nbd_pwrite(nbd->handle, bytes, len, at, 0) == 0 || request_failed(nbd, "write", len, at, err);
}

/* How many bytes at this address the next request is about. *in_block: they are only a part of a block. */
static size_t next_piece(const struct nbd *nbd, size_t len, uint64_t at, bool *in_block)
{
	const size_t skip = at % nbd->block, room = nbd->block - skip;

	*in_block = skip > 0 || len < nbd->block;
	if (*in_block)
		return len < room ? len : room;
	len = len < PIECE ? len : PIECE;
	return len - len % nbd->block;
}

static bool nbd_read(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct nbd *nbd = self;
	uint8_t *to = bytes;
	bool in_block;

	for (size_t n; len > 0; to += n, at += n, len -= n) {
		n = next_piece(nbd, len, at, &in_block);
		if (!in_block) {
			if (!read_blocks(nbd, to, n, at, err))
				return false;
			continue;
		}
		if (!read_blocks(nbd, nbd->one, nbd->block, at - at % nbd->block, err))
			return false;
		memcpy(to, nbd->one + at % nbd->block, n);
	}
	return true;
}

static bool nbd_write(void *self, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	struct nbd *nbd = self;
	const uint8_t *from = bytes;
	bool in_block;

	nbd->n_extents = 0;	/* what was a hole may not be one any more */
	for (size_t n; len > 0; from += n, at += n, len -= n) {
		const uint64_t begin = at - at % nbd->block;

		n = next_piece(nbd, len, at, &in_block);
		if (!in_block) {
			if (!write_blocks(nbd, from, n, at, err))
				return false;
			continue;
		}
		if (!read_blocks(nbd, nbd->one, nbd->block, begin, err))
			return false;
		memcpy(nbd->one + at % nbd->block, from, n);
		if (!write_blocks(nbd, nbd->one, nbd->block, begin, err))
			return false;
	}
	return true;
}

static bool nbd_flush_all(void *self, struct error *err)
{
	const struct nbd *nbd = self;

	return lib.nbd_flush(nbd->handle, 0) == 0 || failed(nbd, err, "cannot flush");
}

/* The image's own server has no other cache than that of the machine. */
static bool nbd_forget(void *self, struct error *err)
{
	const struct nbd *nbd = self;

	if (!nbd_flush_all(self, err))
		return false;

	const int fd = nbd->image ? open(nbd->image, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	if (fd >= 0) {
		(void)!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
	return true;
}

/* --- holes ------------------------------------------------------------------------------------------------- */

/* Takes what is sound of a reply: libnbd does not promise that the server stays inside what it was asked. */
static int take_extents(void *user, const char *context, uint64_t at, uint32_t *entries, size_t n, int *error)
{
	struct nbd *nbd = user;

	(void)error;
	if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0 || nbd->n_extents > 0)
		return 0;
	nbd->known = at;
	for (size_t i = 0; i + 1 < n && nbd->n_extents < EXTENTS && at < nbd->size; i += 2) {
		const uint64_t left = nbd->size - at;

		at += entries[i] < left ? entries[i] : left;
		nbd->extent[nbd->n_extents++] = (struct extent){ at, entries[i + 1] & LIBNBD_STATE_ZERO };
	}
	return 0;
}

/* The extent with this byte; NULL: the server does not say. */
static const struct extent *extent_at(struct nbd *nbd, uint64_t at)
{
	const uint64_t begin = at - at % nbd->block, left = nbd->size - begin;
	const nbd_extent_callback callback = { .callback = take_extents, .user_data = nbd };

	for (unsigned asked = 0; nbd->has_extents && asked < 2; asked++) {
		for (size_t i = 0; at >= nbd->known && i < nbd->n_extents; i++)
			if (at < nbd->extent[i].end)
				return &nbd->extent[i];
		nbd->n_extents = 0;
		if (asked == 0 &&
		    lib.nbd_block_status(nbd->handle, (left < EXTENT_QUERY ? left : EXTENT_QUERY) / nbd->block * nbd->block, begin, callback, 0) != 0)
			nbd->n_extents = 0;
	}
	return NULL;
}

/* The first byte at or after `at` that is in a hole, or is not. A server that names only tiny extents is not asked on. */
static uint64_t seek(struct nbd *nbd, uint64_t at, bool zero, uint64_t unknown)
{
	while (at < nbd->size) {
		const struct extent *const extent = extent_at(nbd, at);

		if (!extent)
			return zero ? unknown : at;
		if (extent->is_zero == zero)
			return at;
		if (extent->end < nbd->size && extent->end - at < EXTENTS_WORTH)
			return zero ? unknown : at;
		at = extent->end;
	}
	return nbd->size;
}

static uint64_t nbd_next_data(void *self, uint64_t at)
{
	return seek(self, at, false, at);
}

static uint64_t nbd_next_hole(void *self, uint64_t at)
{
	struct nbd *nbd = self;

	return seek(nbd, at, true, nbd->size);
}

/* --- opening and closing ----------------------------------------------------------------------------------- */

static void nbd_free(void *self)
{
	struct nbd *nbd = self;

	if (nbd->handle) {
		(void)!lib.nbd_shutdown(nbd->handle, 0);
		lib.nbd_close(nbd->handle);
	}
	qemu_nbd_stop(&nbd->server);
	wiped_free(nbd->one, BLOCK_MAX);
	free(nbd->image);
	free(nbd);
}

static const struct device_ops ops = {
	.read = nbd_read,
	.write = nbd_write,
	.flush = nbd_flush_all,
	.forget = nbd_forget,
	.next_data = nbd_next_data,
	.next_hole = nbd_next_hole,
	.close = nbd_free,
};

bool nbd_is_url(const char *path)
{
	return strncmp(path, "nbd://", 6) == 0 || strncmp(path, "nbd+unix://", 11) == 0;
}

static struct nbd *nbd_new(struct error *err)
{
	struct nbd *nbd = calloc(1, sizeof(*nbd));

	if (!nbd)
		error_memory(err);
	else
		nbd->server.messages = -1;
	if (nbd && load(err)) {
		nbd->handle = lib.nbd_create();
		if (nbd->handle && lib.nbd_add_meta_context(nbd->handle, LIBNBD_CONTEXT_BASE_ALLOCATION) == 0)
			return nbd;
		error_memory(err);
	}
	if (nbd)
		nbd_free(nbd);
	return NULL;
}

/* What the server has said about itself. */
static bool read_properties(struct nbd *nbd, struct error *err)
{
	const int64_t size = lib.nbd_get_size(nbd->handle), block = lib.nbd_get_block_size(nbd->handle, LIBNBD_SIZE_MINIMUM);

	if (size < 0)
		return error_set(err, ERROR_IO, "the server does not tell a size");
	nbd->size = (uint64_t)size;
	nbd->block = block > 0 ? (size_t)block : 1;	/* 0: it does not say */
	if (nbd->block > BLOCK_MAX || (nbd->block & (nbd->block - 1)) != 0)
		return error_set(err, ERROR_IO, "the server's blocks have %zu bytes, not a power of 2 up to %u", nbd->block, BLOCK_MAX);
	nbd->size -= nbd->size % nbd->block;		/* nobody can ask for a part of a block */
	nbd->one = nbd->block > 1 ? malloc(BLOCK_MAX) : NULL;
	if (nbd->block > 1 && !nbd->one)
		return error_memory(err);
	nbd->has_extents = lib.nbd_can_meta_context(nbd->handle, LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
	return true;
}

static bool check_writable(const struct nbd *nbd, struct error *err)
{
	if (lib.nbd_is_read_only(nbd->handle) != 0)
		return error_set(err, ERROR_REFUSED, "the server lets it only be read");
	if (lib.nbd_can_flush(nbd->handle) != 1)
		return error_set(err, ERROR_REFUSED, "the server cannot flush: after a power cut nobody would know what was written");
	return true;
}

static bool connect_error(struct error *err)
{
	const char *text = lib.nbd_get_error();
	char shown[300];

	text = text ? text : "unknown";
	escape_text(text, strlen(text), shown, sizeof(shown));
	return error_set(err, ERROR_IO, "cannot connect: %s", shown);
}

bool nbd_open_url(const char *url, enum nbd_use use, struct device **device, struct error *err)
{
	struct nbd *nbd = nbd_new(err);
	bool ok = nbd;

	/* Only what is asked for: a name cannot make this a secured connection that would need keys, which nobody has given. */
	if (ok && (lib.nbd_set_uri_allow_transports(nbd->handle, LIBNBD_ALLOW_TRANSPORT_TCP | LIBNBD_ALLOW_TRANSPORT_UNIX) != 0 ||
		   lib.nbd_set_uri_allow_tls(nbd->handle, LIBNBD_TLS_DISABLE) != 0 || lib.nbd_connect_uri(nbd->handle, url) != 0))
		ok = connect_error(err);
	ok = ok && read_properties(nbd, err) && (use == NBD_READ || check_writable(nbd, err));
	if (ok)
		return device_new(&ops, nbd, url, nbd->size, use == NBD_WRITE, device, err);
	if (nbd)
		nbd_free(nbd);
	return error_prefix(err, "%s", url);
}

/* Takes the end of the connection. */
static bool connect_to_server(struct nbd *nbd, int end, struct error *err)
{
	if (lib.nbd_connect_socket(nbd->handle, end) == 0)
		return true;
	lib.nbd_close(nbd->handle);
	nbd->handle = NULL;
	return qemu_nbd_failed(&nbd->server, err);
}

bool nbd_open_image(const char *path, const char *format, bool writable, struct device **device, struct error *err)
{
	struct nbd *nbd = nbd_new(err);
	bool ok = nbd;
	int end;

	if (ok) {
		nbd->image = realpath(path, NULL);
		ok = nbd->image || error_system(err, "cannot open");
	}
	ok = ok && qemu_nbd_start(nbd->image, format, writable, &nbd->server, &end, err) && connect_to_server(nbd, end, err) &&
	     read_properties(nbd, err) && (!writable || check_writable(nbd, err));
	if (ok)
		return device_new(&ops, nbd, path, nbd->size, writable, device, err);
	if (nbd)
		nbd_free(nbd);
	return error_prefix(err, "%s", path);
}
