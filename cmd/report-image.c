/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line for each image. */
#include "cmd/report-image.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/image-found.h"
#include "cmd/json.h"
#include "common/util/escape.h"
#include "common/util/hex.h"

#define PIECE (1u << 20)
#define HASH_TEXT_SIZE (2 * HASH_SIZE + 1)

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

static bool hash_device(struct progress *progress, struct device *device, char text[HASH_TEXT_SIZE], struct error *err)
{
	struct hash *hash = NULL;
	uint8_t *piece = malloc(PIECE);
	const bool ok = (piece || error_memory(err)) && hash_new(&hash, err) && hash_all(progress, device, hash, piece, text, err);

	progress_clear(progress);
	hash_free(hash);
	free(piece);
	return ok;
}

static void put_part(struct json_object *line, const struct image_found *found)
{
	struct json_object *partition;

	if (found->unpacked_size > 0)
		json_u64(line, "unpacked_size", found->unpacked_size);
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

/* hash NULL: it was not computed, and unread, if it has a text, says why. */
static void put_image(struct export_report *report, const struct device *device, size_t i, const char *hash, const struct error *unread)
{
	const struct image_found *found = image_found(i);
	struct json_object *line = json_line();

	json_name(line, "image", device->name, strlen(device->name));
	json_u64(line, "size", device->size);
	if (hash)
		json_text(line, "sha256", hash);
	if (unread->text[0])
		json_text(line, "text", unread->text);
	if (found)
		put_part(line, found);
	json_print(line, report->report.stream);
}

static bool report_device(struct export_report *report, struct device *device, size_t i, bool with_hash, struct error *err)
{
	char hash[HASH_TEXT_SIZE], name[1024];
	struct error unread = { 0 };
	const bool is_hashed = with_hash && hash_device(&report->progress, device, hash, &unread);

	if (report->report.stream)
		put_image(report, device, i, is_hashed ? hash : NULL, &unread);
	if (!with_hash)
		return true;
	if (!is_hashed && (report->manifest.stream || unread.kind == ERROR_MEMORY))
		return *err = unread, false;
	if (!is_hashed) {
		error_prefix(&unread, "the report has no hash of the image");
		print_warning(NULL, unread.text);
		return true;
	}
	if (report->manifest.stream) {
		escape_text(device->name, strlen(device->name), name, sizeof(name));
		fprintf(report->manifest.stream, "# image %s  %s  %" PRIu64 " bytes\n", hash, name, device->size);
	}
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
