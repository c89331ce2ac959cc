/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of convert. */
#ifndef CMD_CONVERT_OPTIONS_H
#define CMD_CONVERT_OPTIONS_H

#include <popt.h>

#include "common/convert/convert.h"

extern struct convert_opt {
	int encrypt, decrypt, purge, resume, abort, status, drop_slots;
	int if_needed, force_key, recursive, dry_run, accept_changes, accept_unsealed, mounted_copy, degraded, skip, no_memory, read_back, wipe_free, batch;
	char *cipher, *shared, *on_error, *expect, *n_skip, *domain;
} convert_opt;

extern struct poptOption options_convert_what[], options_convert_how[];

/* Do operands and options say one thing to do? An option without effect would be a misunderstanding: ERROR_USAGE. */
bool convert_options_check(const char *const *operand, struct error *err) must_use;

bool convert_options_cipher(const char *name, enum crypt_cipher *cipher, struct error *err) must_use;
bool convert_options_shared(enum convert_shared *shared, struct error *err) must_use;
bool convert_options_encrypt(struct convert_encrypt_options *options, struct error *err) must_use;
bool convert_options_damage(struct convert_damage *damage, struct error *err) must_use;
bool convert_options_expect(uint8_t expect[CONVERT_FINGERPRINT], struct error *err) must_use;
bool convert_options_domain(uint8_t uuid[CRYPT_UUID_SIZE], struct error *err) must_use;
struct unseal_options convert_options_unseal(const uint8_t *expect);

#endif /* CMD_CONVERT_OPTIONS_H */
