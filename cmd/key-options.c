/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the secret comes from. */
#include "cmd/key-options.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/shell-word.h"
#include "format/crypt.h"

static struct {
	char *key_file, *passphrase_file, *volume_key_file;
	char *size, *offset, *fd, *slot;	/* numbers, as given */
} opt;

/* The same, read by key_options_check(). */
static struct {
	uint64_t size, offset, fd, slot;
} number;

static bool was_read;	/* an error about the key is then not about reading it */

#define KEY_FILE(letter) { "key-file", letter, POPT_ARG_STRING, &opt.key_file, 0, "the exact bytes of FILE (-: standard input) are the secret", "FILE" }
#define KEY_SLOT(letter) { "key-slot", letter, POPT_ARG_STRING, &opt.slot, 0, "try only this key slot", "N" }

static struct poptOption options_others[] = {
	{ "keyfile-size", 0, POPT_ARG_STRING, &opt.size, 0, "use only this many bytes of the key file", "BYTES" },
	{ "keyfile-offset", 0, POPT_ARG_STRING, &opt.offset, 0, "skip this many bytes of the key file", "BYTES" },
	{ "passphrase-file", 0, POPT_ARG_STRING, &opt.passphrase_file, 0,
	  "the passphrase is in FILE (-: standard input); one newline at its end is removed", "FILE" },
	{ "passphrase-fd", 0, POPT_ARG_STRING, &opt.fd, 0, "the same, from an open file descriptor", "N" },
	{ "volume-key-file", 0, POPT_ARG_STRING, &opt.volume_key_file, 0, "the volume key itself, 32 bytes", "FILE" },
	POPT_TABLEEND
};

#define OTHERS { NULL, 0, POPT_ARG_INCLUDE_TABLE, options_others, 0, NULL, NULL }

struct poptOption options_key[] = { KEY_FILE('d'), OTHERS, KEY_SLOT('S'), POPT_TABLEEND };
struct poptOption options_key_long[] = { KEY_FILE(0), OTHERS, KEY_SLOT(0), POPT_TABLEEND };

bool key_input_given(void)
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
	const int n_kinds = (opt.key_file != NULL) + (opt.passphrase_file != NULL) + (opt.fd != NULL);

	if (!option_bytes("--keyfile-size", opt.size, 1, SECRET_FILE_MAX, &number.size, err) ||
	    !option_bytes("--keyfile-offset", opt.offset, 0, INT64_MAX, &number.offset, err) ||
	    !option_number("--passphrase-fd", opt.fd, 0, INT_MAX, &number.fd, err) ||
	    !option_number("--key-slot", opt.slot, 0, CRYPT_SLOTS_MAX - 1, &number.slot, err))
		return false;
	if (n_kinds > 1)
		return error_set(err, ERROR_USAGE, "only one of --key-file, --passphrase-file and --passphrase-fd");
	if (is_stdin(opt.key_file) + is_stdin(opt.passphrase_file) + is_stdin(opt.volume_key_file) + (opt.fd && number.fd == 0) > 1)
		return error_set(err, ERROR_USAGE, "standard input can be only one secret");
	if ((opt.size || opt.offset) && !opt.key_file)
		return error_set(err, ERROR_USAGE, "--keyfile-size and --keyfile-offset need --key-file");
	return true;
}

static bool read_key_file(struct secret **secret, struct error *err)
{
	if (!secret_read_file(opt.key_file, number.offset, number.size, secret, err))
		return false;
	if (secret_len(*secret) < number.size)
		return error_set(err, ERROR_KEY, "the key file has %zu bytes there, --keyfile-size asks for %" PRIu64,
				 secret_len(*secret), number.size);
	return true;
}

static bool read_volume_key(struct secret **key, struct error *err)
{
	/* Reads one byte more than a key has, so that a longer file is noticed. */
	if (!secret_read_file(opt.volume_key_file, 0, CRYPT_KEY_SIZE + 1, key, err))
		return false;
	if (secret_len(*key) != CRYPT_KEY_SIZE)
		return error_set(err, ERROR_KEY, "the volume key file does not have exactly %u bytes", CRYPT_KEY_SIZE);
	return true;
}

/* --passphrase-file - on a terminal. JSON is for machines, which are not asked. */
static bool ask_as_told(const char *prompt, bool verify, struct key_input *input, struct error *err)
{
	if (format_is_json())
		return error_set(err, ERROR_USAGE, "with --format json no passphrase is asked for, but standard input is a terminal");
	return secret_ask(prompt, verify, &input->secret, err);
}

static bool read_all(bool ask, bool verify, const char *prompt, struct key_input *input, struct error *err)
{
	if (opt.volume_key_file && !read_volume_key(&input->volume_key, err))
		return false;
	if (opt.key_file)
		return read_key_file(&input->secret, err);
	if (is_stdin(opt.passphrase_file) && isatty(STDIN_FILENO))
		return ask_as_told(prompt, verify, input, err);
	if (opt.passphrase_file)
		return secret_read_passphrase_file(opt.passphrase_file, &input->secret, err);
	if (opt.fd)
		return secret_read_passphrase_fd((int)number.fd, &input->secret, err);
	if (ask && !opt.volume_key_file)
		return secret_ask(prompt, verify, &input->secret, err);
	return true;
}

bool key_input_read(bool ask, bool verify, const char *prompt, struct key_input *input, struct error *err)
{
	*input = (struct key_input){ .is_key_file = opt.key_file != NULL, .slot = opt.slot ? (int)number.slot : -1 };
	if (verify && opt.slot)
		return error_set(err, ERROR_USAGE, "--key-slot chooses among slots that exist already: not with --encrypt");
	was_read = read_all(ask, verify, prompt, input, err);
	if (was_read)
		return true;
	key_input_free(input);
	return false;
}

void key_warn_carriage_return(const struct key_input *input)
{
	const struct secret *const secret = input->is_key_file ? NULL : input->secret;

	if (secret && secret_view(secret)[secret_len(secret) - 1] == '\r')
		print_warning(NULL, "the passphrase ends with a carriage return, as lines of Windows do: that byte is part of it");
}

void key_hint_rejected(struct error *err)
{
	if (err->kind != ERROR_KEY || err->hint[0] || !was_read)
		return;
	if (opt.slot)
		error_hint(err, "only slot %s was tried; without --key-slot all are", opt.slot);
	else if (opt.key_file)
		error_hint(err, "--key-file takes every byte, also a newline at the end, which --passphrase-file removes");
	else if (opt.passphrase_file || opt.fd)
		error_hint(err, "exactly one newline at the end is removed; --key-file takes every byte");
}

void key_input_free(struct key_input *input)
{
	secret_free(input->secret);
	secret_free(input->volume_key);
	*input = (struct key_input){ .slot = -1 };
}
