/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole images: the input says what is changed in tree blocks and superblocks of a bundled image, whose checksums are then right again, and every
 * command that reads looks at the result.  The commands themselves are run, all that the table has, with what they print.
 *
 * The input: a byte that chooses image, output format and whether what is invalid is tolerated, then changes of 14 bytes: block (2), how it is addressed, how the value is meant,
 * place (2), value (8).
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zstd.h>

#include "common/tree/tree.h"
#include "tests/fuzz/fuzz.h"

int btrfs_crypt_main(int argc, const char **argv);
#define main btrfs_crypt_main
#include "cmd/image-options.h"
#include "cmd/main.c"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#undef main

#define BLOCKS_MAX 2048u
#define CHANGES_MAX 24u
#define SUPER_SIZE 4096u
#define IMAGE_MAX (200u << 20)
#define OUTPUT_MAX (96u << 20)	/* a file of 2^60 zeros is not printed to its end; what is changed of images is before it */

/* Set by address, which popt knows: parsing would add up. */
static void *option(const struct poptOption *table, const char *name)
{
	for (; table->longName || table->shortName || table->arg; table++) {
		void *found = NULL;

		if ((table->argInfo & POPT_ARG_MASK) == POPT_ARG_INCLUDE_TABLE)
			found = option(table->arg, name);
		else if (table->longName && strcmp(table->longName, name) == 0)
			found = table->arg;
		if (found)
			return found;
	}
	return NULL;
}

/* --- the images -------------------------------------------------------------------------------------------- */

struct place {
	uint64_t logical;
	uint64_t physical[2];	/* of its mirrors; 0: none */
};

static struct base {
	const char *file;
	const char *subvolume, *path[4];
	int fd;
	uint64_t size;
	uint32_t node_size;
	enum csum_type csum;
	struct place *place;	/* the last: the superblocks */
	size_t n_places;
} bases[] = {
	{ .file = "images/good-plain.img.zst", .subvolume = "vault", .path = { "ledger.zlib", "bookend", "prealloc-part", "link-long" } },
	{ .file = "images/good-log.img.zst", .subvolume = "sub", .path = { "long", "new", "directory/second-name", "directory" } },
	{ .file = "images/good-sealed.img.zst", .subvolume = "vault", .path = { "ledger.zlib", "hole", "nested/file", "odd names" } },
	{ .file = "images/good-2016.img.zst", .subvolume = "vault", .path = { "ledger.txt", "hole", "nested", "secret.txt" } },
	{ .file = "images/good-zoned.img.zst", .subvolume = "/", .path = { "numbers", "directory/packed", "inline", "directory" } },
};
#define N_BASES (sizeof(bases) / sizeof(bases[0]))

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "fuzz-image: %s\n", what);
		abort();
	}
}

/* For the targets that include this one: options of keys may be given more than once, so a function takes each. */
static inline void give_key(const char *name, const char *value)
{
	const struct poptOption *const row = option_find(options_key, name, 0);
	poptCallbackType take;

	must(row && (options_key[0].argInfo & POPT_ARG_MASK) == POPT_ARG_CALLBACK, "options of keys");
	take = (poptCallbackType)options_key[0].arg;
	take(NULL, POPT_CALLBACK_REASON_OPTION, row, value, NULL);
}

static void unpack(struct base *base)
{
	FILE *file = fopen(base->file, "rb");
	static uint8_t packed[4u << 20];
	size_t len;
	uint8_t *bytes;

	must(file, base->file);
	len = fread(packed, 1, sizeof(packed), file);
	fclose(file);
	base->size = ZSTD_getFrameContentSize(packed, len);
	must(base->size < IMAGE_MAX, "the image is too large");
	bytes = malloc(base->size);
	must(bytes && ZSTD_decompress(bytes, base->size, packed, len) == base->size, "the image does not unpack");
	base->fd = memfd_create("image", MFD_CLOEXEC);
	must(base->fd >= 0 && ftruncate(base->fd, (off_t)base->size) == 0, "memory");
	for (size_t at = 0; at + 4096 <= base->size; at += 4096) {
		static const uint8_t zeros[4096];

		if (memcmp(bytes + at, zeros, 4096) != 0)
			must(pwrite(base->fd, bytes + at, 4096, (off_t)at) == 4096, "memory");
	}
	free(bytes);
}

