/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attack IMAGE COMMAND...: reads and changes parts of an image, every checksum valid afterwards, for the attack tests.
 *   keys TREE OBJECTID                      the items of an object: type, offset, size
 *   peek KEY AT LEN | xor KEY AT BYTE | poke KEY AT HEX       bytes of an item's payload; KEY: TREE OBJECTID TYPE OFFSET
 *   put KEY HEX | drop KEY                  an item with another payload, or none (outside the root tree: inside its leaf)
 *   units DOMAIN | inlines DOMAIN           where they are: item, place in it, inode...
 *   no-hints DOMAIN FROM                    zeros in all units from this byte on, up to the tags
 *   raw-get LOGICAL LEN | raw-put LOGICAL FILE   bytes that have no checksum of btrfs
 *   data-put LOGICAL FILE                   data, and what the csum tree says of them
 *   super-get COPY | super-put COPY FILE | super-poke COPY AT HEX      superblocks; COPY: 0, 1, 2 or all
 *   state                                   what the tail of the superblock says of a conversion, and the journal's records
 *   convert WHAT STOP KEY-FILE [SUBVOL...]  encrypt, decrypt, resume, decrypt-resume or abort under a volume key; +skip or +carry behind it
 *                                           STOP: never; stop:N at the Nth safe point; die:N there, nothing said; flush:N after the Nth flush
 *   forge-slot NUMBER FILE DOMAIN-UUID      prints a key slot around a random volume key, for the passphrase in FILE
 */
#include "tests/image/attack/attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/secret.h"
#include "common/util/hex.h"

bool number(const char *text, uint64_t *value, struct error *err)
{
	char *end;

	*value = strtoull(text, &end, 0);
	return (*text && !*end) || error_set(err, ERROR_USAGE, "%s is no number", text);
}

bool bytes_of_hex(const char *text, uint8_t **bytes, size_t *len, struct error *err)
{
	*len = strlen(text) / 2;
	*bytes = calloc(1, *len ? *len : 1);
	if (!*bytes)
		return error_memory(err);
	return *len == 0 || hex_read(text, *bytes, *len) || error_set(err, ERROR_USAGE, "%.20s are no hexadecimal bytes", text);
}

bool bytes_of_file(const char *path, uint8_t **bytes, size_t *len, struct error *err)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	size_t room = 1 << 16, n;

	if (!file)
		return error_system(err, "%s", path);
	*bytes = malloc(room);
	for (*len = 0; *bytes && (n = fread(*bytes + *len, 1, room - *len, file)) > 0;) {
		*len += n;
		if (*len == room)
			*bytes = realloc(*bytes, room *= 2);
	}
	if (file != stdin)
		fclose(file);
	return *bytes ? true : error_memory(err);
}

void print_hex(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

static const struct row {
	const char *name;
	attack_command *run;
	int least;		/* arguments */
	enum { READS, WRITES, BY_ITSELF } how;	/* the image is opened so */
} rows[] = {
	{ "keys", attack_keys, 2, READS },
	{ "peek", attack_peek, 6, READS },
	{ "poke", attack_poke, 6, WRITES },
	{ "xor", attack_xor, 6, WRITES },
	{ "put", attack_put, 5, WRITES },
	{ "drop", attack_drop, 4, WRITES },
	{ "units", attack_units, 1, READS },
	{ "inlines", attack_inlines, 1, READS },
	{ "no-hints", attack_no_hints, 2, WRITES },
	{ "raw-get", attack_raw_get, 2, READS },
	{ "raw-put", attack_raw_put, 2, WRITES },
	{ "data-put", attack_data_put, 2, WRITES },
	{ "super-get", attack_super_get, 1, READS },
	{ "super-put", attack_super_put, 2, WRITES },
	{ "super-poke", attack_super_poke, 3, WRITES },
	{ "state", attack_state, 0, READS },
	{ "convert", attack_convert, 3, BY_ITSELF },
	{ "forge-slot", attack_forge_slot, 3, BY_ITSELF },
};

static bool run(const struct row *row, struct attack *attack, struct error *err)
{
	const struct volume_options options = { .unfinished = true };
	struct device *device;

	if (attack->argc < row->least)
		return error_set(err, ERROR_USAGE, "%s takes %d arguments", row->name, row->least);
	if (!secret_init(err))
		return false;
	if (row->how == BY_ITSELF)
		return row->run(attack, err);
	if (!device_open(attack->path, row->how == WRITES ? DEVICE_WRITABLE : DEVICE_READ_ONLY, &device, err) || !volume_open(device, &options, &attack->volume, err))
		return false;

	const bool ok = row->run(attack, err);

	volume_close(attack->volume);
	return ok;
}

int main(int argc, char **argv)
{
	struct error err = { 0 };

	for (size_t i = 0; argc > 2 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct attack attack = { .path = argv[1], .argc = argc - 3, .argv = argv + 3 };

		if (strcmp(argv[2], rows[i].name) != 0)
			continue;
		if (run(&rows[i], &attack, &err))
			return 0;
		fprintf(stderr, "attack %s: %s\n", rows[i].name, err.text);
		return err.kind;
	}
	fprintf(stderr, "usage: attack IMAGE COMMAND...\n");
	return ERROR_USAGE;
}
