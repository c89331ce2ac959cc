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
	char **key_file, **passphrase_file, **fd;	/* NULL: not given; ended by NULL */
	int no_memory;
	char *volume_key_file, *kdf;
	char *size, *offset, *slot, *max_memory;	/* numbers, as given */
	int no_keyring;
} opt;

/* The same, read by key_options_check(). */
static struct {
	uint64_t size, offset, slot;
} number;

int key_options_many;

static bool any_slot;	/* all slots were tried, whatever --key-slot says */

static size_t count(char *const *given)
{
	size_t n = 0;

	while (given && given[n])
		n++;
	return n;
}

/* Each time that one of these is given, not only the last. */
enum { TAKES_KEY_FILE = 1, TAKES_PASSPHRASE_FILE, TAKES_FD };

static void take_key(poptContext context, enum poptCallbackReason reason, const struct poptOption *option, const char *value, const void *data)
{
	char ***const to[] = { [TAKES_KEY_FILE] = &opt.key_file, [TAKES_PASSPHRASE_FILE] = &opt.passphrase_file, [TAKES_FD] = &opt.fd };

	(void)context, (void)reason, (void)data;
	if (option->val < TAKES_KEY_FILE || option->val > TAKES_FD || option->arg)
		return;

	char ***const list = to[option->val];
	const size_t n = count(*list);
	char **grown = reallocarray(*list, n + 2, sizeof(*grown));

	if (grown) {
		*list = grown;
		grown[n] = strdup(value ? value : "");
		grown[n + 1] = NULL;
	}
	opt.no_memory |= !grown || !grown[n];
}

#define TAKE_KEY { NULL, 0, POPT_ARG_CALLBACK, (void *)take_key, 0, NULL, NULL }
#define KEY_FILE(letter) { "key-file", letter, POPT_ARG_STRING, NULL, TAKES_KEY_FILE, "the exact bytes of FILE (-: standard input) are the secret", "FILE" }
#define KEY_SLOT(letter) { "key-slot", letter, POPT_ARG_STRING, &opt.slot, 0, "try only this key slot", "N" }

struct poptOption options_no_keyring[] = {
	{ "no-keyring", 0, POPT_ARG_NONE, &opt.no_keyring, 0, "use no key of the kernel's keyrings", NULL },
	POPT_TABLEEND
};

#define PASSPHRASE_FILE { "passphrase-file", 0, POPT_ARG_STRING, NULL, TAKES_PASSPHRASE_FILE, \
	"the passphrase is in FILE (-: standard input); one newline at its end is removed", "FILE" }
#define VOLUME_KEY_FILE(words) { "volume-key-file", 0, POPT_ARG_STRING, &opt.volume_key_file, 0, words, "FILE" }
#define KDF { "kdf", 0, POPT_ARG_STRING, &opt.kdf, 0, "the key of a subvolume in the format of 2016 is derived from the passphrase in this way", "scrypt-2017" }

struct poptOption options_kdf[] = { KDF, POPT_TABLEEND };
struct poptOption options_key_2016[] = { TAKE_KEY, PASSPHRASE_FILE, VOLUME_KEY_FILE("a key of the format of 2016, 16 bytes"), KDF, POPT_TABLEEND };

static struct poptOption options_others[] = {
	TAKE_KEY,
	{ "keyfile-size", 0, POPT_ARG_STRING, &opt.size, 0, "use only this many bytes of the key file", "BYTES" },
	{ "keyfile-offset", 0, POPT_ARG_STRING, &opt.offset, 0, "skip this many bytes of the key file", "BYTES" },
	PASSPHRASE_FILE,
	{ "passphrase-fd", 0, POPT_ARG_STRING, NULL, TAKES_FD, "the same, from an open file descriptor", "N" },
	VOLUME_KEY_FILE("the volume key itself, 32 bytes (16 in the format of 2016)"),
	INCLUDE(options_no_keyring),
	{ "pbkdf-max-memory", 0, POPT_ARG_STRING, &opt.max_memory, 0, "open no key slot that needs more memory", "KIB" },
	POPT_TABLEEND
};