static bool add_block(void *context, struct block *block, bool *descend, struct error *err)
{
	struct base *base = context;
	const struct chunk *chunk;

	(void)descend;
	must(base->n_places + 1 < BLOCKS_MAX && volume_chunk(block->volume, block->logical, &chunk, err), "blocks");
	for (size_t i = 0; i < base->n_places; i++)
		if (base->place[i].logical == block->logical)
			return true;

	struct place *place = &base->place[base->n_places++];

	place->logical = block->logical;
	for (unsigned mirror = 0; mirror < 2 && mirror < chunk_n_mirrors(chunk); mirror++)
		place->physical[mirror] = chunk_physical(chunk, block->logical, mirror);
	return true;
}

/* Every tree that a root item leads to. */
static void add_trees(struct base *base, const struct tree *roots, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };

	must(tree_walk(roots, add_block, base, err) && tree_seek(roots, &(struct key){ 0 }, &iter, err), "roots");
	for (; iter.valid; must(tree_next(&iter, err), "roots")) {
		struct tree tree = { .volume = roots->volume, .id = iter.key.objectid };
		struct root root;

		if (iter.key.type != KEY_ROOT_ITEM)
			continue;
		must(root_read(&iter.item, &root, err), "root");
		tree.logical = root.bytenr;
		tree.level = root.level;
		tree.generation = root.generation;
		must(tree_walk(&tree, add_block, base, err), "tree");
	}
}

static void find_blocks(struct base *base)
{
	const struct volume_options options = { .unfinished = true };
	cleanup_volume struct volume *volume = NULL;
	struct error err = { 0 };
	struct device *device;
	struct tree tree;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", base->fd);
	base->place = calloc(BLOCKS_MAX, sizeof(*base->place));
	must(base->place && device_open(path, DEVICE_READ_ONLY, &device, &err) && volume_open(device, &options, &volume, &err), "open");
	base->node_size = volume->super.node_size;
	base->csum = volume->super.csum_type;
	must(tree_open(volume, CHUNK_TREE_ID, &tree, &err) && tree_walk(&tree, add_block, base, &err), "chunks");
	must(tree_open(volume, ROOT_TREE_ID, &tree, &err), "roots");
	add_trees(base, &tree, &err);
	if (volume->super.log_root && tree_open(volume, TREE_LOG_ID, &tree, &err))
		add_trees(base, &tree, &err);
	base->place[base->n_places++] = (struct place){ 0, { volume->copy[0].where, volume->copy[1].exists ? volume->copy[1].where : 0 } };
}

/* --- changes ----------------------------------------------------------------------------------------------- */

struct change {
	uint8_t block[2], how, meaning, where[2], value[8];
};

static uint64_t number(const uint8_t *bytes, size_t n)
{
	uint64_t value = 0;

	for (size_t i = n; i-- > 0; )
		value = value << 8 | bytes[i];
	return value;
}

/* Which byte of the block. */
static uint32_t where(const struct change *change, const uint8_t *block, uint32_t size)
{
	static const uint8_t field[] = { 32, 48, 56, 80, 88, 96, 100 };
	const struct disk_header *header = (const struct disk_header *)block;
	const uint32_t at = (uint32_t)number(change->where, 2), is_leaf = header->level == 0;
	const uint32_t item_size = is_leaf ? sizeof(struct disk_item) : sizeof(struct disk_key_ptr);
	const uint32_t n = le32(header->nritems), item = sizeof(*header) + (n ? at % n : 0) * item_size;

	switch (change->how % 4) {
	case 0:
		return at % size;
	case 1:
		return field[at % sizeof(field)];
	case 2:
		return (item + (at >> 8) % item_size) % size;
	default:
		if (item + item_size > size)
			return item % size;
		/* Of the payload of an item, by a value that has other uses, too. */
		return (uint32_t)(sizeof(*header) + le32(((const struct disk_item *)(block + item))->offset) + change->value[7] % 64) % size;
	}
}

