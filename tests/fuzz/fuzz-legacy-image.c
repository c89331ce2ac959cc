/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image in the format of 2016 with its key: what fuzz-image.c does to it without one, then its decryption in place, on a copy in memory. Whatever
 * that refuses, it must not have changed.
 */
#define LLVMFuzzerTestOneInput fuzz_image
#define fuzz_image_then fuzz_decrypt
static void fuzz_decrypt(int fd);
#include "tests/fuzz/fuzz-image.c"
#undef LLVMFuzzerTestOneInput

#include "common/convert/legacy.h"
#include "common/util/hex.h"
#include "tests/crash/disk.h"

#define KEY "49870cfd7958b677ae16902476572dd9"

static struct secret *key;

static void begin_key(void)
{
	static char path[64];
	struct error err = { 0 };
	const int fd = memfd_create("key", MFD_CLOEXEC);

	must(secret_init(&err) && secret_new(16, &key, &err) && hex_read(KEY, secret_bytes(key), 16), "secrets");
	must(fd >= 0 && write(fd, secret_view(key), 16) == 16, "the key");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	give_key("volume-key-file", path);
}

static void fuzz_decrypt(int fd)
{
	static const char *const names[] = { "vault", NULL };
	const struct convert_legacy_options how = { .key = key, .shared = SHARED_INCLUDE, .recursive = true };
	const struct volume_options options = { .to_convert = true };
	struct convert_plan plan = { 0 };
	struct volume *volume = NULL;
	struct error err = { 0 };
	static struct disk base;	/* mapped: it shows what is changed in the file */
	struct disk disk;
	bool ok;

	if (!base.size) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		disk_load(path, &base);
	}
	disk_clone(&base, &disk);
	ok = volume_open(disk_device(&disk, true), &options, &volume, &err) && convert_legacy(volume, names, &how, NULL, &plan, &err);
	must(ok || (err.kind != ERROR_NONE && err.text[0]), "a failure that says nothing");
	must(ok || disk.n_writes == 0, "it was refused, and had been written to");
	convert_plan_free(&plan);
	volume_close(volume);
	disk_free(&disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t copy[1 + CHANGES_MAX * sizeof(struct change)];

	if (!key)
		begin_key();
	if (len == 0 || len > sizeof(copy))
		return 0;
	memcpy(copy, bytes, len);
	copy[0] = choice_of("2016", bytes[0]);
	return fuzz_image(copy, len);
}
