/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * legacy: makes images in the format of 2016.
 *   legacy fill NODE-SIZE TEXT [WORD...]   fills the filesystem in the current directory; TEXT: of the attribute, or 2017; WORD: bare-root (no attribute on
 *                                          the root directory), root-iv (an IV there, too), no-iv (nowhere), clones, gone, lost, shapes (more files)
 *   legacy mark TEXT PATH...               gives the attributes to files of a mount
 *   legacy write [OPTION...] IMAGE         encrypts what has the attributes, and prints what it has done, file by file
 *   legacy undo [OPTION...] IMAGE          the same options: takes it out again
 *   legacy shapes IMAGE                    leaves and items that make taking the attributes out difficult
 *   legacy cipher MODE KEY IV HEX          prints it encrypted: for comparison with other implementations
 *   legacy iv KEY HEX | legacy hash KEY    the IV that an attribute stands for; the hash of a key
 * Options: --layout early|2017, --cipher ctr|cbc|cts, --key HEX, --key-length N, --key-hash N (instead of the right one), --algorithm NAME, --key-tag TAG,
 * --bare-root, --no-inode-flags, --regular-too, --only SUBVOLUME, --flag SUBVOLUME, --plain PATH[:FROM], --foreign PATH[:FROM]=OTHER, --gone PATH[:FROM]
 */
#include "tests/image/legacy/legacy.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "legacy: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

void *grown(void *array, size_t n, size_t size)
{
	/* Powers of two: so often it is asked. */
	if ((n & (n - 1)) == 0 || n == 0)
		array = realloc(array, (n ? 2 * n : 1) * size);
	if (!array)
		die("no memory");
	return array;
}

static size_t bytes_of_hex(const char *text, uint8_t *bytes, size_t room)
{
	const size_t n = strlen(text) / 2;

	if (n > room || strlen(text) % 2)
		die("%s: not up to %zu bytes", text, room);
	for (size_t i = 0; i < n; i++) {
		unsigned value;

		if (sscanf(text + 2 * i, "%2x", &value) != 1)
			die("%s: not hexadecimal", text);
		bytes[i] = (uint8_t)value;
	}
	return n;
}