struct poptOption options_key[] = { TAKE_KEY, KEY_FILE('d'), INCLUDE(options_others), KEY_SLOT('S'), POPT_TABLEEND };
struct poptOption options_key_long[] = { TAKE_KEY, KEY_FILE(0), INCLUDE(options_others), KEY_SLOT(0), POPT_TABLEEND };

int key_options_slot(void)
{
	return opt.slot ? (int)number.slot : KEY_SLOT_ANY;
}

bool key_options_no_keyring(void)
{
	return opt.no_keyring;
}

bool key_options_scrypt_2017(void)
{
	return opt.kdf;
}

bool key_options_given(void)
{
	return opt.key_file || opt.passphrase_file || opt.fd || opt.volume_key_file;
}

/* The last one counts where only one is used. */
static const char *last(char *const *given)
{
	return given ? given[count(given) - 1] : NULL;
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
	const char *const key_file = last(opt.key_file), *const passphrase_file = last(opt.passphrase_file);

	put_word(out, "key-file", is_stdin(key_file) ? NULL : key_file);
	if (is_stdin(key_file))
		fputs("--key-file - ", out);
	put_word(out, "keyfile-size", opt.size);
	put_word(out, "keyfile-offset", opt.offset);
	put_word(out, "passphrase-file", is_stdin(passphrase_file) ? NULL : passphrase_file);
	put_word(out, "volume-key-file", is_stdin(opt.volume_key_file) ? NULL : opt.volume_key_file);
	put_word(out, "kdf", opt.kdf);
	put_word(out, "key-slot", opt.slot);
	if (fclose(out) == 0)
		return words;
	free(words);
	return NULL;
}

static bool fd_number(const char *given, uint64_t *fd, struct error *err)
{
	return option_number("--passphrase-fd", given, 0, INT_MAX, fd, err);
}

/* How many of them are to be read from standard input? */
static bool count_stdin(size_t *n, struct error *err)
{
	*n = is_stdin(opt.volume_key_file);
	for (size_t i = 0; i < count(opt.key_file); i++)
		*n += is_stdin(opt.key_file[i]);
	for (size_t i = 0; i < count(opt.passphrase_file); i++)
		*n += is_stdin(opt.passphrase_file[i]);
	for (size_t i = 0; i < count(opt.fd); i++) {
		uint64_t fd;

		if (!fd_number(opt.fd[i], &fd, err))
			return false;
		*n += fd == 0;
	}
	return true;
}

bool key_options_check(struct error *err)
{
	uint64_t max_memory = KDF_MEMORY_KIB_MAX;
	const int n_kinds = (opt.key_file != NULL) + (opt.passphrase_file != NULL) + (opt.fd != NULL);
	size_t n_stdin;

	if (opt.no_memory)
		return error_memory(err);
	if (!option_bytes("--keyfile-size", opt.size, 1, SECRET_FILE_MAX, &number.size, err) ||
	    !option_bytes("--keyfile-offset", opt.offset, 0, INT64_MAX, &number.offset, err) || !count_stdin(&n_stdin, err) ||
	    !option_number("--key-slot", opt.slot, 0, CRYPT_SLOTS_MAX - 1, &number.slot, err) ||
	    !option_number("--pbkdf-max-memory", opt.max_memory, ARGON2ID_MEMORY_KIB_MIN, KDF_MEMORY_KIB_MAX, &max_memory, err))
		return false;
	key_slot_limit_memory((uint32_t)max_memory);
	if (n_kinds > 1 && !key_options_many)
		return error_set(err, ERROR_USAGE, "only one of --key-file, --passphrase-file and --passphrase-fd");
	if (opt.kdf && strcmp(opt.kdf, "scrypt-2017") != 0)
		return error_set(err, ERROR_USAGE, "--kdf knows only scrypt-2017");
	if (n_stdin > 1)
		return error_set(err, ERROR_USAGE, "standard input can be only one secret");
	if ((opt.size || opt.offset) && !opt.key_file)
		return error_set(err, ERROR_USAGE, "--keyfile-size and --keyfile-offset need --key-file");
	return true;
}

/* What the options say; the strings are theirs. */
static struct key_wanted wanted_by_options(void)
{
	struct error checked;
	uint64_t fd = 0;

