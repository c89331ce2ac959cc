/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The line of a report about the run itself. */
#include "cmd/report-run.h"

#include <stdlib.h>
#include <string.h>
#include <uuid.h>

#include "cmd/command.h"
#include "cmd/image-found.h"
#include "cmd/image-options.h"
#include "cmd/json.h"
#include "common/fs/log-replay.h"

#define ARGUMENTS_MAX 65536

/* As the system gives it, so that what was read from it since cannot differ. */
static void put_arguments(struct json_object *line)
{
	struct json_object *words = json_array();
	char *text = calloc(1, ARGUMENTS_MAX + 1);
	FILE *file = fopen("/proc/self/cmdline", "re");
	const size_t n = text && file ? fread(text, 1, ARGUMENTS_MAX, file) : 0;

	for (size_t at = 0; at < n; at += strlen(text + at) + 1)
		json_append_text(words, text + at);
	if (file)
		fclose(file);
	free(text);
	json_member(line, "command_line", words);
}

/* Which of several superblocks and commits was read, and from which devices. */
static void put_chosen(struct json_object *line, const struct volume *volume)
{
	struct json_object *missing = NULL;
	char uuid[37];

	json_number(line, "superblock_copy", volume->super_used);
	json_u64(line, "generation", volume->super.generation);
	if (image_options.backup_root)
		json_number(line, "backup_root", strtol(image_options.backup_root, NULL, 10));
	if (log_is_there(volume))
		json_text(line, "log_tree", image_options.with_log ? "shown" : "not-shown");
	for (size_t i = 0; i < volume->n_devices; i++) {
		struct json_object *device;

		if (volume->devices[i].device)
			continue;
		device = json_line();
		uuid_unparse_lower(volume->devices[i].uuid, uuid);
		json_u64(device, "devid", volume->devices[i].devid);
		json_text(device, "dev_uuid", uuid);
		missing = missing ? missing : json_array();
		json_append(missing, device);
	}
	if (missing)
		json_member(line, "missing_devices", missing);
}

void report_run_print(const char *image, const struct volume *volume, time_t begin, FILE *out)
{
	struct json_object *line = json_line();
	char fsid[37];

	json_text(line, "run", command_name);
	json_text(line, "tool", "btrfs-crypt");
	json_text(line, "version", BTRFS_CRYPT_VERSION);
	put_arguments(line);
	json_moment(line, "begin", (uint64_t)begin);
	json_moment(line, "end", (uint64_t)time(NULL));
	json_name(line, "device", image, strlen(image));
	if (volume) {
		const struct image_found *found = image_found(0);
		const struct disk_superblock *disk = &volume->super.disk;

		uuid_unparse_lower(volume->super.fsid, fsid);
		if (found)
			json_u64(line, "filesystem_offset", found->offset);
		json_text(line, "fsid", fsid);
		json_name(line, "label", disk->label, strnlen((const char *)disk->label, sizeof(disk->label)));
		put_chosen(line, volume);
	}
	json_print(line, out);
}
