/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options that say where the key comes from: every command with a key shares them. */
#ifndef CMD_KEY_OPTIONS_H
#define CMD_KEY_OPTIONS_H

#include <popt.h>

#include "common/crypto/key-source.h"

/* For option tables. */
extern struct poptOption options_key[];
extern struct poptOption options_key_long[];	/* without letters, for commands where the letters of options_key mean something else */
extern struct poptOption options_kdf[];	/* --kdf, for commands that take keys of the format of 2016 as well */
extern struct poptOption options_key_2016[];	/* a part of them, for what keys of the format of 2016 are used for only */
extern struct poptOption options_no_keyring[];	/* a part of them, for commands that only show whether a keyring has the key */

extern int key_options_many;	/* for the option that lets the others repeat */

/* Was any key option given? */
bool key_options_given(void);
int key_options_slot(void);		/* --key-slot; KEY_SLOT_ANY: not given */
bool key_options_no_keyring(void);	/* --no-keyring */
bool key_options_scrypt_2017(void);	/* --kdf */

/*
 * The options that give the same key again, each followed by a space, for a command that people are told to run: "" if it is asked for, or
 * comes from where it cannot be read again. Malloced; NULL: out of memory.
 */
char *key_options_words(void);

/* Are the options compatible, and are the numbers valid? ERROR_USAGE. main() calls it after the options are parsed. */
bool key_options_check(struct error *err) must_use;

/*
 * Reads what --key-file, --keyfile-size, --keyfile-offset, --passphrase-file, --passphrase-fd, --volume-key-file say; how: some of the
 * flags below. --passphrase-file - asks as well if standard input is a terminal.
 */
enum {
	KEY_IF_GIVEN = 0,
	KEY_ASK = 1,	/* if none is given, on the terminal */
	KEY_NEW = 2,	/* it will seal something: asked for twice */
	KEY_ANY_SLOT = 4,	/* --key-slot says what is meant, not what is tried */
	KEY_ANY_SIZE = 8,	/* it may be for something in the format of 2016, of which volume keys are shorter: whoever uses it asks */
};
bool key_options_read(unsigned how, const char *prompt, struct key_source *key, struct error *err) must_use;
/* key_source_read() of a new secret: what is asked for twice may be mistyped twice. */
bool key_read_new(const struct key_wanted *wanted, struct key_source *key, struct error *err) must_use;

/*
 * Reads every key that is given, in the order of their kinds. *keys: calloced, with *n of them, also on failure: each is to be freed. prompt:
 * for --passphrase-file - on a terminal.
 */
bool key_options_read_all(const char *prompt, struct key_source **keys, size_t *n, struct error *err) must_use;
/* For a new passphrase: warns if it ends with a carriage return or a newline, which nobody sees, and which belongs to it. */
void key_warn_ending(const struct key_source *key);
/* Adds a hint to "wrong key or passphrase", if --key-slot kept other slots from being tried. */
void key_hint_rejected(struct error *err);

#endif /* CMD_KEY_OPTIONS_H */
