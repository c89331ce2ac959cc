/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the secret comes from. */
#include "cmd/key-options.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/print.h"
#include "common/crypto/key-slot.h"
#include "common/crypto/sodium.h"
#include "format/crypt.h"

static struct {
	char *key_file, *passphrase_file, *volume_key_file;
	char *size, *offset, *fd, *slot, *max_memory;	/* numbers, as given */
	int no_keyring;
} opt;

/* The same, read by key_options_check(). */
static struct {
	uint64_t size, offset, fd, slot;
} number;

static bool any_slot;	/* all slots were tried, whatever --key-slot says */

#define KEY_FILE(letter) { "key-file", letter, POPT_ARG_STRING, &opt.key_file, 0, "the exact bytes of FILE (-: standard input) are the secret", "FILE" }
#define KEY_SLOT(letter) { "key-slot", letter, POPT_ARG_STRING, &opt.slot, 0, "try only this key slot", "N" }

struct poptOption options_no_keyring[] = {
	{ "no-keyring", 0, POPT_ARG_NONE, &opt.no_keyring, 0, "use no key of the kernel's keyrings", NULL },
	POPT_TABLEEND
};

static struct poptOption options_others[] = {
	{ "keyfile-size", 0, POPT_ARG_STRING, &opt.size, 0, "use only this many bytes of the key file", "BYTES" },
	{ "keyfile-offset", 0, POPT_ARG_STRING, &opt.offset, 0, "skip this many bytes of the key file", "BYTES" },
	{ "passphrase-file", 0, POPT_ARG_STRING, &opt.passphrase_file, 0,
	  "the passphrase is in FILE (-: standard input); one newline at its end is removed", "FILE" },
	{ "passphrase-fd", 0, POPT_ARG_STRING, &opt.fd, 0, "the same, from an open file descriptor", "N" },
	{ "volume-key-file", 0, POPT_ARG_STRING, &opt.volume_key_file, 0, "the volume key itself, 32 bytes", "FILE" },
	INCLUDE(options_no_keyring),
	{ "pbkdf-max-memory", 0, POPT_ARG_STRING, &opt.max_memory, 0, "open no key slot that needs more memory", "KIB" },
	POPT_TABLEEND
};

struct poptOption options_key[] = { KEY_FILE('d'), INCLUDE(options_others), KEY_SLOT('S'), POPT_TABLEEND };
struct poptOption options_key_long[] = { KEY_FILE(0), INCLUDE(options_others), KEY_SLOT(0), POPT_TABLEEND };

int key_options_slot(void)
{
	return opt.slot ? (int)number.slot : KEY_SLOT_ANY;
}

bool key_options_no_keyring(void)
{
	return opt.no_keyring;
}

bool key_options_given(void)
{
	return opt.key_file || opt.passphrase_file || opt.fd || opt.volume_key_file;
}

static void put_word(FILE *out, const char *option, const char *value)
{
	char *word = value ? shell_word(value) : NULL;

	if (word)
		fprintf(out, "--%s %s ", option, word);
	free(word);
}

static bool is_stdin(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

char *key_options_words(void)
{
	char *words = NULL;
	size_t size;
	FILE *out = open_memstream(&words, &size);

	if (!out)
		return NULL;
	put_word(out, "key-file", is_stdin(opt.key_file) ? NULL : opt.key_file);
	if (is_stdin(opt.key_file))
		fputs("--key-file - ", out);
	put_word(out, "keyfile-size", opt.size);
	put_word(out, "keyfile-offset", opt.offset);
	put_word(out, "passphrase-file", is_stdin(opt.passphrase_file) ? NULL : opt.passphrase_file);
	put_word(out, "volume-key-file", is_stdin(opt.volume_key_file) ? NULL : opt.volume_key_file);
	put_word(out, "key-slot", opt.slot);
	if (fclose(out) == 0)
		return words;
	free(words);
	return NULL;
}

bool key_options_check(struct error *err)
{
	uint64_t max_memory = KDF_MEMORY_KIB_MAX;
	const int n_kinds = (opt.key_file != NULL) + (opt.passphrase_file != NULL) + (opt.fd != NULL);

	if (!option_bytes("--keyfile-size", opt.size, 1, SECRET_FILE_MAX, &number.size, err) ||
	    !option_bytes("--keyfile-offset", opt.offset, 0, INT64_MAX, &number.offset, err) ||
	    !option_number("--passphrase-fd", opt.fd, 0, INT_MAX, &number.fd, err) ||
	    !option_number("--key-slot", opt.slot, 0, CRYPT_SLOTS_MAX - 1, &number.slot, err) ||
	    !option_number("--pbkdf-max-memory", opt.max_memory, ARGON2ID_MEMORY_KIB_MIN, KDF_MEMORY_KIB_MAX, &max_memory, err))
		return false;
	key_slot_limit_memory((uint32_t)max_memory);
	if (n_kinds > 1)
		return error_set(err, ERROR_USAGE, "only one of --key-file, --passphrase-file and --passphrase-fd");
	if (is_stdin(opt.key_file) + is_stdin(opt.passphrase_file) + is_stdin(opt.volume_key_file) + (opt.fd && number.fd == 0) > 1)
		return error_set(err, ERROR_USAGE, "standard input can be only one secret");
	if ((opt.size || opt.offset) && !opt.key_file)
		return error_set(err, ERROR_USAGE, "--keyfile-size and --keyfile-offset need --key-file");
	return true;
}

/* What the options say; the strings are theirs. */
static struct key_wanted wanted_by_options(void)
{
	return (struct key_wanted){
		.key_file = opt.key_file,
		.key_file_skip = number.offset,
		.key_file_size = number.size,
		.passphrase_file = opt.passphrase_file,
		.passphrase_fd = opt.fd ? (int)number.fd : -1,
		.volume_key_file = opt.volume_key_file,
		.slot = any_slot ? KEY_SLOT_ANY : key_options_slot(),
		.has_no_person = format_is_json(),
	};
}

bool key_options_read(unsigned how, const char *prompt, struct key_source *key, struct error *err)
{
	any_slot = how & KEY_ANY_SLOT;

	struct key_wanted wanted = wanted_by_options();

	wanted.asks = how & KEY_ASK;
	wanted.asks_twice = how & KEY_NEW;
	wanted.prompt = prompt;
	if (wanted.asks_twice && opt.slot)
		return error_set(err, ERROR_USAGE, "--key-slot chooses among slots that exist already: not with --encrypt");
	return key_source_read(&wanted, key, err);
}

void key_warn_carriage_return(const struct key_source *key)
{
	const struct secret *const secret = key->is_key_file ? NULL : key->secret;

	if (secret && secret_view(secret)[secret_len(secret) - 1] == '\r')
		print_warning(NULL, "the passphrase ends with a carriage return, as lines of Windows do: that byte is part of it");
}

void key_hint_rejected(struct error *err)
{
	if (err->kind == ERROR_KEY && !err->hint[0] && opt.slot && !any_slot && !opt.volume_key_file)
		error_hint(err, "only slot %d was tried; without --key-slot all are", key_options_slot());
}
