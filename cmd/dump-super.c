/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt dump-super: every superblock copy, field by field, as it is on the device. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "cmd/command.h"
#include "cmd/dump/items.h"
#include "cmd/dump/super-fields.h"
#include "cmd/image.h"
#include "cmd/image-options.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "cmd/value-text.h"
#include "common/util/escape.h"
#include "common/volume/supers.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static int ignored, force;

static const struct poptOption options[] = {
	{ "full", 'f', POPT_ARG_NONE, &ignored, 0, "no effect: all fields are always printed", NULL },
	{ "all", 'a', POPT_ARG_NONE, &ignored, 0, "no effect: without --super all copies are printed", NULL },
	{ "force", 'F', POPT_ARG_NONE, &force, 0, "also print the fields of a superblock without the magic of btrfs", NULL },
	INCLUDE(options_copies), INCLUDE(options_time), INCLUDE(options_format),
	POPT_TABLEEND
};

static const struct backup_field {
	const char *before, *address, *generation, *level;
	size_t at;		/* address, then generation */
	size_t level_at;
} backup_fields[] = {
#define ROOT(text, name) { "\t\t" text, #name, #name "_generation", #name "_level", offsetof(struct disk_root_backup, name), \
			   offsetof(struct disk_root_backup, name##_level) }
	ROOT("backup_tree_root:\t", tree_root), ROOT("backup_chunk_root:\t", chunk_root), ROOT("backup_extent_root:\t", extent_root),
	ROOT("backup_fs_root:\t\t", fs_root), ROOT("backup_dev_root:\t", dev_root), ROOT("csum_root:\t", csum_root),
#undef ROOT
};

static void put_backup(const struct row *row, const struct disk_root_backup *backup)
{
	const uint8_t *bytes = (const uint8_t *)backup;

	for (size_t i = 0; i < ARRAY_SIZE(backup_fields); i++) {
		const struct backup_field *field = &backup_fields[i];
		struct le64 address, generation;

		memcpy(&address, bytes + field->at, sizeof(address));
		memcpy(&generation, bytes + field->at + sizeof(address), sizeof(generation));
		row_u64(row, field->address, field->before, le64(address));
		row_u64(row, field->generation, "\tgen: ", le64(generation));
		row_number(row, field->level, "\tlevel: ", bytes[field->level_at]);
		row_words(row, "\n");
	}
	row_u64(row, "total_bytes", "\t\tbackup_total_bytes:\t", le64(backup->total_bytes));
	row_u64(row, "bytes_used", "\n\t\tbackup_bytes_used:\t", le64(backup->bytes_used));
	row_u64(row, "num_devices", "\n\t\tbackup_num_devices:\t", le64(backup->num_devices));
	row_words(row, "\n\n");
}

static void put_backups(const struct row *row, const struct disk_superblock *disk)
{
	const struct row backups = row_array(row, "backup_roots");

	row_words(row, "backup_roots[4]:\n");
	for (unsigned i = 0; i < ARRAY_SIZE(disk->backup); i++) {
		const struct row one = row_element(&backups);

		row_format(&one, "\tbackup %u:\n", i);
		put_backup(&one, &disk->backup[i]);
	}
}

/* Up to the first entry that cannot be read. */
static void put_chunks(const struct row *row, struct dump *table, const struct disk_superblock *disk)
{
	const struct row chunks = row_array(row, "sys_chunk_array");
	const size_t size = le32(disk->sys_chunk_array_size);
	struct cursor array = { disk->sys_chunk_array, size < sizeof(disk->sys_chunk_array) ? size : sizeof(disk->sys_chunk_array),
				offsetof(struct disk_superblock, sys_chunk_array) };
	struct error err = { 0 };
	struct disk_key disk_key;
	bool ok = true;

	row_format(row, "sys_chunk_array[%zu]:\n", sizeof(disk->sys_chunk_array));
	for (unsigned i = 0; ok && array.left > 0 && cursor_read(&array, &disk_key, sizeof(disk_key)); i++) {
		const struct key key = key_from_disk(&disk_key);
		const struct row one = row_element(&chunks);
		struct dump dump = { .key = &key, .object = one.json, .indent = 2 };
		char text[KEY_TEXT_SIZE];

		row_format(&one, "\titem %u key ", i);
		row_text(&one, "key", "", key_text(&key, text));
		row_words(&one, "\n");
		ok = dump_chunk(&dump, &array, &err);
		dump_end_line(&dump);
	}
	if (!ok)
		dump_text(table, "sys_chunk_array_error", err.text);
}

static void put_state(const struct row *row, const struct disk_superblock *disk)
{
	struct dump dump = { .indent = 1 };
	struct error err = { 0 };
	const struct superblock super = { .disk = *disk, .incompat = le64(disk->incompat_flags) };

	if (!superblock_is_unfinished(&super))
		return;
	dump.object = row_object(row, "unfinished_conversion").json;
	row_words(row, "unfinished conversion (not authenticated):\n");
	if (!dump_crypt_state(&dump, disk->tail, &err))
		dump_text(&dump, "error", err.text);
	dump_end_line(&dump);
	row_words(row, "\n");
}

static bool has_magic(const uint8_t bytes[SUPER_SIZE])
{
	return memcmp(bytes + offsetof(struct disk_superblock, magic), SUPER_MAGIC, 8) == 0;
}

static void print_copy(const char *path, unsigned copy, uint64_t where, const uint8_t bytes[SUPER_SIZE])
{
	const struct row row = row_begin(NULL);
	struct dump table = { .object = row.json, .as_table = true };
	struct disk_superblock disk;
	struct superblock super;
	struct error err = { 0 };
	const bool valid = superblock_read(bytes, superblock_offset(copy), &super, &err);

	memcpy(&disk, bytes, sizeof(disk));
	row_u64(&row, NULL, "superblock: bytenr=", where);
	row_name(&row, "device", ", device=", path, strlen(path));
	row_words(&row, "\n---------------------------------------------------------\n");
	row_number(&row, "copy", NULL, copy);
	row_u64(&row, "offset", NULL, where);
	row_flag(&row, "valid", NULL, valid);
	if (!valid)
		dump_text(&table, "error", err.text);
	if (has_magic(bytes) || force) {		/* otherwise it is something else, and no field would mean anything */
		super_fields(&table, &disk);
		put_chunks(&row, &table, &disk);
		put_backups(&row, &disk);
		put_state(&row, &disk);
	}
	row_print(&row);
}

/* The requested copies, as they are on one device. */
struct copies {
	struct super_copy copy[SUPER_COPIES];
	bool wanted[SUPER_COPIES];
	uint8_t bytes[SUPER_COPIES][SUPER_SIZE];
};

static bool read_copies(struct device *device, unsigned wanted, struct copies *all, struct error *err)
{
	super_copies_find(device, all->copy);
	for (unsigned i = 0; i < SUPER_COPIES; i++) {
		all->wanted[i] = wanted == CHOOSE_BY_ITSELF || i == wanted - 1;
		if (all->wanted[i] && all->copy[i].exists && !device_read(device, all->bytes[i], SUPER_SIZE, all->copy[i].where, err))
			return false;
	}
	return true;
}

/* Zeros are not a damaged superblock, nor is a device of something else. If there is nothing but that, it is an error. */
static bool check_any(const char *path, unsigned wanted, const struct copies *all, struct error *err)
{
	for (unsigned i = 0; i < SUPER_COPIES; i++) {
		if (all->wanted[i] && all->copy[i].exists && (force || has_magic(all->bytes[i])))
			return true;
	}
	if (wanted == CHOOSE_BY_ITSELF)
		return error_set(err, ERROR_NOT_FOUND, "%s: not a btrfs filesystem: no superblock has the magic", path);
	if (all->copy[wanted - 1].exists)
		return error_set(err, ERROR_NOT_FOUND, "%s: copy %u of the superblock, at %" PRIu64 ": no btrfs magic", path, wanted - 1,
				 all->copy[wanted - 1].where);
	return error_set(err, ERROR_NOT_FOUND, all->copy[wanted - 1].where ? "%s: too small for copy %u of the superblock" :
			 "%s: no log zones of copy %u of the superblock", path, wanted - 1);
}

static void print_copies(const char *path, const struct copies *all)
{
	for (unsigned i = 0; i < SUPER_COPIES; i++) {
		if (!all->wanted[i])
			continue;
		if (all->copy[i].exists)
			print_copy(path, i, all->copy[i].where, all->bytes[i]);
		if (all->copy[i].exists && !has_magic(all->bytes[i]))
			printf_warning("superblock copy at %" PRIu64 ": no btrfs magic", all->copy[i].where);
		/* As btrfs-progs has it, also after a copy that is not there. */
		if (!format_is_json())
			putchar('\n');
	}
}

/* The filesystem to which the devices before this one belong. */
struct together {
	bool known;
	uint8_t fsid[FSID_SIZE];
	char name[256];		/* of the device that said so */
};

/* A seed belongs to another filesystem than the one that grew from it. */
static void compare_filesystem(const char *path, const struct copies *all, struct together *together)
{
	char have[UUID_STR_LEN], want[UUID_STR_LEN], name[256];
	unsigned i = 0;

	while (i < SUPER_COPIES && !all->copy[i].valid)
		i++;
	if (i == SUPER_COPIES || all->copy[i].super.flags & SUPER_FLAG_SEEDING)
		return;

	const uint8_t *const fsid = all->copy[i].super.fsid;

	escape_text(path, strlen(path), name, sizeof(name));
	if (!together->known) {
		together->known = true;
		memcpy(together->fsid, fsid, FSID_SIZE);
		memcpy(together->name, name, sizeof(name));
	} else if (memcmp(together->fsid, fsid, FSID_SIZE) != 0) {
		uuid_unparse_lower(fsid, have);
		uuid_unparse_lower(together->fsid, want);
		printf_warning("%s: belongs to the filesystem %s, but %s to %s", name, have, together->name, want);
	}
}

static bool show_device(const char *image, size_t i, unsigned wanted, struct copies *all, struct together *together, struct error *err)
{
	struct device *device;

	if (!image_device_open(image, i, &device, err))
		return false;

	const bool ok = read_copies(device, wanted, all, err) && check_any(device->name, wanted, all, err);

	if (ok) {
		compare_filesystem(device->name, all, together);
		if (i > 0 && !format_is_json())
			putchar('\n');
		print_copies(device->name, all);
	}
	device_close(device);
	return ok;
}

/* Opens no volume: people use this command for a superblock with which nothing else can be read. */
static bool run(const char *const *operand, struct error *err)
{
	struct copies *all = malloc(sizeof(*all));
	struct together together = { 0 };
	unsigned wanted;
	image_add_devices(operand + 1);

	bool ok = (all || error_memory(err)) && image_super_copy(&wanted, err);

	for (size_t i = 0; ok && i < image_n_devices(); i++)
		ok = show_device(operand[0], i, wanted, all, &together, err);
	free(all);
	return ok;
}

const struct command cmd_dump_super = {
	.name = "dump-super",
	.operands = "IMAGE [DEVICE...]",
	.summary = "print every copy of the superblock, and the state of an unfinished conversion",
	.options = options,
	.run = run,
};
