/* SPDX-License-Identifier: GPL-2.0-or-later */
/* benchmark: how fast key derivation functions and ciphers are here, as cryptsetup benchmark says it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/pbkdf-options.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "common/crypto/cipher-speed.h"

static struct {
	char *cipher;
} opt;

static const struct poptOption options[] = {
	INCLUDE(options_pbkdf),
	{ "cipher", 'c', POPT_ARG_STRING, &opt.cipher, 0, "only this cipher", "aes-256-gcm|chacha20-poly1305" },
	INCLUDE(options_format),
	POPT_TABLEEND
};

#define TRIAL_ITERATIONS 50000u

static bool time_pbkdf2(struct kdf_cost cost, struct error *err)
{
	double took;

	cost.iterations = cost.iterations ? cost.iterations : TRIAL_ITERATIONS;
	if (!kdf_measure(&cost, &took, err))
		return false;

	const struct row row = row_begin("kdf");

	row_text(&row, "kdf", "", crypt_kdf_name(cost.kdf));
	row_number(&row, "iterations_per_second", "  ", (int64_t)(cost.iterations * 1e3 / took));
	row_words(&row, " iterations per second for 256-bit key");
	row_end(&row);
	return stdout_flush(err);
}

/* What a new key slot would cost with these options, and what opening it takes. */
static bool time_argon2id(struct kdf_cost cost, unsigned milliseconds, struct error *err)
{
	double took;

	milliseconds = milliseconds ? milliseconds : KDF_MILLISECONDS;
	if (!kdf_calibrate(&cost, milliseconds, err) || !kdf_measure(&cost, &took, err))
		return false;

	const struct row row = row_begin("kdf");

	row_text(&row, "kdf", "", crypt_kdf_name(cost.kdf));
	row_number(&row, "passes", "  ", cost.passes);
	row_number(&row, "memory_kib", " passes, ", cost.memory_kib);
	row_number(&row, "lanes", " KiB of memory, ", 1);
	row_number(&row, "requested_ms", " lane for 256-bit key (requested ", milliseconds);
	row_number(&row, "time_ms", " ms, took ", (int64_t)(took + 0.5));
	row_words(&row, " ms)");
	row_end(&row);
	return stdout_flush(err);
}

static bool time_kdfs(struct kdf_cost cost, unsigned milliseconds, struct error *err)
{
	const struct kdf_cost pbkdf2 = { .kdf = KDF_PBKDF2_SHA512 };

	if (cost.kdf == KDF_PBKDF2_SHA512)
		return time_pbkdf2(cost, err);
	return (pbkdf_options_chosen() || time_pbkdf2(pbkdf2, err)) && time_argon2id(cost, milliseconds, err);
}

static bool time_cipher(enum crypt_cipher cipher, struct error *err)
{
	struct cipher_speed speed;

	if (!cipher_speed_measure(cipher, &speed, err))
		return false;

	const struct row row = row_begin("cipher");

	row_format(&row, "%16s  256b  %11.1f MiB/s  %11.1f MiB/s", crypt_cipher_name(cipher), (double)speed.encryption / (1 << 20),
		   (double)speed.decryption / (1 << 20));
	row_text(&row, "cipher", NULL, crypt_cipher_name(cipher));
	row_number(&row, "key_bits", NULL, 8 * CRYPT_KEY_SIZE);
	row_number(&row, "block_size", NULL, CRYPT_BLOCK);
	row_u64(&row, "encryption_speed", NULL, speed.encryption);
	row_u64(&row, "decryption_speed", NULL, speed.decryption);
	row_end(&row);
	return stdout_flush(err);
}

static bool time_ciphers(enum crypt_cipher only, struct error *err)
{
	if (!format_is_json())
		printf("#         cipher   key         encryption         decryption\n");
	for (enum crypt_cipher cipher = CIPHER_AES_256_GCM; cipher <= CIPHER_CHACHA20_POLY1305; cipher++) {
		if ((only == 0 || cipher == only) && !time_cipher(cipher, err))
			return false;
	}
	return true;
}

static bool run(const char *const *operand, struct error *err)
{
	enum crypt_cipher only = 0;
	struct kdf_cost cost;
	unsigned milliseconds;

	(void)operand;
	if (opt.cipher && pbkdf_options_given())
		return error_set(err, ERROR_USAGE, "%s does not go with --cipher", pbkdf_options_given());
	if (opt.cipher && !crypt_cipher_find(opt.cipher, &only))
		return error_set(err, ERROR_USAGE, "--cipher takes aes-256-gcm or chacha20-poly1305");
	if (!pbkdf_options_read(&cost, &milliseconds, err))
		return false;
	if (!format_is_json())
		printf("# in memory alone, with one thread, by processor time\n");
	return (opt.cipher || time_kdfs(cost, milliseconds, err)) && (pbkdf_options_chosen() || time_ciphers(only, err));
}

const struct command cmd_benchmark = {
	.name = "benchmark",
	.operands = "",
	.summary = "measure key derivation functions and ciphers on this machine",
	.options = options,
	.run = run,
};
