/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/sealed/domain-ending.h"

/* How a line may end; without one it is what people type. */
static const struct ending {
	const char *bytes, *with, *without;
	bool passphrase, key_file;	/* in which slots it may be */
	const char *cure;		/* what gives such a key */
} endings[] = {
	{ "", NULL, NULL, true, true, "" },
	{ "\n", "with a newline", "without the newline", false, true, ": --key-file takes every byte of a file" },
	{ "\r\n", "with a carriage return and a newline", "without the carriage return and the newline", false, true,
	  ": --key-file takes every byte of a file" },
	{ "\r", "with a carriage return", "without the carriage return", true, false, ", as --passphrase-file takes it from a line of Windows" },
};
#define N_ENDINGS (sizeof(endings) / sizeof(endings[0]))

static bool is_text(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((bytes[i] < ' ' && bytes[i] != '\t') || bytes[i] == 0x7f)
			return false;
	}
	return len > 0 && len <= SECRET_PASSPHRASE_MAX;
}

/* The longest that fits. *len: without it. */
static const struct ending *ending_of(const struct secret *secret, size_t *len)
{
	const uint8_t *const bytes = secret_view(secret);
	const struct ending *own = &endings[0];

	*len = secret_len(secret);
	for (size_t i = 1; i < N_ENDINGS; i++) {
		const size_t size = strlen(endings[i].bytes);

		if (size < secret_len(secret) && size > strlen(own->bytes) && memcmp(bytes + secret_len(secret) - size, endings[i].bytes, size) == 0) {
			own = &endings[i];
			*len = secret_len(secret) - size;
		}
	}
	return own;
}

/* Nothing that goes wrong here matters: the key is wrong in any case. */
static bool opens(const struct domain *domain, const struct key_source *key, size_t len, const struct ending *ending)
{
	const size_t size = strlen(ending->bytes);
	cleanup_secret struct secret *line = NULL;
	struct error ignored = { 0 };
	bool opens = false;

	if (!secret_new(len + size, &line, &ignored))
		return false;
	memcpy(secret_bytes(line), secret_view(key->secret), len);
	memcpy(secret_bytes(line) + len, ending->bytes, size);
	for (size_t i = 0; i < domain->n_slots && !opens; i++) {
		const struct crypt_slot *const slot = &domain->slots[i];
		cleanup_secret struct secret *volume_key = NULL;

		if ((key->slot >= 0 && slot->number != (unsigned)key->slot) || !(slot->type == SLOT_KEY_FILE ? ending->key_file : ending->passphrase) ||
		    slot->kdf == KDF_NONE)
			continue;
		opens = key_slot_open(slot, line, &volume_key, &ignored) && volume_key;
	}
	return opens;
}

void domain_hint_ending(const struct domain *domain, const struct key_source *key, struct error *err)
{
	const struct ending *own;
	size_t len;

	if (err->kind != ERROR_KEY || !key->secret || key->volume_key || key->recovery)
		return;
	own = ending_of(key->secret, &len);
	if (!is_text(secret_view(key->secret), len))
		return;
	for (const struct ending *other = endings; other < endings + N_ENDINGS; other++) {
		if (other == own || !opens(domain, key, len, other))
			continue;
		if (other->bytes[0])
			error_hint(err, "it is right %s at its end%s", other->with, other->cure);
		else
			error_hint(err, "it is right %s at its end%s", own->without,
				   key->is_key_file && own->bytes[0] == '\n' ? "; --passphrase-file removes it" : "");
		return;
	}
}
