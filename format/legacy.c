/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads what the patches of 2016 and 2017 left in root items and xattrs. */
#include "format/legacy.h"

#include <inttypes.h>

#include "format/ondisk.h"

#define TAG_BEGIN "btrfs:"
#define CONTEXT_2017_SIZE 28u	/* an fscrypt context of version 1 */
#define CONTEXT_2017_FIRST 1u

#define corrupt(what, format, ...) \
	error_set(err, ERROR_CORRUPT, "xattr " what " at %#" PRIx64 ": " format, where, __VA_ARGS__)

enum legacy_mode legacy_mode_of(const char *algorithm)
{
	static const char *const names[] = { [LEGACY_CTR] = "ctr(aes)", [LEGACY_CBC] = "cbc(aes)", [LEGACY_CBC_CTS] = "cts(cbc(aes))" };

	for (size_t i = LEGACY_CTR; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(algorithm, names[i]) == 0)
			return (enum legacy_mode)i;
	}
	return LEGACY_MODE_UNKNOWN;
}

static bool is_printable(uint8_t c)
{
	return c > 0x20 && c < 0x7f;
}

/* Up to a NUL. A byte that does not print becomes a question mark. */
static void read_name(const uint8_t *bytes, char name[LEGACY_NAME_SIZE + 1])
{
	size_t len = 0;

	for (; len < LEGACY_NAME_SIZE && bytes[len] != '\0'; len++)
		name[len] = is_printable(bytes[len]) ? (char)bytes[len] : '?';
	name[len] = '\0';
}

void legacy_root_of(const struct root *root, struct legacy_root *legacy)
{
	const uint8_t *const second = root->reserved + sizeof(((struct disk_crypt_tag *)0)->algorithm);

	*legacy = (struct legacy_root){ 0 };
	if (root->is_short)
		return;
	read_name(root->reserved, legacy->algorithm);
	legacy->is_early = memcmp(second, TAG_BEGIN, strlen(TAG_BEGIN)) == 0;
	if (legacy->is_early) {
		read_name(second, legacy->tag);
		return;
	}
	legacy->key_len = root->key_len;
	legacy->key_hash = root->key_hash;
}

/* A name of the text up to its end, or up to the byte that ends it. */
static bool take_name(struct cursor *value, char end, char name[LEGACY_NAME_SIZE + 1])
{
	struct cursor text;
	size_t len = 0;

	while (len < value->left && value->at[len] != (uint8_t)end && is_printable(value->at[len]))
		len++;
	if (len == 0 || len > LEGACY_NAME_SIZE || !cursor_take(value, len, &text))
		return false;
	memcpy(name, text.at, len);
	name[len] = '\0';
	return true;
}

bool legacy_property_read(struct cursor *value, struct legacy_property *out, struct error *err)
{
	const uint64_t where = value->offset;
	const size_t size = value->left;
	struct legacy_property property = { 0 };
	struct cursor part;

	if (size == CONTEXT_2017_SIZE && value->at[0] == CONTEXT_2017_FIRST) {
		(void)!cursor_take(value, size, &part);
		*out = (struct legacy_property){ .is_2017 = true };
		return true;
	}
	if (!take_name(value, '@', property.algorithm))
		return corrupt(LEGACY_XATTR_PROPERTY, "no name of 1 to %u printable bytes begins its %zu bytes", LEGACY_NAME_SIZE, size);
	if (!cursor_take(value, 1, &part) || part.at[0] != '@')
		return corrupt(LEGACY_XATTR_PROPERTY, "no @ follows the name of %zu bytes", strlen(property.algorithm));
	if (!take_name(value, '@', property.tag))
		return corrupt(LEGACY_XATTR_PROPERTY, "no key tag of 1 to %u printable bytes follows the @", LEGACY_NAME_SIZE);
	if (value->left > 0)
		return corrupt(LEGACY_XATTR_PROPERTY, "%zu bytes follow the key tag", value->left);
	*out = property;
	return true;
}

bool legacy_iv_read(struct cursor *value, uint8_t iv[LEGACY_IV_SIZE], struct error *err)
{
	const uint64_t where = value->offset;

	const size_t size = value->left;
	struct cursor rest;

	if (!cursor_read(value, iv, LEGACY_IV_SIZE) || !cursor_take(value, value->left, &rest))
		return corrupt(LEGACY_XATTR_IV, "%zu bytes, not at least %u", size, LEGACY_IV_SIZE);
	return true;
}