static void apply(const struct base *base, const struct change *change, uint8_t *block, uint32_t size)
{
	static const uint64_t interesting[] = {
		0, 1, 2, 5, 6, 7, 255, 256, 257, 4096, 65535, 65536, 1u << 20, INT32_MAX, UINT32_MAX, 1ull << 32, INT64_MAX, UINT64_MAX,
		1ull << 63, UINT64_MAX - 255, UINT64_MAX - 4095, 0x7ffffffffffff000, '/', 0x2e2e,
	};
	const uint32_t width = 1u << change->meaning % 4, at = where(change, block, size);
	uint64_t value = number(change->value, 8), old = 0;

	if (at + width > size)
		return;
	memcpy(&old, block + at, width);
	switch (change->meaning / 4 % 4) {
	case 1:
		value = interesting[value % (sizeof(interesting) / sizeof(interesting[0]))];
		break;
	case 2:
		value = base->place[value % base->n_places].logical;
		break;
	case 3:
		value = old + (uint64_t)(int64_t)(int8_t)value;
		break;
	}
	memcpy(block + at, &value, width);
}

/* Each mirror alike; the checksum right; *undo, where not NULL, is what was there. */
static void change_place(const struct base *base, const struct change *change, size_t i, uint8_t *undo)
{
	const struct place *place = &base->place[i];
	const bool is_super = i + 1 == base->n_places;
	const uint32_t size = is_super ? SUPER_SIZE : base->node_size;
	uint8_t block[NODE_SIZE_MAX];

	for (unsigned mirror = 0; mirror < 2; mirror++) {
		if (!place->physical[mirror] || pread(base->fd, block, size, (off_t)place->physical[mirror]) != (ssize_t)size)
			continue;
		memcpy(undo + mirror * NODE_SIZE_MAX, block, size);
		apply(base, change, block, size);
		csum_block_update(base->csum, block, size);
		must(pwrite(base->fd, block, size, (off_t)place->physical[mirror]) == (ssize_t)size, "write");
	}
}

static void undo_place(const struct base *base, size_t i, const uint8_t *undo)
{
	const struct place *place = &base->place[i];
	const uint32_t size = i + 1 == base->n_places ? SUPER_SIZE : base->node_size;

	for (unsigned mirror = 0; mirror < 2; mirror++)
		if (place->physical[mirror] && place->physical[mirror] + size <= base->size)
			must(pwrite(base->fd, undo + mirror * NODE_SIZE_MAX, size, (off_t)place->physical[mirror]) == (ssize_t)size, "undo");
}

/* --- the commands ------------------------------------------------------------------------------------------ */

static int output;

static void run_one(const struct command *command, const char *image, const char *subvolume, const char *path)
{
	const char *operand[4] = { image };
	struct error err = { 0 };
	int n = 1;

	if (strstr(command->operands, "SUBVOL"))
		operand[n++] = subvolume;
	if (strstr(command->operands, " PATH") || strstr(command->operands, "[PATH"))
		operand[n++] = path;
	command_name = command->name;
	if (!command->run(operand, &err))
		must(err.kind != ERROR_NONE && err.text[0], "a failure that says nothing");
	fflush(stdout);
	clearerr(stdout);
	must(lseek(output, 0, SEEK_SET) == 0 && ftruncate(output, 0) == 0, "output");
}

static bool reads_only(const struct command *command)
{
	static const char *const others[] = { "convert", "key", "verify-key" };

	if (!strstr(command->operands, "IMAGE"))
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(command->name, others[i]) == 0)
			return false;
	return true;
}