static void print_hex(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

static enum cipher cipher_of(const char *name)
{
	static const char *const names[] = { "ctr", "cbc", "cts", "xts" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return (enum cipher)i;
	die("no cipher %s", name);
}

/* PATH[:FROM][=OTHER]; the text stays in use. */
static struct exception exception_of(char *text, int how)
{
	struct exception exception = { .path = text, .how = how };
	char *const other = strchr(text, '=');

	if (other) {
		*other = 0;
		exception.other = other + 1;
	}

	char *const from = strchr(text, ':');

	if (from) {
		*from = 0;
		exception.from = strtoull(from + 1, NULL, 10);
	}
	return exception;
}

enum { LAYOUT, CIPHER, KEY, KEY_LENGTH, KEY_HASH, ALGORITHM, KEY_TAG, BARE_ROOT, NO_INODE_FLAGS, REGULAR_TOO, ONLY, FLAG, PLAIN, FOREIGN, GONE };

static const struct option names[] = {
	{ "layout", 1, NULL, LAYOUT }, { "cipher", 1, NULL, CIPHER }, { "key", 1, NULL, KEY }, { "key-length", 1, NULL, KEY_LENGTH },
	{ "key-hash", 1, NULL, KEY_HASH }, { "algorithm", 1, NULL, ALGORITHM }, { "key-tag", 1, NULL, KEY_TAG }, { "bare-root", 0, NULL, BARE_ROOT },
	{ "no-inode-flags", 0, NULL, NO_INODE_FLAGS }, { "regular-too", 0, NULL, REGULAR_TOO }, { "only", 1, NULL, ONLY }, { "flag", 1, NULL, FLAG },
	{ "plain", 1, NULL, PLAIN }, { "foreign", 1, NULL, FOREIGN }, { "gone", 1, NULL, GONE }, { 0 },
};

static void take_option(struct options *options, int option)
{
	const size_t room = sizeof(options->only) / sizeof(*options->only);

	if (options->n_only == room || options->n_flagged == room || options->n_exceptions == sizeof(options->exceptions) / sizeof(*options->exceptions))
		die("too many options");
	switch (option) {
	case LAYOUT:
		options->layout = strcmp(optarg, "2017") == 0 ? LAYOUT_2017 : LAYOUT_EARLY;
		options->cipher = options->layout == LAYOUT_2017 ? CIPHER_XTS : CIPHER_CTS;
		break;
	case CIPHER:
		options->cipher = cipher_of(optarg);
		break;
	case KEY:
		options->key_len = bytes_of_hex(optarg, options->key, sizeof(options->key));
		break;
	case KEY_LENGTH:
		options->key_length = (unsigned)strtoul(optarg, NULL, 0);
		break;
	case KEY_HASH:
		options->key_hash = (uint32_t)strtoul(optarg, NULL, 0);
		options->key_hash_is_right = false;
		break;
	case ALGORITHM:
		options->algorithm = optarg;
		break;
	case KEY_TAG:
		options->key_tag = optarg;
		break;
	case BARE_ROOT:
		options->bare_root = true;
		break;
	case NO_INODE_FLAGS:
		options->no_inode_flags = true;
		break;
	case REGULAR_TOO:
		options->regular_too = true;
		break;
	case ONLY:
		options->only[options->n_only++] = optarg;
		break;
	case FLAG:
		options->flagged[options->n_flagged++] = optarg;
		break;
	case PLAIN:
		options->exceptions[options->n_exceptions++] = exception_of(optarg, KEPT_PLAIN);
		break;
	case FOREIGN:
	case GONE:
		options->exceptions[options->n_exceptions++] = exception_of(optarg, OF_ANOTHER);
		break;
	default:
		die("unknown option");
	}
}

static int run_on_image(const char *command, int argc, char **argv)
{
	struct options options = { .undo = strcmp(command, "undo") == 0, .key_hash_is_right = true, .key_tag = "btrfs:61e0d004" };
	struct image *image;
	struct plan plan;

	for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;)
		take_option(&options, option);
	if (optind + 1 != argc || (options.key_len != (options.layout == LAYOUT_2017 ? 64 : 16) && strcmp(command, "shapes")))
		die("one image and a key of 16 bytes (of 64 for the layout of 2017)");
	image = image_open(argv[optind]);
	plan_make(&plan, image, &options);
	if (strcmp(command, "shapes") == 0) {
		report_shapes(&plan);
	} else {
		report(&plan);
		write_all(&plan);
	}
	plan_free(&plan);
	image_close(image);
	return 0;
}

static int run_cipher(const char *command, int argc, char **argv)
{
	uint8_t key[64], iv[IV_BYTES], bytes[2 * PAGE];
	const size_t key_len = bytes_of_hex(argv[strcmp(command, "cipher") ? 0 : 1], key, sizeof(key));

	if (strcmp(command, "hash") == 0) {
		printf("%u\n", crc32c(0, key, key_len));
	} else if (strcmp(command, "iv") == 0 && argc == 2 && bytes_of_hex(argv[1], bytes, IV_BYTES) == IV_BYTES) {
		cipher_inode_iv(key, bytes, iv);
		print_hex(iv, sizeof(iv));
	} else if (strcmp(command, "cipher") == 0 && argc == 4 && bytes_of_hex(argv[2], iv, sizeof(iv)) == sizeof(iv)) {
		const size_t len = bytes_of_hex(argv[3], bytes, sizeof(bytes));

		cipher_run(cipher_of(argv[0]), true, key, iv, bytes, len);
		print_hex(bytes, len);
	} else {
		die("usage");
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *const command = argc > 2 ? argv[1] : "";

	if (strcmp(command, "fill") == 0 && argc > 3)
		return fill(argc - 2, argv + 2);
	if (strcmp(command, "mark") == 0 && argc > 3)
		return mark_all(argc - 2, argv + 2);
	if (strcmp(command, "write") == 0 || strcmp(command, "undo") == 0 || strcmp(command, "shapes") == 0)
		return run_on_image(command, argc - 1, argv + 1);
	if (strcmp(command, "cipher") == 0 || strcmp(command, "iv") == 0 || strcmp(command, "hash") == 0)
		return run_cipher(command, argc - 2, argv + 2);
	die("usage: legacy fill|mark|write|undo|shapes|cipher|iv|hash ...");
}
