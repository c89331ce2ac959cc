/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The secret of a new key slot: the same options as for a key, with new before their names. */
#ifndef CMD_KEY_NEW_KEY_H
#define CMD_KEY_NEW_KEY_H

#include <popt.h>

#include "common/crypto/key-source.h"

extern struct poptOption options_new_key[];

const char *new_key_given(void);	/* one of those that were given; NULL: none was */
bool new_key_check(struct error *err) must_use;	/* ERROR_USAGE */
/* Reads it, or asks twice on the terminal. prompt: what for. */
bool new_key_read(const char *prompt, struct key_source *key, struct error *err) must_use;

#endif /* CMD_KEY_NEW_KEY_H */
