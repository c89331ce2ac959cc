/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sealed image with its key: what fuzz-image.c does to it without one.  Every changed tree goes through the code that trusts a key: units and
 * inline units joined, tags, digests, decryption.  The first byte chooses the output format (1) and whether changes after sealing are accepted (2).
 */
#define LLVMFuzzerTestOneInput fuzz_image
#include "tests/fuzz/fuzz-image.c"
#undef LLVMFuzzerTestOneInput

#include "cmd/source.h"
#include "common/crypto/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char *const accept[] = { "accept-changes", "accept-unsealed" };
	static uint8_t copy[1 + CHANGES_MAX * sizeof(struct change)];
	static bool has_key;

	if (!has_key) {
		struct error err = { 0 };

		must(secret_init(&err), "secrets");
		give_key("passphrase-file", "images/good-sealed.passphrase");
	}
	has_key = true;
	if (len == 0 || len > sizeof(copy))
		return 0;
	memcpy(copy, bytes, len);
	copy[0] = choice_of("sealed", bytes[0]);
	for (size_t i = 0; i < sizeof(accept) / sizeof(accept[0]); i++)
		*(int *)option(options_source, accept[i]) = bytes[0] / 2 % 2;
	return fuzz_image(copy, len);
}
