/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a key comes from, and the key: what every format is opened with. */
#ifndef COMMON_CRYPTO_KEY_SOURCE_H
#define COMMON_CRYPTO_KEY_SOURCE_H

#include "common/crypto/secret.h"

#define KEY_SLOT_ANY (-1)

/* What was read: at most one secret, and perhaps the volume key itself, which then opens without a slot. */
struct key_source {
	struct secret *secret;		/* passphrase or key file bytes; NULL if none was given */
	struct secret *recovery;	/* the recovery key that the secret is in writing; NULL: it is none */
	bool is_key_file;		/* for the label of a new slot */
	struct secret *volume_key;	/* KEY_SOURCE_VOLUME_KEY_SIZE bytes, unless takes_any_size was set */
	int slot;			/* only this one, or KEY_SLOT_ANY */
	bool is_mistyped;		/* nothing was read: it was a recovery key with a wrong character */
};
#define KEY_SOURCE_VOLUME_KEY_SIZE 32u
#define KEY_SOURCE_ANY_KEY_MAX 64u

/* What somebody wants to be read. Strings are borrowed; NULL: not given. "-" is standard input. */
struct key_wanted {
	const char *key_file;		/* its exact bytes */
	uint64_t key_file_skip, key_file_size;	/* bytes; size 0: up to the end */
	const char *size_option;	/* what key_file_size was given by, for errors; NULL: --keyfile-size */
	const char *passphrase_file;	/* one newline at its end is removed; if it is "-" and a terminal, it asks */
	int passphrase_fd;		/* -1: none */
	const char *volume_key_file;
	bool takes_any_size;		/* it is not known yet of what format the key is: up to KEY_SOURCE_ANY_KEY_MAX bytes */
	int slot;
	bool asks;			/* on the terminal, if nothing else was given */
	bool asks_twice;		/* for a new passphrase */
	bool has_no_person;		/* the output is for machines: ERROR_USAGE instead of asking because of "-" */
	const char *prompt;
};

/* Reads all of it. ERROR_KEY: missing, empty, of the wrong length, or nobody to ask. */
bool key_source_read(const struct key_wanted *wanted, struct key_source *source, struct error *err) must_use;

static inline bool key_source_is_empty(const struct key_source *source) { return !source->secret && !source->volume_key; }
void key_source_free(struct key_source *source);	/* wipes it; all zeros, or freed before, is fine */
#define cleanup_key_source __attribute__((cleanup(key_source_free)))	/* initialise with { 0 } */

#endif /* COMMON_CRYPTO_KEY_SOURCE_H */
