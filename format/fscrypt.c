/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the contexts of the upstream fscrypt proposal. */
#include "format/fscrypt.h"

#include <inttypes.h>

#define corrupt_at(kind, format, ...) \
	error_set(err, ERROR_CORRUPT, kind " at %#" PRIx64 ": " format, item->offset, __VA_ARGS__)

bool fscrypt_inode_context_read(struct cursor *item, struct disk_fscrypt_inode_context *out, struct error *err)
{
	struct disk_fscrypt_inode_context context;
	struct cursor rest = *item;

	if (item->left != sizeof(context) || !cursor_read(&rest, &context, sizeof(context)))
		return corrupt_at("fscrypt inode context", "%zu bytes, not %zu", item->left, sizeof(context));
	if (context.version != FSCRYPT_CONTEXT_V2)
		return corrupt_at("fscrypt inode context", "version is %u, not %u", context.version, FSCRYPT_CONTEXT_V2);
	*item = rest;
	*out = context;
	return true;
}

bool fscrypt_extent_context_read(struct cursor *item, struct disk_fscrypt_extent_context *out, struct error *err)
{
	struct disk_fscrypt_extent_context context;
	struct cursor rest = *item;

	if (item->left != sizeof(context) || !cursor_read(&rest, &context, sizeof(context)))
		return corrupt_at("fscrypt extent context", "%zu bytes, not %zu", item->left, sizeof(context));
	if (context.version != FSCRYPT_EXTENT_CONTEXT_V1)
		return corrupt_at("fscrypt extent context", "version is %u, not %u", context.version, FSCRYPT_EXTENT_CONTEXT_V1);
	*item = rest;
	*out = context;
	return true;
}

const char *fscrypt_mode_name(uint8_t mode)
{
	static const char *const names[] = {
		[1] = "AES-256-XTS", [4] = "AES-256-CTS", [5] = "AES-128-CBC", [6] = "AES-128-CTS", [7] = "SM4-XTS", [8] = "SM4-CTS",
		[9] = "Adiantum", [10] = "AES-256-HCTR2",
	};

	return mode < sizeof(names) / sizeof(names[0]) ? names[mode] : NULL;
}