static void run_all(const struct base *base, bool as_json, bool tolerant)
{
	char image[64];

	*(int *)option(options_image, "tolerant") = tolerant;
	*(const char **)option(options_format, "format") = as_json ? "json" : "text";
	snprintf(image, sizeof(image), "/proc/self/fd/%d", base->fd);
	for (size_t i = 0; i < N_COMMANDS; i++) {
		const bool many = strstr(commands[i]->operands, "PATH") && !strstr(commands[i]->operands, ":PATH");

		for (size_t k = 0; reads_only(commands[i]) && k < (many ? 4 : 1); k++)
			run_one(commands[i], image, base->subvolume, base->path[k]);
	}
}

static void begin(void)
{
	static const struct {
		const char *command, *option;
	} flags[] = {
		{ "ls", "with-log" }, { "ls", "long" }, { "ls", "recursive" }, { "list", "uuid" }, { "list", "all" }, { "export", "recursive" },
		{ "dump-tree", "csum-items" },
	};
	const struct rlimit limit = { OUTPUT_MAX, OUTPUT_MAX };

	for (size_t i = 0; i < N_BASES; i++) {
		unpack(&bases[i]);
		find_blocks(&bases[i]);
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		const struct command *command = find_command(flags[i].command);
		int *flag = command ? option(command->options, flags[i].option) : NULL;

		if (flag)
			*flag = 1;
	}
	if (find_command("export"))
		*(const char **)option(find_command("export")->options, "output") = "-";
	output = memfd_create("output", MFD_CLOEXEC);
	must(output >= 0 && dup2(output, STDOUT_FILENO) == STDOUT_FILENO, "output");
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	stdout = fdopen(STDOUT_FILENO, "w");
	stderr = fopen("/dev/null", "w");
	must(stdout && stderr, "output");
}

/* Whole changes: added, taken out, or one byte of one made another.  Any input is well formed; most of those that bytes alone make are not new. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t len_max, unsigned seed);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t len_max, unsigned seed)
{
	const size_t size = sizeof(struct change), most = len_max > 1 ? (len_max - 1) / size : 0;
	size_t n = len > 1 ? (len - 1) / size : 0;

	if (len_max == 0)
		return 0;
	if (len == 0)
		bytes[0] = 0;
	srand(seed);
	for (int times = 1 + rand() % 3; times > 0; times--) {
		const int what = rand() % 8;

		if (what == 0)
			bytes[0] = (uint8_t)rand();
		else if (what == 1 && n > 1)
			memmove(bytes + 1, bytes + 1 + size, --n * size);
		else if ((what < 5 || n == 0) && n < most && n < CHANGES_MAX)
			for (size_t i = n++ * size, end = n * size; i < end; i++)
				bytes[1 + i] = (uint8_t)rand();
		else if (n > 0)
			bytes[1 + (size_t)rand() % (n * size)] = (uint8_t)rand();
	}
	return 1 + n * size;
}

/* For the targets that include this one: a choice of the image with that name, and of what else the first byte chooses. */
static inline uint8_t choice_of(const char *image, uint8_t choice)
{
	for (size_t i = 0; i < N_BASES; i++) {
		if (strstr(bases[i].file, image))
			return (uint8_t)(2 * i + choice % 2);
	}
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t undo[CHANGES_MAX][2 * NODE_SIZE_MAX];
	static bool has_begun;
	struct cursor input = { bytes, len, 0 };
	size_t changed[CHANGES_MAX], n = 0;
	struct change change;

	if (!has_begun)
		begin();
	has_begun = true;

	const uint8_t choice = fuzz_choice(&input);
	const struct base *base = &bases[choice / 2 % N_BASES];

	/* Whole changes only: what replays truncations need not run all for each byte. */
	if (input.left % sizeof(change) != 0)
		return 0;

	for (; n < CHANGES_MAX && cursor_read(&input, &change, sizeof(change)); n++) {
		changed[n] = number(change.block, 2) % base->n_places;
		change_place(base, &change, changed[n], undo[n]);
	}
	run_all(base, choice % 2, choice / 2 / N_BASES % 2);
#ifdef fuzz_image_then
	fuzz_image_then(base->fd);
#endif
	while (n-- > 0)
		undo_place(base, changed[n], undo[n]);
	return 0;
}
