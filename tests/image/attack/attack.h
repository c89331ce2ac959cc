/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of an image that keep every checksum valid, on every mirror: what someone with a hex editor and patience can do. */
#ifndef TESTS_IMAGE_ATTACK_H
#define TESTS_IMAGE_ATTACK_H

#include "common/tree/tree.h"

struct attack {
	struct volume *volume;
	const char *path;
	int argc;		/* arguments of the command */
	char **argv;
};

bool number(const char *text, uint64_t *value, struct error *err) must_use;
/* Bytes of hexadecimal digits, malloced. */
bool bytes_of_hex(const char *text, uint8_t **bytes, size_t *len, struct error *err) must_use;
/* A whole file; "-": standard input.  malloced. */
bool bytes_of_file(const char *path, uint8_t **bytes, size_t *len, struct error *err) must_use;
void print_hex(const uint8_t *bytes, size_t len);

typedef bool attack_command(struct attack *attack, struct error *err);

/* items.c: TREE OBJECTID TYPE OFFSET */
attack_command attack_keys, attack_peek, attack_poke, attack_xor, attack_drop, attack_put;
/* units.c */
attack_command attack_units, attack_inlines, attack_no_hints;
/* bytes.c */
attack_command attack_raw_get, attack_raw_put, attack_data_put, attack_super_get, attack_super_put, attack_super_poke, attack_state;
/* convert.c: opens the image itself */
attack_command attack_convert, attack_forge_slot;

#endif /* TESTS_IMAGE_ATTACK_H */
