/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the secret comes from: the options that every command with a key shares. */
#ifndef CMD_KEY_OPTIONS_H
#define CMD_KEY_OPTIONS_H

#include "common/crypto/secret.h"

struct key_input {
	struct secret *secret;		/* passphrase or key file bytes; NULL where none was given */
	bool is_key_file;		/* for the label of a new slot */
	struct secret *volume_key;	/* --volume-key-file, exactly 32 bytes */
	int slot;			/* --key-slot, -1: any */
};

/* Was any key option given? */
bool key_input_given(void);

/* Do they go together, are the numbers numbers?  ERROR_USAGE.  main() calls it, after the options are parsed. */
bool key_options_check(struct error *err) must_use;

/*
 * Reads what --key-file, --keyfile-size, --keyfile-offset, --passphrase-file, --passphrase-fd, --volume-key-file say.  Nothing given: asks on the terminal (twice with verify) where ask is true.  So does --passphrase-file -
 * where standard input is a terminal.
 */
bool key_input_read(bool ask, bool verify, const char *prompt, struct key_input *input, struct error *err) must_use;
/* Gives "wrong key or passphrase" the hint what is often wrong with such a key; all from the command line, so that nothing is learned from it. */
void key_hint_rejected(struct error *err);
void key_input_free(struct key_input *input);	/* wipes; what is all zeros or freed before is fine */
#define cleanup_key_input __attribute__((cleanup(key_input_free)))	/* initialise with { 0 } */

#endif /* CMD_KEY_OPTIONS_H */
