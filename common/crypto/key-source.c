/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a key from where it is. */
#include "common/crypto/key-source.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/crypto/recovery-key.h"

static bool read_key_file(const struct key_wanted *wanted, struct secret **secret, struct error *err)
{
	if (!secret_read_file(wanted->key_file, wanted->key_file_skip, wanted->key_file_size, secret, err))
		return false;
	if (secret_len(*secret) < wanted->key_file_size)
		return error_set(err, ERROR_KEY, "the key file has %zu bytes there, %s asks for %" PRIu64, secret_len(*secret),
				 wanted->size_option ? wanted->size_option : "--keyfile-size", wanted->key_file_size);
	return true;
}

static bool read_volume_key(const struct key_wanted *wanted, struct secret **key, struct error *err)
{
	const size_t most = wanted->takes_any_size ? KEY_SOURCE_ANY_KEY_MAX : KEY_SOURCE_VOLUME_KEY_SIZE;

	/* Reads one byte more than a key has, so that a longer file is noticed. */
	if (!secret_read_file(wanted->volume_key_file, 0, most + 1, key, err))
		return false;
	if (wanted->takes_any_size ? secret_len(*key) > most : secret_len(*key) != most)
		return error_set(err, ERROR_KEY, "the volume key file does not have exactly %u bytes", KEY_SOURCE_VOLUME_KEY_SIZE);
	return true;
}

/* "-" on a terminal */
static bool ask_as_told(const struct key_wanted *wanted, struct secret **secret, struct error *err)
{
	if (wanted->has_no_person)
		return error_set(err, ERROR_USAGE, "with --format json no passphrase is asked for, but standard input is a terminal");
	return secret_ask(wanted->prompt, wanted->asks_twice, secret, err);
}

static bool read_all(const struct key_wanted *wanted, struct key_source *source, struct error *err)
{
	if (wanted->volume_key_file && !read_volume_key(wanted, &source->volume_key, err))
		return false;
	if (wanted->key_file)
		return read_key_file(wanted, &source->secret, err);
	if (wanted->passphrase_file && strcmp(wanted->passphrase_file, "-") == 0 && isatty(STDIN_FILENO))
		return ask_as_told(wanted, &source->secret, err);
	if (wanted->passphrase_file)
		return secret_read_passphrase_file(wanted->passphrase_file, &source->secret, err);
	if (wanted->passphrase_fd >= 0)
		return secret_read_passphrase_fd(wanted->passphrase_fd, &source->secret, err);
	if (wanted->asks && !wanted->volume_key_file)
		return secret_ask(wanted->prompt, wanted->asks_twice, &source->secret, err);
	return true;
}

bool key_source_read(const struct key_wanted *wanted, struct key_source *source, struct error *err)
{
	bool is_read;

	*source = (struct key_source){ .is_key_file = wanted->key_file != NULL, .slot = wanted->slot };
	is_read = read_all(wanted, source, err);
	if (is_read &&
	    (!source->secret || wanted->key_file || wanted->asks_twice || recovery_key_read(source->secret, &source->recovery, err)))
		return true;
	key_source_free(source);
	source->is_mistyped = is_read && err->kind == ERROR_KEY;
	return false;
}

void key_source_free(struct key_source *source)
{
	secret_free(source->secret);
	secret_free(source->recovery);
	secret_free(source->volume_key);
	*source = (struct key_source){ .slot = KEY_SLOT_ANY };
}
