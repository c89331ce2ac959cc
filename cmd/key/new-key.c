/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/key/new-key.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/key-options.h"
#include "cmd/print.h"

static struct {
	char *key_file, *passphrase_file;
	char *size, *offset, *fd;	/* numbers, as given */
} opt;

static struct {
	uint64_t size, offset, fd;
} number;

struct poptOption options_new_key[] = {
	{ "new-key-file", 0, POPT_ARG_STRING, &opt.key_file, 0, "the exact bytes of FILE are the new secret", "FILE" },
	{ "new-keyfile-size", 0, POPT_ARG_STRING, &opt.size, 0, "use only this many bytes of it", "BYTES" },
	{ "new-keyfile-offset", 0, POPT_ARG_STRING, &opt.offset, 0, "skip this many bytes of it", "BYTES" },
	{ "new-passphrase-file", 0, POPT_ARG_STRING, &opt.passphrase_file, 0, "the new passphrase is in FILE; one newline at its end is removed", "FILE" },
	{ "new-passphrase-fd", 0, POPT_ARG_STRING, &opt.fd, 0, "the same, from an open file descriptor", "N" },
	POPT_TABLEEND
};

const char *new_key_given(void)
{
	return opt.key_file ? "--new-key-file" : opt.passphrase_file ? "--new-passphrase-file" : opt.fd ? "--new-passphrase-fd" :
	       opt.size ? "--new-keyfile-size" : opt.offset ? "--new-keyfile-offset" : NULL;
}

bool new_key_check(struct error *err)
{
	if (!option_bytes("--new-keyfile-size", opt.size, 1, SECRET_FILE_MAX, &number.size, err) ||
	    !option_bytes("--new-keyfile-offset", opt.offset, 0, INT64_MAX, &number.offset, err) ||
	    !option_number("--new-passphrase-fd", opt.fd, 0, INT_MAX, &number.fd, err))
		return false;
	if ((opt.key_file != NULL) + (opt.passphrase_file != NULL) + (opt.fd != NULL) > 1)
		return error_set(err, ERROR_USAGE, "only one of --new-key-file, --new-passphrase-file and --new-passphrase-fd");
	return (!opt.size && !opt.offset) || opt.key_file ||
	       error_set(err, ERROR_USAGE, "--new-keyfile-size and --new-keyfile-offset need --new-key-file");
}

bool new_key_read(const char *prompt, struct key_source *key, struct error *err)
{
	const struct key_wanted wanted = {
		.key_file = opt.key_file,
		.key_file_skip = number.offset,
		.key_file_size = number.size,
		.size_option = "--new-keyfile-size",
		.passphrase_file = opt.passphrase_file,
		.passphrase_fd = opt.fd ? (int)number.fd : -1,
		.slot = KEY_SLOT_ANY,
		.asks = true,
		.asks_twice = true,
		.has_no_person = format_is_json(),
		.prompt = prompt,
	};

	if (key_read_new(&wanted, key, err)) {
		key_warn_ending(key);
		return true;
	}
	if (strncmp(err->hint, "--key-file ", strlen("--key-file ")) == 0)
		error_hint(err, "--new-key-file takes exact bytes");
	if (strncmp(err->hint, "--keyfile-size ", strlen("--keyfile-size ")) == 0)
		error_hint(err, "--new-keyfile-size says how many bytes are the key");
	if (!new_key_given() && !isatty(STDIN_FILENO))
		error_hint(err, "give --new-key-file, --new-passphrase-file or --new-passphrase-fd");
	return false;
}
