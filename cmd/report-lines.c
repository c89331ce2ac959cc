/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of a report about the images and about the run. */
#include "cmd/report-lines.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uuid.h>

#include "cmd/command.h"
#include "cmd/image.h"
#include "cmd/image-found.h"
#include "cmd/image-options.h"
#include "cmd/json.h"
#include "cmd/print.h"
#include "common/fs/log-replay.h"
#include "common/util/escape.h"
#include "common/util/hex.h"

#define PIECE (1u << 20)
#define HASH_TEXT_SIZE (2 * HASH_SIZE + 1)

/* Size and hash of some bytes. */
struct sum {
	uint64_t size;
	char hash[HASH_TEXT_SIZE];	/* "": it was not computed */
};

static bool hash_all(struct progress *progress, struct device *device, struct hash *hash, uint8_t *piece, char text[HASH_TEXT_SIZE],
		     struct error *err)
{
	uint8_t result[HASH_SIZE];

	hash_start(hash);
	for (uint64_t at = 0; at < device->size; ) {
		const size_t n = device->size - at < PIECE ? device->size - at : PIECE;

		if (!device_read(device, piece, n, at, err))
			return false;
		hash_update(hash, piece, n);
		at += n;
		progress_update(progress, "hash image", at, device->size);
	}
	if (!hash_finish(hash, result, err))
		return false;
	hex_text(result, sizeof(result), text);
	return true;
}

static bool hash_device(struct progress *progress, struct device *device, struct sum *sum, struct error *err)
{
	struct hash *hash = NULL;
	uint8_t *piece = malloc(PIECE);
	const bool ok = (piece || error_memory(err)) && hash_new(&hash, err) && hash_all(progress, device, hash, piece, sum->hash, err);

	progress_clear(progress);
	hash_free(hash);
	free(piece);
	return ok;
}

/* What was unpacked is in a file that is still open. */
static bool sum_unpacked(struct progress *progress, const char *path, bool with_hash, struct sum *sum, struct error *err)
{
	struct device *device;
	bool ok;

	if (!device_open(path, DEVICE_READ_ONLY, &device, err))
		return false;
	sum->size = device->size;
	ok = !with_hash || hash_device(progress, device, sum, err);
	device_close(device);
	return ok;
}

static void put_sum(struct json_object *line, const struct sum *sum, const char *size, const char *hash)
{
	json_u64(line, size, sum->size);
	if (sum->hash[0])
		json_text(line, hash, sum->hash);
}

static void put_part(struct json_object *line, const struct image_found *found, const struct sum *unpacked)
{
	struct json_object *partition;

	if (found->member)
		json_name(line, "member", found->member, strlen(found->member));
	if (found->unpacked)
		put_sum(line, unpacked, "unpacked_size", "unpacked_sha256");
	json_u64(line, "filesystem_offset", found->offset);
	if (found->partition.number == 0)
		return;
	partition = json_line();
	json_number(partition, "number", found->partition.number);
	json_text(partition, "table", found->partition.table);
	json_text(partition, "type", found->partition.type);
	json_u64(partition, "start", found->partition.offset);
	json_u64(partition, "length", found->partition.length);
	json_member(line, "partition", partition);
}

/* unread, if it has a text, says why there is no hash. */
static void put_image(struct export_report *report, const char *name, size_t i, const struct sum *whole, const struct sum *unpacked,
		      const struct error *unread)
{
	const struct image_found *found = image_found(i);
	struct json_object *line = json_line();

	json_name(line, "image", name, strlen(name));
	put_sum(line, whole, "size", "sha256");
	if (unread->text[0])
		json_text(line, "text", unread->text);
	if (found)
		put_part(line, found, unpacked);
	json_print(line, report->report.stream);
}

/* Comments to sha256sum. */
static void put_manifest(FILE *out, const char *device, const struct image_found *found, const struct sum *whole, const struct sum *unpacked)
{
	char name[1024], member[1024] = "";

	escape_text(device, strlen(device), name, sizeof(name));
	fprintf(out, "# image %s  %s  %" PRIu64 " bytes\n", whole->hash, name, whole->size);
	if (!found || !found->unpacked)
		return;
	if (found->member)
		escape_text(found->member, strlen(found->member), member, sizeof(member));
	fprintf(out, "# unpacked image %s  %s%s%s  %" PRIu64 " bytes\n", unpacked->hash, name, found->member ? ", member " : "", member,
		unpacked->size);
}

static bool report_device(struct export_report *report, struct device *device, size_t i, bool with_hash, struct error *err)
{
	const struct image_found *found = image_found(i);
	struct sum whole = { .size = device->size }, unpacked = { 0 };
	struct error unread = { 0 };
	const bool is_hashed = (!with_hash || hash_device(&report->progress, device, &whole, &unread)) &&
			       (!found || !found->unpacked || sum_unpacked(&report->progress, found->unpacked, with_hash, &unpacked, &unread));

	if (report->report.stream)
		put_image(report, device->name, i, &whole, &unpacked, &unread);
	if (!with_hash)
		return true;
	if (!is_hashed && (report->manifest.stream || unread.kind == ERROR_MEMORY))
		return *err = unread, false;
	if (!is_hashed) {
		error_prefix(&unread, "the report has no hash of the image");
		print_warning(NULL, unread.text);
		return true;
	}
	if (report->manifest.stream)
		put_manifest(report->manifest.stream, device->name, found, &whole, &unpacked);
	return true;
}

bool report_images(struct export_report *report, const char *path, bool with_hash, struct error *err)
{
	for (size_t i = 0; (report->report.stream || report->manifest.stream) && i < image_n_devices(); i++) {
		struct device *device;

		if (!image_device_open_whole(path, i, &device, err))
			return false;

		const bool ok = report_device(report, device, i, with_hash, err);

		device_close(device);
		if (!ok)
			return false;
	}
	return true;
}

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
