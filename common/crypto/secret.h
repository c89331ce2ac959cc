/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secret bytes: locked memory, one owner, no copy function, wiped by secret_free(). Everything that holds a passphrase, a key file or a
 * volume key is one of these.
 */
#ifndef COMMON_CRYPTO_SECRET_H
#define COMMON_CRYPTO_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "format/error.h"

struct secret;

/* Call once, first thing in main(): initialises the libraries and turns core dumps off. */
bool secret_init(struct error *err) must_use;

/* Zeroed. len > 0. */
bool secret_new(size_t len, struct secret **secret, struct error *err) must_use;
bool secret_random(size_t len, struct secret **secret, struct error *err) must_use;
uint8_t *secret_bytes(struct secret *secret);
const uint8_t *secret_view(const struct secret *secret);
size_t secret_len(const struct secret *secret);
bool secret_equal(const struct secret *a, const struct secret *b);	/* constant time for equal lengths */
void secret_free(struct secret *secret);	/* NULL is fine */

static inline void secret_cleanup(struct secret **secret)
{
	secret_free(*secret);
}
#define cleanup_secret __attribute__((cleanup(secret_cleanup)))

#define SECRET_FILE_MAX (8u << 20)
#define SECRET_PASSPHRASE_MAX 4096u

/* The exact bytes of a file ("-": stdin) from skip on, at most max of them (0: all, up to SECRET_FILE_MAX). Empty is ERROR_KEY. */
bool secret_read_file(const char *path, uint64_t skip, size_t max, struct secret **secret, struct error *err) must_use;

/* A passphrase from a file ("-": stdin) or a descriptor. Strips exactly one trailing newline, refuses NUL and empty. */
bool secret_read_passphrase_file(const char *path, struct secret **secret, struct error *err) must_use;
bool secret_read_passphrase_fd(int fd, struct secret **secret, struct error *err) must_use;

#define SECRET_IS_EMPTY "the passphrase is empty"	/* the error, if somebody only pressed Enter */
#define SECRETS_DIFFER "the two passphrases differ"	/* if the second one is another */
/* Asks on the terminal without echo; twice with verify. ERROR_KEY with a hint if stdin is not a terminal. */
bool secret_ask(const char *prompt, bool verify, struct secret **secret, struct error *err) must_use;

/* For memory that is not a struct secret. */
void secret_wipe(void *bytes, size_t len);
void wiped_free(void *bytes, size_t len);	/* malloced memory that may hold plain text of something sealed; NULL is fine */
bool secret_same(const void *a, const void *b, size_t len);	/* constant time */

#endif /* COMMON_CRYPTO_SECRET_H */
