/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conversions that stop, or die, where a test wants them to; key slots of an attacker's own making. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/convert/convert.h"
#include "tests/image/attack/attack.h"

/* --- where it ends ----------------------------------------------------------------------------------- */

static struct {
	bool dies, writes;
	uint64_t safe_points, flushes;	/* 0: never */
} left;

static bool stop(void *context)
{
	(void)context;
	/* Before the first write there is nothing that could be gone on with. */
	if (!left.writes || left.safe_points == 0 || --left.safe_points > 0)
		return false;
	if (left.dies)
		_exit(0);
	return true;
}

static bool forward_read(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	return device_read(self, bytes, len, at, err);
}

static bool forward_write(void *self, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	left.writes = true;
	return device_write(self, bytes, len, at, err);
}

static bool counting_flush(void *self, struct error *err)
{
	if (!device_flush(self, err))
		return false;
	if (left.flushes > 0 && --left.flushes == 0)
		_exit(0);
	return true;
}

static void forward_close(void *self)
{
	device_close(self);
}

static const struct device_ops ops = {
	.read = forward_read,
	.write = forward_write,
	.flush = counting_flush,
	.close = forward_close,
};

static bool stop_read(const char *text, struct error *err)
{
	if (strcmp(text, "never") == 0)
		return true;
	if (strncmp(text, "stop:", 5) == 0)
		return number(text + 5, &left.safe_points, err);
	if (strncmp(text, "die:", 4) == 0) {
		left.dies = true;
		return number(text + 4, &left.safe_points, err);
	}
	if (strncmp(text, "flush:", 6) == 0)
		return number(text + 6, &left.flushes, err);
	return error_set(err, ERROR_USAGE, "%s: stop:N, die:N, flush:N or never", text);
}

/* --- converting ---------------------------------------------------------------------------------------- */

static bool run(struct volume *volume, const char *what, struct secret *volume_key, const char *const *names, struct error *err)
{
	/* small batches, so that a small image has several */
	struct convert_ui ui = { .stop = stop, .batch_bytes = 256 << 10 };
	const struct key_source key = { .volume_key = volume_key, .slot = KEY_SLOT_ANY };
	const struct convert_encrypt_options encrypt = { .cipher = CIPHER_AES_256_GCM, .key = &(const struct key_source){ .volume_key = volume_key } };
	const bool accepts = strstr(what, "+accept");
	const struct convert_decrypt_options decrypt = { .key = &key, .unseal = { .accept_changes = accepts, .accept_unsealed = accepts } };
	struct convert_plan plan = { 0 };
	bool ok;

	ui.damage = (struct convert_damage){ .carry = strstr(what, "+carry"), .skip = strstr(what, "+skip") };
	what = strndup(what, strcspn(what, "+"));
	if (!what)
		return error_memory(err);
	if (strcmp(what, "encrypt") == 0)
		ok = convert_encrypt(volume, names, &encrypt, &ui, &plan, err);
	else if (strcmp(what, "decrypt") == 0)
		ok = convert_decrypt(volume, names[0], &decrypt, &ui, &plan, err);
	else if (strcmp(what, "resume") == 0)
		ok = convert_continue(volume, CONVERT_RESUME, &key, &ui, &plan, err);
	else if (strcmp(what, "decrypt-resume") == 0)
		ok = convert_continue(volume, CONVERT_RESUME_DECRYPT, &key, &ui, &plan, err);
	else if (strcmp(what, "abort") == 0)
		ok = convert_continue(volume, CONVERT_ABORT, &key, &ui, &plan, err);
	else
		ok = error_set(err, ERROR_USAGE, "%s: encrypt, decrypt, resume, decrypt-resume or abort", what);
	free((char *)what);
	convert_plan_free(&plan);
	return ok;
}

bool attack_convert(struct attack *attack, struct error *err)
{
	const struct volume_options options = { .unfinished = true };
	const char *const *names = (const char *const *)attack->argv + 3;
	cleanup_volume struct volume *volume = NULL;
	cleanup_secret struct secret *key = NULL;
	struct device *real, *device;

	if (!stop_read(attack->argv[1], err) || !secret_read_file(attack->argv[2], 0, 0, &key, err) ||
	    !device_open(attack->path, DEVICE_WRITABLE, &real, err) || !device_new(&ops, real, attack->path, real->size, true, &device, err) ||
	    !volume_open(device, &options, &volume, err))
		return false;
	return run(volume, attack->argv[0], key, names, err);
}

/* --- slots ------------------------------------------------------------------------------------------------ */

bool attack_forge_slot(struct attack *attack, struct error *err)
{
	const struct kdf_cost cost = { .kdf = KDF_PBKDF2_SHA512, .iterations = KDF_ITERATIONS_NEW_MIN };
	cleanup_secret struct secret *passphrase = NULL, *volume_key = NULL;
	struct disk_crypt_slot slot;
	uint8_t *uuid = NULL;
	uint64_t n;
	size_t len;
	bool ok = number(attack->argv[0], &n, err) && secret_read_passphrase_file(attack->argv[1], &passphrase, err) &&
		  secret_random(CRYPT_KEY_SIZE, &volume_key, err) && bytes_of_hex(attack->argv[2], &uuid, &len, err) &&
		  (len == CRYPT_UUID_SIZE || error_set(err, ERROR_USAGE, "a uuid has 16 bytes")) &&
		  key_slot_create(passphrase, &cost, uuid, (uint16_t)n, SLOT_PASSPHRASE, NULL, volume_key, &slot, err);

	if (ok)
		print_hex((const uint8_t *)&slot, sizeof(slot));
	free(uuid);
	return ok;
}