	if (opt.fd)
		(void)!fd_number(last(opt.fd), &fd, &checked);
	return (struct key_wanted){
		.key_file = last(opt.key_file),
		.key_file_skip = number.offset,
		.key_file_size = number.size,
		.passphrase_file = last(opt.passphrase_file),
		.passphrase_fd = opt.fd ? (int)fd : -1,
		.volume_key_file = opt.volume_key_file,
		.slot = any_slot ? KEY_SLOT_ANY : key_options_slot(),
		.has_no_person = format_is_json(),
	};
}

bool key_read_new(const struct key_wanted *wanted, struct key_source *key, struct error *err)
{
	for (unsigned i = 1; ; i++) {
		if (key_source_read(wanted, key, err))
			return true;
		if (i == 3 || (strcmp(err->text, SECRETS_DIFFER) != 0 && strcmp(err->text, SECRET_IS_EMPTY) != 0))
			return false;
		print_note(NULL, err->text);
		*err = (struct error){ 0 };
	}
}

bool key_options_read(unsigned how, const char *prompt, struct key_source *key, struct error *err)
{
	any_slot = how & KEY_ANY_SLOT;

	struct key_wanted wanted = wanted_by_options();

	wanted.asks = how & KEY_ASK;
	wanted.takes_any_size = how & KEY_ANY_SIZE;
	wanted.asks_twice = how & KEY_NEW;
	wanted.prompt = prompt;
	if (wanted.asks_twice && opt.slot)
		return error_set(err, ERROR_USAGE, "--key-slot chooses among slots that exist already: not with --encrypt");
	return wanted.asks_twice ? key_read_new(&wanted, key, err) : key_source_read(&wanted, key, err);
}

/* Reads one of many: of all that is given, only this. */
static bool read_one(struct key_wanted one, const char *prompt, struct key_source *keys, size_t *n, struct error *err)
{
	one.prompt = prompt;
	one.slot = key_options_slot();
	one.has_no_person = format_is_json();
	return key_source_read(&one, &keys[(*n)++], err);
}

bool key_options_read_all(const char *prompt, struct key_source **keys, size_t *n, struct error *err)
{
	const size_t most = count(opt.key_file) + count(opt.passphrase_file) + count(opt.fd) + 1;
	struct key_source *all = *keys = calloc(most, sizeof(*all));

	*n = 0;
	if (!all)
		return error_memory(err);
	for (size_t i = 0; i < count(opt.key_file); i++) {
		const struct key_wanted one = {
			.key_file = opt.key_file[i], .key_file_skip = number.offset, .key_file_size = number.size, .passphrase_fd = -1,
		};

		if (!read_one(one, prompt, all, n, err))
			return false;
	}
	for (size_t i = 0; i < count(opt.passphrase_file); i++) {
		if (!read_one((struct key_wanted){ .passphrase_file = opt.passphrase_file[i], .passphrase_fd = -1 }, prompt, all, n, err))
			return false;
	}
	for (size_t i = 0; i < count(opt.fd); i++) {
		uint64_t fd;

		if (!fd_number(opt.fd[i], &fd, err) || !read_one((struct key_wanted){ .passphrase_fd = (int)fd }, prompt, all, n, err))
			return false;
	}
	return !opt.volume_key_file ||
	       read_one((struct key_wanted){ .volume_key_file = opt.volume_key_file, .passphrase_fd = -1 }, prompt, all, n, err);
}

void key_warn_ending(const struct key_source *key)
{
	const struct secret *const secret = key->is_key_file ? NULL : key->secret;
	const uint8_t last = secret ? secret_view(secret)[secret_len(secret) - 1] : 0;

	if (last == '\r')
		print_warning(NULL, "the passphrase ends with a carriage return, as lines of Windows do: that byte is part of it");
	if (last == '\n')
		print_warning(NULL, "the passphrase ends with a newline: only one at the end is removed, and there was another one, which is part of it");
}

void key_hint_rejected(struct error *err)
{
	if (err->kind == ERROR_KEY && !err->hint[0] && opt.slot && !any_slot && !opt.volume_key_file)
		error_hint(err, "only slot %d was tried; without --key-slot all are", key_options_slot());
}
